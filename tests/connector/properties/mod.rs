//! Property tests: random API calls arrive as the expected lines, and the statistics account for
//! every line.
//!
//! The expected lines are compared with the lines that the server received.

mod account;
mod call;
mod emitter;
mod lines;
mod order;
mod strategies;

/// Maximum length of a line in bytes: the size of a block (a thread's buffer of lines) at the
/// default capacity.
const LONGEST_LINE: usize = 16 << 10;

/// Returns true if the name of a metric cannot contain the character.
fn is_forbidden(character: char) -> bool {
    ends_field(character) || "#,;=@[]".contains(character)
}

/// Returns true if the character ends a field of a line or is a control character. No value can
/// contain it, and no name in a call of `inject_metric`.
fn ends_field(character: char) -> bool {
    matches!(character, ':' | '|') || character.is_control()
}

//! Property tests: arbitrary calls arrive as the expected lines, and the statistics balance.
//!
//! The expected lines are compared with the lines that the server received.

#[path = "../support/mod.rs"]
mod support;

mod account;
mod call;
mod emitter;
mod lines;
mod order;
mod strategies;

/// Size of a block in bytes at the default capacity. No line is longer.
const LONGEST_LINE: usize = 16 << 10;

/// Returns true if a name cannot contain the character.
fn is_forbidden(character: char) -> bool {
    ends_field(character) || "#,;=@[]".contains(character)
}

/// Returns true if the character ends a field or is a control character. Neither an injected path
/// nor a value can contain it.
fn ends_field(character: char) -> bool {
    matches!(character, ':' | '|') || character.is_control()
}

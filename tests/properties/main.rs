//! Property tests: arbitrary calls arrive as intended, and the account balances. The tests compare
//! with the receiver's lines, not with the client's statements.

#[path = "../support/mod.rs"]
mod support;

mod account;
mod call;
mod emitter;
mod lines;
mod order;
mod strategies;

/// No line is longer than a block, which has this size at the default capacity.
const LONGEST_LINE: usize = 16 << 10;

/// Returns true if a name cannot contain the character.
fn is_forbidden(character: char) -> bool {
    ends_field(character) || "#,;=@[]".contains(character)
}

/// Returns true if neither an injected path nor a value can contain the character.
fn ends_field(character: char) -> bool {
    matches!(character, ':' | '|') || character.is_control()
}

//! Whatever is emitted, and whatever happens meanwhile: what arrives is what was meant, and the
//! account is right. Judged by what a receiver got, never by the client's own word.

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

/// What a name cannot hold.
fn is_forbidden(character: char) -> bool {
    ends_field(character) || "#,;=@[]".contains(character)
}

/// What a path that is injected cannot hold, and no value.
fn ends_field(character: char) -> bool {
    matches!(character, ':' | '|') || character.is_control()
}

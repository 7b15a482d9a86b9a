//! Lines: `{head}{name}:{sign}{number}{tail}`, whole or not at all.

use super::decimal::Decimal;
use super::name;
use super::value::Number;
use crate::handoff::{Tally, Written};

/// A metric about to be written.
pub(crate) struct Line<'a> {
    /// Prefix and type prefix, rendered and validated beforehand.
    pub(crate) head: &'a [u8],
    pub(crate) name: &'a str,
    pub(crate) sign: &'static [u8],
    pub(crate) magnitude: Decimal<'a>,
    /// The type code, and any fields that follow it.
    pub(crate) code: &'a str,
}

/// How a number's sign is written.
#[derive(Clone, Copy)]
pub(crate) enum Sign {
    AsIs,
    /// Counting down.
    Reversed,
    /// Always there: it makes a gauge's value a delta.
    Explicit,
}

impl Sign {
    #[inline(always)]
    pub(crate) fn of(self, number: &Number<'_>) -> &'static [u8] {
        match (self, number.negative) {
            (Self::AsIs | Self::Explicit, true) => b"-",
            (Self::Reversed, false) if !number.magnitude.is_zero() => b"-",
            (Self::Explicit, false) => b"+",
            _ => b"",
        }
    }
}

impl Line<'_> {
    /// The size that it has on the wire; a name that must be altered can make it smaller.
    #[inline(always)]
    fn size(&self) -> usize {
        let separators = ":|\n".len();
        let name_and_number = self.name.len() + self.sign.len() + self.magnitude.len();
        self.head.len() + name_and_number + self.code.len() + separators
    }

    /// Writes the line, with its newline, to the front of `room`.
    #[inline(always)]
    pub(crate) fn write(&self, room: &mut [u8]) -> Written {
        let size = self.size();
        if self.name.is_empty() {
            return INVALID;
        }
        if size > room.len() {
            return Written::NoRoom(one_line(size));
        }
        let mut text = Text { room, len: 0 };
        text.put(self.head);
        let altered = text.put_name(self.name);
        text.put(b":");
        text.put(self.sign);
        self.magnitude.write(|piece| text.put(piece));
        text.put(b"|");
        text.put(self.code.as_bytes());
        text.put(b"\n");
        Written::Line { size: one_line(text.len), altered }
    }

    /// Writes a gauge that is set to a number below zero: servers take a signed value for a
    /// delta, so the gauge is set to 0 and then lowered, by two lines that stay together.
    pub(crate) fn write_from_zero(&self, room: &mut [u8]) -> Written {
        let zero = Line { sign: b"", magnitude: Decimal::Plain(b"0"), ..*self };
        let both = one_line(zero.size()) + one_line(self.size());
        if both.bytes > room.len() as u64 && !self.name.is_empty() {
            return Written::NoRoom(both);
        }
        match zero.write(room) {
            Written::Line { size: first, altered } => {
                match self.write(&mut room[first.bytes as usize..]) {
                    Written::Line { size, .. } => Written::Line { size: first + size, altered },
                    other => other,
                }
            }
            other => other,
        }
    }
}

/// What was refused as no line has no bytes that could be counted.
pub(crate) const INVALID: Written = Written::Invalid(Tally { lines: 1, bytes: 0 });

#[inline(always)]
fn one_line(size: usize) -> Tally {
    Tally { lines: 1, bytes: size as u64 }
}

/// Text that grows at the front of a room, which is known to be large enough.
struct Text<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Text<'_> {
    #[inline(always)]
    fn put(&mut self, piece: &[u8]) {
        self.room[self.len..][..piece.len()].copy_from_slice(piece);
        self.len += piece.len();
    }

    /// Says whether the name had to be altered.
    #[inline(always)]
    fn put_name(&mut self, name: &str) -> bool {
        if name::is_surely_clean(name.as_bytes()) {
            self.put(name.as_bytes());
            return false;
        }
        let (len, altered) = name::clean(&mut self.room[self.len..], name);
        self.len += len;
        altered
    }
}

/// Whether a text may stand where a value or a type code does, and end neither its line nor,
/// being a value, its field.
pub(crate) fn is_value(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(name::is_forbidden)
}

/// As [`is_value`], for the type code and what follows it on the line.
pub(crate) fn is_code(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

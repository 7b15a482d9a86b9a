//! Lines: `{head}{name}:{sign}{digits}{tail}`, whole or not at all.

use super::decimal::Digits;
use super::name;
use super::value::{Number, Sign};
use crate::handoff::{WriteLine, Written};

/// A metric about to be written. Generic, so that each call is compiled to the copies that it
/// needs and no more.
pub(crate) struct Line<'a, D, const TAIL: usize> {
    /// Prefix and type prefix, rendered and validated beforehand.
    pub(crate) head: &'a [u8],
    pub(crate) name: &'a str,
    pub(crate) sign: Sign,
    pub(crate) digits: D,
    /// From the `|` on, with the newline.
    pub(crate) tail: &'static [u8; TAIL],
}

impl<'a, D: Digits, const TAIL: usize> Line<'a, D, TAIL> {
    #[inline(always)]
    pub(crate) fn new(
        head: &'a [u8],
        name: &'a str,
        number: Number<D>,
        tail: &'static [u8; TAIL],
    ) -> Self {
        let Number { sign, digits } = number;
        Self { head, name, sign, digits, tail }
    }

    /// The size that it has on the wire; a name that must be altered can make it smaller.
    #[inline(always)]
    fn size(&self) -> usize {
        let number = self.sign.len() + self.digits.len();
        self.head.len() + self.name.len() + ":".len() + number + TAIL
    }

    /// Writes what comes after the name, and says how long the line is.
    #[inline(always)]
    fn end(&self, mut text: Text<'_>) -> usize {
        text.put(b":");
        text.put_sign(self.sign);
        self.digits.write(&mut text);
        text.put(self.tail);
        text.len
    }
}

impl<D: Digits, const TAIL: usize> WriteLine for Line<'_, D, TAIL> {
    #[inline(always)]
    fn lines(&self) -> u64 {
        1
    }

    #[inline(always)]
    fn write_usual(&self, room: &mut [u8]) -> usize {
        let clean = !self.name.is_empty() && name::is_surely_clean(self.name.as_bytes());
        if !clean || self.size() > room.len() {
            return 0;
        }
        let mut text = Text { room, len: 0 };
        text.put(self.head);
        text.put(self.name.as_bytes());
        self.end(text)
    }

    fn write(&self, room: &mut [u8]) -> Written {
        if self.name.is_empty() {
            return Written::Invalid;
        }
        if self.size() > room.len() {
            return Written::NoRoom(self.size());
        }
        let mut text = Text { room, len: 0 };
        text.put(self.head);
        let (len, altered) = name::clean(&mut text.room[text.len..], self.name);
        text.len += len;
        Written::Line { bytes: self.end(text), altered }
    }
}

/// A gauge that is set to a number below zero: servers take a signed value for a delta, so the
/// gauge is set to 0 and then lowered, by two lines that stay together.
pub(crate) struct BelowZero<'a, D>(pub(crate) Line<'a, D, 3>);

impl<D: Digits> BelowZero<'_, D> {
    fn zero(&self) -> Line<'_, &'static [u8; 1], 3> {
        let number = Number { sign: Sign::None, digits: b"0" };
        Line::new(self.0.head, self.0.name, number, self.0.tail)
    }
}

impl<D: Digits> WriteLine for BelowZero<'_, D> {
    fn lines(&self) -> u64 {
        2
    }

    fn write_usual(&self, room: &mut [u8]) -> usize {
        if self.zero().size() + self.0.size() > room.len() {
            return 0;
        }
        match self.zero().write_usual(room) {
            0 => 0,
            first => first + self.0.write_usual(&mut room[first..]),
        }
    }

    fn write(&self, room: &mut [u8]) -> Written {
        let size = self.zero().size() + self.0.size();
        if size > room.len() && !self.0.name.is_empty() {
            return Written::NoRoom(size);
        }
        let Written::Line { bytes: first, .. } = self.zero().write(room) else {
            return Written::Invalid;
        };
        match self.0.write(&mut room[first..]) {
            Written::Line { bytes, altered } => Written::Line { bytes: first + bytes, altered },
            other => other,
        }
    }
}

/// What can be no line, whatever room there is.
pub(crate) struct Invalid;

impl WriteLine for Invalid {
    fn lines(&self) -> u64 {
        1
    }
    fn write_usual(&self, _room: &mut [u8]) -> usize {
        0
    }
    fn write(&self, _room: &mut [u8]) -> Written {
        Written::Invalid
    }
}

/// Text that grows at the front of a room, which is known to be large enough.
pub struct Text<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Text<'_> {
    #[inline(always)]
    pub(super) fn put(&mut self, piece: &[u8]) {
        self.room[self.len..][..piece.len()].copy_from_slice(piece);
        self.len += piece.len();
    }

    #[inline(always)]
    fn put_sign(&mut self, sign: Sign) {
        // Written in any case, and kept if there is one: no branch to guess.
        self.room[self.len] = sign as u8;
        self.len += sign.len();
    }
}

/// A value and what follows it, as the caller has them.
#[derive(Clone, Copy)]
pub(crate) struct Injected<'a> {
    value: &'a [u8],
    code: &'a [u8],
}

impl<'a> Injected<'a> {
    /// None if one of them would end the line, or the value its field, or is empty.
    pub(crate) fn new(value: &'a str, code: &'a str) -> Option<Self> {
        let is_value = !value.is_empty() && !value.chars().any(name::is_forbidden);
        let is_code = !code.is_empty() && !code.chars().any(char::is_control);
        let (value, code) = (value.as_bytes(), code.as_bytes());
        (is_value && is_code).then_some(Self { value, code })
    }
}

impl Digits for Injected<'_> {
    fn len(&self) -> usize {
        self.value.len() + "|".len() + self.code.len()
    }
    fn is_zero(&self) -> bool {
        false
    }
    fn write(&self, text: &mut Text<'_>) {
        text.put(self.value);
        text.put(b"|");
        text.put(self.code);
    }
}

//! Lines: `{head}{name}:{sign}{digits}{tail}`, whole or not at all.

use super::decimal::Digits;
use super::head::Head;
use super::name;
use super::text::Text;
use super::value::{Number, Sign};
use crate::handoff::{MARGIN, WriteLine, Written};

/// A metric about to be written. Generic, so that each call is compiled to the copies that it
/// needs and no more.
pub(crate) struct Line<'a, D, const TAIL: usize> {
    head: &'a Head,
    name: &'a str,
    sign: Sign,
    digits: D,
    /// From the `|` on, with the newline.
    tail: &'static [u8; TAIL],
}

impl<'a, D: Digits, const TAIL: usize> Line<'a, D, TAIL> {
    #[inline(always)]
    pub(crate) fn new(
        head: &'a Head,
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
        self.head.len() + self.name.len() + self.end_size()
    }

    /// The size of what comes after the name.
    #[inline(always)]
    fn end_size(&self) -> usize {
        ":".len() + self.sign.len() + self.digits.len() + TAIL
    }

    /// Whether it fits into this room.
    #[inline(always)]
    fn fits(&self, room: &[u8]) -> bool {
        self.size() + MARGIN <= room.len()
    }

    /// Writes what comes after the name.
    #[inline(always)]
    fn end(&self, text: &mut Text<'_>) {
        // One check of the room for all, where the size is a constant.
        let mut text = text.part(self.end_size());
        text.put_byte(b':');
        text.put_sign(self.sign);
        self.digits.write(&mut text);
        text.put_constant(self.tail);
    }
}

impl<D: Digits, const TAIL: usize> WriteLine for Line<'_, D, TAIL> {
    #[inline(always)]
    fn lines(&self) -> u64 {
        1
    }

    #[inline(always)]
    fn write_usual(&self, room: &mut [u8]) -> usize {
        if self.name.is_empty() || !self.fits(room) {
            return 0;
        }
        let mut text = Text::new(room);
        text.put_head(self.head);
        if !text.put_name(self.name) {
            return 0;
        }
        self.end(&mut text);
        self.size()
    }

    fn write(&self, room: &mut [u8]) -> Written {
        if self.name.is_empty() {
            return Written::Invalid;
        }
        if !self.fits(room) {
            return Written::NoRoom(self.size());
        }
        let room_before = room.len();
        let mut text = Text::new(room);
        text.put_head(self.head);
        let altered = text.put_cleaned(self.name);
        self.end(&mut text);
        Written::Line { bytes: room_before - text.left(), altered }
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
        if self.zero().size() + self.0.size() + MARGIN > room.len() {
            return 0;
        }
        match self.zero().write_usual(room) {
            0 => 0,
            first => first + self.0.write_usual(&mut room[first..]),
        }
    }

    fn write(&self, room: &mut [u8]) -> Written {
        let size = self.zero().size() + self.0.size();
        if size + MARGIN > room.len() && !self.0.name.is_empty() {
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

//! Lines: `{head}{name}:{sign}{digits}{tail}`, whole or not at all.

use super::chunked_text::ChunkedText;
use super::clean::CharacterRule;
use super::decimal::Digits;
use super::line_writer::LineWriter;
use super::value::{Number, Sign};
use crate::handoff::{EncodeLine, MARGIN, WriteOutcome};

/// A metric about to be written. Generic, so that each call is compiled to the copies that it
/// needs and no more.
pub(crate) struct Line<'a, D, const TAIL: usize, const INJECTED: bool = false> {
    head: &'a ChunkedText,
    name: &'a str,
    sign: Sign,
    digits: D,
    /// From the `|` on, with the newline.
    tail: &'static [u8; TAIL],
}

impl<'a, D: Digits, const TAIL: usize> Line<'a, D, TAIL> {
    #[inline(always)]
    pub(crate) fn new(
        head: &'a ChunkedText,
        name: &'a str,
        number: Number<D>,
        tail: &'static [u8; TAIL],
    ) -> Self {
        let Number { sign, digits } = number;
        Self { head, name, sign, digits, tail }
    }
}

impl<'a> Line<'a, InjectedFields<'a>, 1, true> {
    /// Any path, value, type and further fields.
    pub(crate) fn injected(
        head: &'a ChunkedText,
        path: &'a str,
        digits: InjectedFields<'a>,
    ) -> Self {
        Self { head, name: path, sign: Sign::None, digits, tail: b"\n" }
    }
}

impl<D: Digits, const TAIL: usize, const INJECTED: bool> Line<'_, D, TAIL, INJECTED> {
    /// An injected path may hold tags.
    const NAME: CharacterRule =
        if INJECTED { CharacterRule::Field } else { CharacterRule::PlainName };

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
    fn end(&self, text: &mut LineWriter<'_>) {
        // One check of the room for all, where the size is a constant.
        let mut text = text.part(self.end_size());
        text.put_byte(b':');
        text.put_sign(self.sign);
        self.digits.write(&mut text);
        text.put_constant(self.tail);
    }
}

impl<D: Digits, const TAIL: usize, const INJECTED: bool> EncodeLine
    for Line<'_, D, TAIL, INJECTED>
{
    #[inline(always)]
    fn lines(&self) -> u64 {
        1
    }

    #[inline(always)]
    fn write_fast(&self, room: &mut [u8]) -> usize {
        if self.name.is_empty() || !self.fits(room) {
            return 0;
        }
        let mut text = LineWriter::new(room);
        text.put_rendered(self.head);
        if !text.put_name(self.name, Self::NAME) {
            return 0;
        }
        self.end(&mut text);
        self.size()
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        if self.name.is_empty() {
            return WriteOutcome::Invalid;
        }
        if !self.fits(room) {
            return WriteOutcome::NoRoom(self.size());
        }
        let room_before = room.len();
        let mut text = LineWriter::new(room);
        text.put_rendered(self.head);
        let altered = text.put_cleaned(self.name, Self::NAME);
        self.end(&mut text);
        WriteOutcome::Line { bytes: room_before - text.left(), altered }
    }
}

impl<D: Digits, const TAIL: usize, const INJECTED: bool> SizedLine for Line<'_, D, TAIL, INJECTED> {
    #[inline(always)]
    fn size(&self) -> usize {
        Self::size(self)
    }
}

/// A single line, which knows how many bytes it takes at most.
pub(crate) trait SizedLine: EncodeLine {
    fn size(&self) -> usize;
}

/// The digits of the line before one below zero.
pub(crate) const ZERO: Number<&'static [u8; 1]> = Number { sign: Sign::None, digits: b"0" };

/// A gauge that is set to a number below zero: servers take a signed value for a delta, so the
/// gauge is set to 0 and then lowered, by two lines that stay together.
pub(crate) struct NegativeGauge<Z, L> {
    /// Sets it to [`ZERO`].
    pub(crate) zero: Z,
    pub(crate) line: L,
}

impl<Z: SizedLine, L: SizedLine> EncodeLine for NegativeGauge<Z, L> {
    fn lines(&self) -> u64 {
        2
    }

    fn write_fast(&self, room: &mut [u8]) -> usize {
        if self.zero.size() + self.line.size() + MARGIN > room.len() {
            return 0;
        }
        let first = self.zero.write_fast(room);
        if first == 0 {
            return 0;
        }
        match self.line.write_fast(&mut room[first..]) {
            0 => 0,
            second => first + second,
        }
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        let size = self.zero.size() + self.line.size();
        let first = match self.zero.write(room) {
            WriteOutcome::Line { bytes, .. } => bytes,
            WriteOutcome::NoRoom(_) => return WriteOutcome::NoRoom(size),
            other => return other,
        };
        // Room is asked for as if nothing were altered.
        if size + MARGIN > room.len() {
            return WriteOutcome::NoRoom(size);
        }
        match self.line.write(&mut room[first..]) {
            WriteOutcome::Line { bytes, altered } => {
                WriteOutcome::Line { bytes: first + bytes, altered }
            }
            other => other,
        }
    }
}

/// What can be no line, whatever room there is.
pub(crate) struct InvalidLine;

impl EncodeLine for InvalidLine {
    fn lines(&self) -> u64 {
        1
    }
    fn write_fast(&self, _room: &mut [u8]) -> usize {
        0
    }
    fn write(&self, _room: &mut [u8]) -> WriteOutcome {
        WriteOutcome::Invalid
    }
}

/// What the dialect has no word for.
pub(crate) struct UnsupportedLine;

impl EncodeLine for UnsupportedLine {
    fn lines(&self) -> u64 {
        1
    }
    fn write_fast(&self, _room: &mut [u8]) -> usize {
        0
    }
    fn write(&self, _room: &mut [u8]) -> WriteOutcome {
        WriteOutcome::Unsupported
    }
}

/// A value and what follows it, as the caller has them.
#[derive(Clone, Copy)]
pub(crate) struct InjectedFields<'a> {
    value: &'a [u8],
    code: &'a [u8],
}

impl<'a> InjectedFields<'a> {
    /// None if one of them would end the line, or the value its field, or is empty.
    pub(crate) fn new(value: &'a str, code: &'a str) -> Option<Self> {
        let is_value = !value.is_empty()
            && !value.chars().any(|character| CharacterRule::Field.forbids(character));
        let is_code = !code.is_empty() && !code.chars().any(char::is_control);
        let (value, code) = (value.as_bytes(), code.as_bytes());
        (is_value && is_code).then_some(Self { value, code })
    }
}

impl Digits for InjectedFields<'_> {
    fn len(&self) -> usize {
        self.value.len() + "|".len() + self.code.len()
    }
    fn is_zero(&self) -> bool {
        false
    }
    fn write(&self, text: &mut LineWriter<'_>) {
        text.put(self.value);
        text.put(b"|");
        text.put(self.code);
    }
}

//! Lines without tags, sample rate and optional fields: `{head}{name}:{sign}{digits}{tail}`.

use super::chunked_text::ChunkedText;
use super::decimal::Digits;
use super::line_writer::LineWriter;
use super::sanitize::CharacterRule;
use super::sign::Sign;
use super::value::Number;
use crate::handoff::{EncodeLine, MARGIN, WriteOutcome};

/// A line of the fast path. Generic, so that each call compiles to exactly the copies it needs.
pub(crate) struct Line<'a, D, const TAIL: usize, const INJECTED: bool = false> {
    head: &'a ChunkedText,
    name: &'a str,
    sign: Sign,
    digits: D,
    /// The rest of the line after the digits, with the newline.
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
    /// Returns a line of any path, with the given value, type code and further fields.
    pub(crate) fn injected(
        head: &'a ChunkedText,
        path: &'a str,
        digits: InjectedFields<'a>,
    ) -> Self {
        Self { head, name: path, sign: Sign::None, digits, tail: b"\n" }
    }
}

impl<D: Digits, const TAIL: usize, const INJECTED: bool> Line<'_, D, TAIL, INJECTED> {
    /// Rule for names. An injected path may contain tags.
    const NAME: CharacterRule =
        if INJECTED { CharacterRule::Field } else { CharacterRule::PlainName };

    /// Returns the maximum length in bytes. The line is shorter if its name must be altered and
    /// contains characters of several bytes.
    #[inline(always)]
    fn size(&self) -> usize {
        self.head.len() + self.name.len() + self.size_after_name()
    }

    #[inline(always)]
    fn size_after_name(&self) -> usize {
        ":".len() + self.sign.len() + self.digits.len() + TAIL
    }

    #[inline(always)]
    fn fits(&self, room: &[u8]) -> bool {
        self.size() + MARGIN <= room.len()
    }

    #[inline(always)]
    fn put_after_name(&self, writer: &mut LineWriter<'_>) {
        // Where the size is a constant, this is the only bounds check for all pieces.
        let mut writer = writer.part(self.size_after_name());
        writer.put_byte(b':');
        writer.put_sign(self.sign);
        self.digits.write(&mut writer);
        writer.put_constant(self.tail);
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
        let mut writer = LineWriter::new(room);
        writer.put_chunked(self.head);
        if !writer.put_name(self.name, Self::NAME) {
            return 0;
        }
        self.put_after_name(&mut writer);
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
        let mut writer = LineWriter::new(room);
        writer.put_chunked(self.head);
        let altered = writer.put_sanitized_name(self.name, Self::NAME);
        self.put_after_name(&mut writer);
        WriteOutcome::Line { bytes: room_before - writer.remaining(), altered }
    }
}

impl<D: Digits, const TAIL: usize, const INJECTED: bool> SizedLine for Line<'_, D, TAIL, INJECTED> {
    #[inline(always)]
    fn size(&self) -> usize {
        Self::size(self)
    }
}

/// A single line with a known maximum length.
pub(crate) trait SizedLine: EncodeLine {
    /// Returns the maximum length in bytes.
    fn size(&self) -> usize;
}

/// Value, type code and further fields of an injected line, as the caller wrote them.
#[derive(Clone, Copy)]
pub(crate) struct InjectedFields<'a> {
    value: &'a [u8],
    code: &'a [u8],
}

impl<'a> InjectedFields<'a> {
    /// Returns `None` if a text is empty or contains a control character, or if the value contains
    /// a separator of fields.
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
    fn write(&self, writer: &mut LineWriter<'_>) {
        writer.put(self.value);
        writer.put(b"|");
        writer.put(self.code);
    }
}

//! LineWriter put together in a block: short pieces, copied without a call.

use super::chunked_text::ChunkedText;
use super::clean::{self, CharacterRule};
use super::copy::copy_short;
use super::value::Sign;
use crate::handoff::MARGIN;

/// LineWriter that grows at the front of a room, which is known to be large enough, and [`MARGIN`]
/// bytes larger.
pub struct LineWriter<'a> {
    rest: &'a mut [u8],
}

impl<'a> LineWriter<'a> {
    #[inline(always)]
    pub(super) fn new(room: &'a mut [u8]) -> Self {
        Self { rest: room }
    }

    /// How much room is left, the margin included.
    #[inline(always)]
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes, to be filled.
    #[inline(always)]
    fn next(&mut self, len: usize) -> &mut [u8] {
        let (next, rest) = std::mem::take(&mut self.rest).split_at_mut(len);
        self.rest = rest;
        next
    }

    /// The next `len` bytes, as a text of its own.
    #[inline(always)]
    pub(super) fn part(&mut self, len: usize) -> LineWriter<'_> {
        LineWriter { rest: self.next(len) }
    }

    #[inline(always)]
    pub(super) fn put_byte(&mut self, byte: u8) {
        self.next(1)[0] = byte;
    }

    /// Of a size that is known when this is compiled.
    #[inline(always)]
    pub(super) fn put_constant<const N: usize>(&mut self, piece: &[u8; N]) {
        self.next(N).copy_from_slice(piece);
    }

    /// Of few bytes, usually.
    #[inline(always)]
    pub(super) fn put(&mut self, piece: &[u8]) {
        let to = self.next(piece.len());
        if piece.len() <= 16 {
            copy_short(to, piece);
        } else {
            to.copy_from_slice(piece);
        }
    }

    /// The whole name, and whether it is clean for sure, by a rule that is known when this is compiled.
    #[inline(always)]
    pub(super) fn put_name(&mut self, name: &str, rule: CharacterRule) -> bool {
        clean::copy_surely_clean(rule, self.next(name.len()), name.as_bytes())
    }

    /// The name with what is forbidden replaced; whether anything was.
    pub(super) fn put_cleaned(&mut self, name: &str, rule: CharacterRule) -> bool {
        let (len, altered) = clean::clean(rule, self.rest, name);
        self.next(len);
        altered
    }

    /// A text that is not empty, and whether it is clean for sure.
    #[inline(always)]
    pub(super) fn put_text(&mut self, text: &str, rule: CharacterRule) -> bool {
        let is_clean = clean::copy_surely_clean_by(rule, self.next(text.len()), text.as_bytes());
        is_clean && !text.is_empty()
    }

    /// A text with what is forbidden replaced, and `_` for an empty one; whether it is altered.
    pub(super) fn put_cleaned_text(&mut self, text: &str, rule: CharacterRule) -> bool {
        if text.is_empty() {
            self.put_byte(b'_');
            return true;
        }
        let (len, altered) = clean::clean(rule, self.rest, text);
        self.next(len);
        altered
    }

    #[inline(always)]
    pub(super) fn put_rendered(&mut self, rendered: &ChunkedText) {
        const { assert!(ChunkedText::CHUNK <= MARGIN) };
        let mut to = &mut self.rest[..];
        for chunk in rendered.chunks() {
            let (next, rest) = to.split_at_mut(ChunkedText::CHUNK);
            next.copy_from_slice(chunk);
            to = rest;
        }
        self.next(rendered.len());
    }

    /// WriteOutcome in any case, and kept if there is one: no branch to guess.
    #[inline(always)]
    pub(super) fn put_sign(&mut self, sign: Sign) {
        self.rest[0] = sign as u8;
        self.next(sign.len());
    }

    /// Its whole space is written, and as much of it kept as it is long.
    #[inline(always)]
    pub(super) fn put_short(&mut self, short: ShortText) {
        self.rest[..ShortText::SPACE].copy_from_slice(&short.bytes);
        self.next(short.len());
    }
}

/// Up to four bytes, copied without a look at how many they are.
#[derive(Clone, Copy)]
pub(super) struct ShortText {
    bytes: [u8; Self::SPACE],
    len: u8,
}

impl ShortText {
    const SPACE: usize = 4;

    pub(super) const fn new(text: &str) -> Self {
        let text = text.as_bytes();
        assert!(text.len() <= Self::SPACE);
        let mut bytes = [0; Self::SPACE];
        let mut at = 0;
        while at < text.len() {
            bytes[at] = text[at];
            at += 1;
        }
        Self { bytes, len: text.len() as u8 }
    }

    #[inline(always)]
    pub(super) fn len(self) -> usize {
        self.len.into()
    }
}

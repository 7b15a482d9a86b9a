//! Writes a line into a block in short pieces, which are copied without a call.

use super::chunked_text::ChunkedText;
use super::copy::copy_short;
use super::sanitize::{self, CharacterRule};
use super::short_text::ShortText;
use super::sign::Sign;
use crate::handoff::MARGIN;

/// Writes pieces of text one after the other into a slice.
///
/// The caller has checked that the slice has room for all pieces, and [`MARGIN`] bytes more.
/// Writes of constant size may touch this margin.
pub struct LineWriter<'a> {
    rest: &'a mut [u8],
}

impl<'a> LineWriter<'a> {
    #[inline(always)]
    pub(super) fn new(room: &'a mut [u8]) -> Self {
        Self { rest: room }
    }

    /// Returns the number of unwritten bytes, with the margin.
    #[inline(always)]
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Returns the next `len` bytes, to be overwritten.
    #[inline(always)]
    fn next(&mut self, len: usize) -> &mut [u8] {
        let (next, rest) = std::mem::take(&mut self.rest).split_at_mut(len);
        self.rest = rest;
        next
    }

    /// Returns a writer for exactly the next `len` bytes.
    #[inline(always)]
    pub(super) fn part(&mut self, len: usize) -> LineWriter<'_> {
        LineWriter { rest: self.next(len) }
    }

    #[inline(always)]
    pub(super) fn put_byte(&mut self, byte: u8) {
        self.next(1)[0] = byte;
    }

    /// Writes a piece whose length is known at compile time.
    #[inline(always)]
    pub(super) fn put_constant<const N: usize>(&mut self, piece: &[u8; N]) {
        self.next(N).copy_from_slice(piece);
    }

    /// Writes a piece, which is expected to be short.
    #[inline(always)]
    pub(super) fn put(&mut self, piece: &[u8]) {
        let to = self.next(piece.len());
        if piece.len() <= 16 {
            copy_short(to, piece);
        } else {
            to.copy_from_slice(piece);
        }
    }

    /// Writes a text whose rule is known at compile time. Returns true if it is certainly clean.
    #[inline(always)]
    pub(super) fn put_name(&mut self, name: &str, rule: CharacterRule) -> bool {
        sanitize::copy_if_clean(rule, self.next(name.len()), name.as_bytes())
    }

    /// Writes a text that is not empty. Returns true if it is certainly clean, and false for an
    /// empty one.
    #[inline(always)]
    pub(super) fn put_text(&mut self, text: &str, rule: CharacterRule) -> bool {
        let is_clean = sanitize::copy_if_clean_by(rule, self.next(text.len()), text.as_bytes());
        is_clean && !text.is_empty()
    }

    /// Writes a text with each forbidden character replaced. Returns true if any was.
    pub(super) fn put_sanitized_name(&mut self, name: &str, rule: CharacterRule) -> bool {
        let (len, altered) = sanitize::sanitize(rule, self.rest, name);
        self.next(len);
        altered
    }

    /// Writes a text with each forbidden character replaced, or `_` for an empty one. Returns true
    /// if the text was altered.
    pub(super) fn put_sanitized_text(&mut self, text: &str, rule: CharacterRule) -> bool {
        if text.is_empty() {
            self.put_byte(b'_');
            return true;
        }
        self.put_sanitized_name(text, rule)
    }

    #[inline(always)]
    pub(super) fn put_chunked(&mut self, text: &ChunkedText) {
        const { assert!(ChunkedText::CHUNK <= MARGIN) };
        let mut to = &mut self.rest[..];
        for chunk in text.chunks() {
            let (next, rest) = to.split_at_mut(ChunkedText::CHUNK);
            next.copy_from_slice(chunk);
            to = rest;
        }
        self.next(text.len());
    }

    /// Writes the sign's byte unconditionally and keeps it if there is a sign: this avoids a
    /// branch that may be mispredicted.
    #[inline(always)]
    pub(super) fn put_sign(&mut self, sign: Sign) {
        self.rest[0] = sign as u8;
        self.next(sign.len());
    }

    /// Writes all bytes of the short text, and keeps as many as its length.
    #[inline(always)]
    pub(super) fn put_short(&mut self, short: ShortText) {
        self.rest[..ShortText::CAPACITY].copy_from_slice(&short.bytes);
        self.next(short.len());
    }
}

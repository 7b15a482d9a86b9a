//! Writer that assembles a line from pieces of text. Short pieces are copied without a call of
//! `memcpy`.

use super::chunked_text::ChunkedText;
use super::copy::{copy_first, copy_short};
use super::sanitize::{self, CharacterRule};
use super::short_text::ShortText;
use super::sign::Sign;
use freewheel_handoff::MARGIN;

/// Writer that puts pieces of text one after another into a byte slice.
///
/// The slice has space for all pieces, and [`MARGIN`] bytes more. Writes of constant size may touch
/// this margin. With `SANITIZE`, forbidden characters in texts are replaced; otherwise such a text is
/// an error.
pub struct LineWriter<'a, const SANITIZE: bool = false> {
    rest: &'a mut [u8],
    altered: bool,
}

/// Error of a writer that does not sanitize: a text is empty or may contain a forbidden character.
#[derive(Debug)]
pub struct Unclean;

impl<'a, const SANITIZE: bool> LineWriter<'a, SANITIZE> {
    #[inline(always)]
    pub(crate) fn new(space: &'a mut [u8]) -> Self {
        Self { rest: space, altered: false }
    }

    /// Returns the number of bytes of the destination slice that are not written yet. The number
    /// includes the margin, spare space at the end of the slice for copies of constant size.
    #[inline(always)]
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Returns true if the writer altered a text by sanitizing.
    pub(crate) fn is_altered(&self) -> bool {
        self.altered
    }

    /// Records that the writer altered a text. Returns an error if the writer does not sanitize.
    #[inline(always)]
    pub(super) fn mark_altered(&mut self) -> Result<(), Unclean> {
        if !SANITIZE {
            return Err(Unclean);
        }
        self.altered = true;
        Ok(())
    }

    /// Returns the next `len` bytes of the destination slice for writing, and advances the writer
    /// past these bytes.
    #[inline(always)]
    fn next(&mut self, len: usize) -> &mut [u8] {
        let Some((next, rest)) = std::mem::take(&mut self.rest).split_at_mut_checked(len) else {
            no_space()
        };
        self.rest = rest;
        next
    }

    #[inline(always)]
    pub(super) fn put_byte(&mut self, byte: u8) {
        self.put_constant(&[byte]);
    }

    /// Writes a piece whose length is known at compile time.
    #[inline(always)]
    pub(super) fn put_constant<const N: usize>(&mut self, piece: &[u8; N]) {
        copy_first(self.next(N), *piece);
    }

    /// Writes a piece of text of any length. The function is optimized for at most 16 bytes.
    #[inline(always)]
    pub(super) fn put(&mut self, piece: &[u8]) {
        let to = self.next(piece.len());
        if piece.len() <= 16 {
            copy_short(to, piece);
        } else {
            to.copy_from_slice(piece);
        }
    }

    /// Writes a text, and checks or sanitizes the characters by a rule that is known at compile
    /// time.
    ///
    /// An empty text is unclean. It stays empty if it is sanitized.
    #[inline(always)]
    pub(super) fn put_name(&mut self, name: &str, rule: CharacterRule) -> Result<(), Unclean> {
        if SANITIZE {
            self.sanitize(name, rule);
            Ok(())
        } else {
            let is_clean = sanitize::copy_if_clean(rule, self.next(name.len()), name.as_bytes());
            if is_clean { Ok(()) } else { Err(Unclean) }
        }
    }

    /// Writes a text, and checks or sanitizes the characters by a rule that is known only at run
    /// time.
    ///
    /// An empty text is unclean. It becomes `_` if it is sanitized.
    #[inline(always)]
    pub(super) fn put_text(&mut self, text: &str, rule: CharacterRule) -> Result<(), Unclean> {
        if SANITIZE {
            self.sanitize_text(text, rule);
            Ok(())
        } else {
            let is_clean = sanitize::copy_if_clean_by(rule, self.next(text.len()), text.as_bytes());
            if is_clean { Ok(()) } else { Err(Unclean) }
        }
    }

    #[cold]
    fn sanitize(&mut self, text: &str, rule: CharacterRule) {
        let (len, altered) = sanitize::sanitize(rule, self.rest, text);
        self.next(len);
        self.altered |= altered;
    }

    #[cold]
    fn sanitize_text(&mut self, text: &str, rule: CharacterRule) {
        if text.is_empty() {
            self.put_byte(b'_');
            self.altered = true;
        } else {
            self.sanitize(text, rule);
        }
    }

    /// Writes a precomputed text of any length. Copies a text of at most two chunks (64 bytes each)
    /// in whole chunks. The last chunk may reach into the spare space at the end of the destination
    /// slice.
    #[inline(always)]
    pub(super) fn put_chunked(&mut self, text: &ChunkedText) {
        if text.is_short() {
            self.put_short_chunked(text);
        } else {
            copy_long(self.next(text.len()), text);
        }
    }

    /// Writes a precomputed text of at most two chunks (64 bytes each) by copying whole chunks.
    #[inline(always)]
    pub(super) fn put_short_chunked(&mut self, text: &ChunkedText) {
        const { assert!(ChunkedText::CHUNK <= MARGIN) };
        if text.is_empty() {
        } else if text.len() <= ChunkedText::CHUNK {
            self.put_part_of(text.first(), text.len());
        } else {
            self.put_part_of(text.first(), ChunkedText::CHUNK);
            self.put_part_of(text.second(), text.len() - ChunkedText::CHUNK);
        }
    }

    /// Writes a precomputed text of at most two chunks (64 bytes each). The function is optimized
    /// for at most 16 bytes, a common length of the text after a value.
    #[inline(always)]
    pub(super) fn put_tail(&mut self, text: &ChunkedText) {
        match text.first().first_chunk::<16>() {
            Some(start) if text.len() <= 16 => self.put_part_of(start, text.len()),
            _ => self.put_short_chunked(text),
        }
    }

    /// Copies all `N` bytes of a chunk, but advances the writer by only `len` bytes. The next piece
    /// overwrites the other bytes.
    #[inline(always)]
    fn put_part_of<const N: usize>(&mut self, chunk: &[u8; N], len: usize) {
        let rest = std::mem::take(&mut self.rest);
        let Some(to) = rest.first_chunk_mut::<N>() else { no_space() };
        *to = *chunk;
        self.rest = rest.get_mut(len..).unwrap_or_default();
    }

    /// Writes the sign of a number. The function always copies one byte but advances only if there
    /// is a sign, which avoids a branch that may be mispredicted.
    #[inline(always)]
    pub(super) fn put_sign(&mut self, sign: Sign) {
        self.put_part_of(&[sign as u8], sign.len());
    }

    /// Writes a colon and a sign.
    #[inline(always)]
    pub(super) fn put_colon_and_sign(&mut self, sign: Sign) {
        self.put_part_of(&[b':', sign as u8], 1 + sign.len());
    }

    /// Writes a text of at most four bytes: copies four bytes, and advances the writer by the
    /// length of the text.
    #[inline(always)]
    pub(super) fn put_short(&mut self, short: ShortText) {
        self.put_part_of(&short.bytes, short.len());
    }
}

/// Copies a precomputed text of more than 128 bytes to a slice of the same length.
#[inline(never)]
fn copy_long(to: &mut [u8], text: &ChunkedText) {
    let (first, rest) = to.split_at_mut(ChunkedText::CHUNK);
    let (second, rest) = rest.split_at_mut(ChunkedText::CHUNK);
    first.copy_from_slice(text.first());
    second.copy_from_slice(text.second());
    rest.copy_from_slice(&text.rest().as_flattened()[..rest.len()]);
}

/// Returns the text that `put` writes to a sanitizing writer, and true if sanitizing altered the
/// text. `max_len` is the maximum length of the text in bytes.
pub(super) fn render(
    max_len: usize,
    put: impl FnOnce(&mut LineWriter<'_, true>) -> Result<(), Unclean>,
) -> (ChunkedText, bool) {
    let mut space = vec![0; max_len + MARGIN];
    let capacity = space.len();
    let mut writer = LineWriter::<true>::new(&mut space);
    put(&mut writer).expect("the sanitizing copy never fails");
    let (len, altered) = (capacity - writer.remaining(), writer.is_altered());
    (ChunkedText::new(&space[..len]), altered)
}

/// Panics because a line exceeds its maximum length. Has no arguments, so that the fast path does
/// not prepare any.
#[cold]
#[inline(never)]
fn no_space() -> ! {
    panic!("a line is longer than its maximum length")
}

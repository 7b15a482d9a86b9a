//! Storage for text that many lines share, such as prefixes and tags. The text is rendered once,
//! and stored in chunks of constant size that are fast to copy.

/// A text of any length, stored in chunks of 64 bytes. Zeros fill the rest of the last chunk.
#[derive(Clone)]
pub(crate) struct ChunkedText {
    len: usize,
    first: [u8; Self::CHUNK],
    second: [u8; Self::CHUNK],
    /// Chunks after the first two, for a text of more than 128 bytes.
    rest: Box<[[u8; Self::CHUNK]]>,
}

impl Default for ChunkedText {
    fn default() -> Self {
        Self::new(b"")
    }
}

impl ChunkedText {
    pub(super) const CHUNK: usize = 64;

    pub(crate) fn new(text: &[u8]) -> Self {
        Self::concat(&[text])
    }

    /// Joins pieces of text, and stores the result in chunks of 64 bytes. Allocates only for a
    /// result of more than two chunks.
    pub(super) fn concat(pieces: &[&[u8]]) -> Self {
        let len = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let mut bytes = pieces.iter().copied().flatten().copied();
        let mut chunk = || std::array::from_fn(|_| bytes.next().unwrap_or(0));
        let (first, second) = (chunk(), chunk());
        let further = len.div_ceil(Self::CHUNK).saturating_sub(2);
        Self { len, first, second, rest: (0..further).map(|_| chunk()).collect() }
    }

    /// Renders the text before the metric name of a line: `{prefix}.{type_prefix}.`. Omits an empty
    /// prefix together with its dot.
    pub(crate) fn head(prefix: &str, type_prefix: &str) -> Self {
        let dot = |segment: &str| if segment.is_empty() { "" } else { "." };
        let pieces = [prefix, dot(prefix), type_prefix, dot(type_prefix)];
        Self::concat(&pieces.map(str::as_bytes))
    }

    /// Returns a text that consists of this text and `text`.
    pub(crate) fn followed_by(&self, text: &[u8]) -> Self {
        Self::concat(&[&self.to_vec(), text])
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut all = [&self.first, &self.second, self.rest.as_flattened()].concat();
        all.truncate(self.len);
        all
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the first chunk of this text (64 bytes).
    #[inline(always)]
    pub(super) fn first(&self) -> &[u8; Self::CHUNK] {
        &self.first
    }

    /// Returns the second chunk of this text (64 bytes).
    #[inline(always)]
    pub(super) fn second(&self) -> &[u8; Self::CHUNK] {
        &self.second
    }

    /// Returns true if this text has at most two chunks (128 bytes).
    #[inline(always)]
    pub(super) fn is_short(&self) -> bool {
        self.len <= 2 * Self::CHUNK
    }

    /// Returns the chunks of 64 bytes after the first two.
    #[inline(always)]
    pub(super) fn rest(&self) -> &[[u8; Self::CHUNK]] {
        &self.rest
    }
}

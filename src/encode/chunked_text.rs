//! Text that is the same in many lines. It is rendered and validated once, and stored so that it can
//! be copied in chunks of constant size.

/// A text of any length, in chunks. The last chunk is padded with zeros.
#[derive(Clone)]
pub(crate) struct ChunkedText {
    len: usize,
    first: [u8; Self::CHUNK],
    second: [u8; Self::CHUNK],
    /// The other chunks.
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
        let padded = |text: &[u8]| {
            let mut chunk = [0; Self::CHUNK];
            chunk[..text.len()].copy_from_slice(text);
            chunk
        };
        let mut chunks = text.chunks(Self::CHUNK).map(padded);
        let mut next = || chunks.next().unwrap_or([0; Self::CHUNK]);
        Self { len: text.len(), first: next(), second: next(), rest: chunks.collect() }
    }

    /// Renders the head of a line: `{prefix}.{type_prefix}.`, without empty segments.
    pub(crate) fn head(prefix: &str, type_prefix: &str) -> Self {
        let segments = [prefix, type_prefix].into_iter().filter(|segment| !segment.is_empty());
        let text: String = segments.flat_map(|segment| [segment, "."]).collect();
        Self::new(text.as_bytes())
    }

    /// Returns this text with another one appended.
    pub(crate) fn followed_by(&self, text: &[u8]) -> Self {
        let mut all = self.to_vec();
        all.extend_from_slice(text);
        Self::new(&all)
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

    /// Returns the first chunk.
    #[inline(always)]
    pub(super) fn first(&self) -> &[u8; Self::CHUNK] {
        &self.first
    }

    /// Returns the second chunk.
    #[inline(always)]
    pub(super) fn second(&self) -> &[u8; Self::CHUNK] {
        &self.second
    }

    /// Returns true if the text has at most two chunks.
    #[inline(always)]
    pub(super) fn is_short(&self) -> bool {
        self.len <= 2 * Self::CHUNK
    }

    /// Returns the chunks after the second.
    #[inline(always)]
    pub(super) fn rest(&self) -> &[[u8; Self::CHUNK]] {
        &self.rest
    }
}

//! Text that is the same in many lines. It is rendered and validated once, and stored so that it can
//! be copied in chunks of constant size.

/// A text of any length, stored in chunks. The last chunk is padded with zeros.
#[derive(Clone, Default)]
pub(crate) struct ChunkedText {
    chunks: Box<[[u8; Self::CHUNK]]>,
    len: usize,
}

impl ChunkedText {
    pub(super) const CHUNK: usize = 64;

    pub(crate) fn new(text: &[u8]) -> Self {
        let pad = |text: &[u8]| {
            let mut chunk = [0; Self::CHUNK];
            chunk[..text.len()].copy_from_slice(text);
            chunk
        };
        Self { chunks: text.chunks(Self::CHUNK).map(pad).collect(), len: text.len() }
    }

    /// Renders the head of a line: `{prefix}.{type_prefix}.`, without empty segments.
    pub(crate) fn head(prefix: &str, type_prefix: &str) -> Self {
        let segments = [prefix, type_prefix].into_iter().filter(|segment| !segment.is_empty());
        let text: String = segments.flat_map(|segment| [segment, "."]).collect();
        Self::new(text.as_bytes())
    }

    /// Returns this text with another one appended.
    pub(crate) fn followed_by(&self, text: &[u8]) -> Self {
        Self::new(&[self.bytes(), text].concat())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.chunks.as_flattened()[..self.len]
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline(always)]
    pub(super) fn chunks(&self) -> &[[u8; Self::CHUNK]] {
        &self.chunks
    }
}

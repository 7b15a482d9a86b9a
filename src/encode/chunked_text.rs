//! ChunkedText text: what is the same in many lines, put together and validated once, and laid out
//! to be copied in chunks of a constant size.

/// A text of any length, in chunks.
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

    /// A head: `{prefix}.{kind}.`, without the parts that are empty.
    pub(crate) fn head(prefix: &str, kind: &str) -> Self {
        let segments = [prefix, kind].into_iter().filter(|segment| !segment.is_empty());
        let text: String = segments.flat_map(|segment| [segment, "."]).collect();
        Self::new(text.as_bytes())
    }

    /// With more text behind it.
    pub(crate) fn followed_by(&self, more: &[u8]) -> Self {
        Self::new(&[self.bytes(), more].concat())
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

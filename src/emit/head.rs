//! Heads: what the lines of each kind begin with.

/// Prefix and type prefix, rendered and validated once, and laid out to be copied in chunks of
/// a constant size.
pub(crate) struct Head {
    chunks: Box<[[u8; Self::CHUNK]]>,
    len: usize,
}

impl Head {
    pub(super) const CHUNK: usize = 64;

    /// `{prefix}.{kind}.`, without the parts that are empty.
    pub(crate) fn new(prefix: &str, kind: &str) -> Self {
        let segments = [prefix, kind].into_iter().filter(|segment| !segment.is_empty());
        let text: String = segments.flat_map(|segment| [segment, "."]).collect();
        let pad = |text: &[u8]| {
            let mut chunk = [0; Self::CHUNK];
            chunk[..text.len()].copy_from_slice(text);
            chunk
        };
        Self { chunks: text.as_bytes().chunks(Self::CHUNK).map(pad).collect(), len: text.len() }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(super) fn chunks(&self) -> &[[u8; Self::CHUNK]] {
        &self.chunks
    }
}

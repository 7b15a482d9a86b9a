//! Records: entries of the ordered queue, which keeps the order of records across threads.

/// Entry of the ordered queue: the encoded records of one call, which stay together.
// A slot of the queue is as large as the short variant.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Record {
    Short {
        len: u8,
        bytes: [u8; Record::MAX_SHORT],
    },
    /// Records that are too long for a queue slot, and are stored on the heap.
    Long(Vec<u8>),
}

impl Record {
    /// Maximum length in bytes of a record that is stored in the queue slot itself. Longer records
    /// are stored on the heap.
    pub(crate) const MAX_SHORT: usize = 246;

    /// Size of a slot of the ordered queue in bytes: the record, and one word that the queue adds.
    pub(crate) const SLOT: usize = size_of::<Self>() + size_of::<usize>();

    /// Creates a record that is stored in the queue slot itself, from the first `len` bytes of
    /// `buffer`. The buffer must hold at least [`MAX_SHORT`](Self::MAX_SHORT) bytes.
    #[inline(always)]
    pub(crate) fn short(buffer: &[u8], len: usize) -> Self {
        let mut bytes = [0; Self::MAX_SHORT];
        bytes.copy_from_slice(&buffer[..Self::MAX_SHORT]);
        debug_assert!(len <= Self::MAX_SHORT);
        Self::Short { len: len as u8, bytes }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }
}

const _: () = assert!(Record::SLOT == 256);

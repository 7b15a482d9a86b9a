//! Records: the elements of the ordered queue.

/// The records of one emission. They stay together.
// A slot of the queue is as large as the short variant.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Record {
    Short {
        len: u8,
        bytes: [u8; Record::MAX_SHORT],
    },
    /// Records on the heap.
    Long(Vec<u8>),
}

impl Record {
    /// Maximum length of a record that is stored in the queue itself, in bytes.
    pub(crate) const MAX_SHORT: usize = 246;

    /// Size of a queue slot in bytes: the record, and the queue's own word.
    pub(crate) const SLOT: usize = size_of::<Self>() + size_of::<usize>();

    /// Returns a record of the first `len` bytes of `buffer`, which holds
    /// [`MAX_SHORT`](Self::MAX_SHORT) bytes or more.
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

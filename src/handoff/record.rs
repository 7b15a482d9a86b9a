//! Records: what travels through the ordered queue.

/// One emission: lines that stay together, as they are to be sent.
// The short one is what a slot of the queue is as large as.
#[allow(clippy::large_enum_variant)]
pub(super) enum Record {
    Short {
        len: u8,
        bytes: [u8; Record::SHORT],
    },
    /// In a memory of its own.
    Long(Vec<u8>),
}

impl Record {
    /// The max_line that is kept in the queue itself.
    pub(super) const SHORT: usize = 246;

    /// What a slot of the queue takes: the record and the queue's own word.
    pub(super) const SLOT: usize = size_of::<Self>() + size_of::<usize>();

    /// The first `len` of these bytes, of which there are [`SHORT`](Self::SHORT) at least.
    #[inline(always)]
    pub(super) fn short(room: &[u8], len: usize) -> Self {
        let mut bytes = [0; Self::SHORT];
        bytes.copy_from_slice(&room[..Self::SHORT]);
        debug_assert!(len <= Self::SHORT);
        Self::Short { len: len as u8, bytes }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }
}

const _: () = assert!(Record::SLOT == 256);

//! Texts of up to four bytes, which are copied without a branch on their length.

/// A text of up to four bytes.
#[derive(Clone, Copy)]
pub(super) struct ShortText {
    /// Text, padded with zeros to four bytes.
    pub(super) bytes: [u8; Self::CAPACITY],
    len: u8,
}

impl ShortText {
    pub(super) const CAPACITY: usize = 4;

    pub(super) const fn new(text: &str) -> Self {
        Self::concat(text.as_bytes(), b"")
    }

    /// Joins two pieces, which have at most four bytes in all.
    pub(super) const fn concat(first: &[u8], second: &[u8]) -> Self {
        let len = first.len() + second.len();
        assert!(len <= Self::CAPACITY);
        let mut bytes = [0; Self::CAPACITY];
        let mut at = 0;
        while at < len {
            bytes[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
            at += 1;
        }
        Self { bytes, len: len as u8 }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    #[inline(always)]
    pub(super) fn len(self) -> usize {
        self.len.into()
    }
}

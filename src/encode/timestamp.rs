//! Timestamps: Unix seconds, as DogStatsD has them from version 1.3 on.

use std::time::{SystemTime, UNIX_EPOCH};

/// A second after 1970 began, as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timestamp {
    digits: [u8; 20],
    len: u8,
}

impl Timestamp {
    /// None for what the Agent refuses: the first second of 1970, and all before.
    pub(crate) fn new(time: SystemTime) -> Option<Self> {
        let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
        let in_range = seconds > 0 && i64::try_from(seconds).is_ok();
        in_range.then(|| {
            let mut buffer = itoa::Buffer::new();
            let text = buffer.format(seconds).as_bytes();
            let mut digits = [0; 20];
            digits[..text.len()].copy_from_slice(text);
            Self { digits, len: text.len() as u8 }
        })
    }

    #[inline(always)]
    pub(super) fn text(&self) -> &[u8] {
        &self.digits[..usize::from(self.len)]
    }
}

//! Timestamps of metrics: Unix seconds, which DogStatsD reads since version 1.3.

use std::time::{SystemTime, UNIX_EPOCH};

/// A Unix timestamp in seconds, as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timestamp {
    digits: [u8; 20],
    len: u8,
}

impl Timestamp {
    /// Converts a time to whole Unix seconds. Returns `None` for times that the Datadog Agent
    /// rejects, such as those before 1970-01-01 00:00:01 UTC.
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

//! Warnings, rate-limited by time: one of a kind, then silence for a while.

use std::time::Duration;
use tokio::time::Instant;

const SILENCE: Duration = Duration::from_secs(10);

/// Lets one in [`SILENCE`] through.
#[derive(Default)]
pub(super) struct Limiter {
    last: Option<Instant>,
    held_back: u64,
}

impl Limiter {
    /// Whether to warn now, and how many times it was held back since the last time.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < SILENCE) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_then_silence_for_a_while() {
        let start = Instant::now();
        let mut limiter = Limiter::default();
        assert_eq!(limiter.admit(start), Some(0));
        assert_eq!(limiter.admit(start + SILENCE / 2), None);
        assert_eq!(limiter.admit(start + SILENCE), Some(1));
    }
}

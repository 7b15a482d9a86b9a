//! Warnings, rate-limited by time: one of a kind, then silence for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const SILENCE: Duration = Duration::from_secs(10);

/// One for each kind, kept from one flusher to the next.
#[derive(Default)]
pub(crate) struct Warnings {
    pub(super) link: Limiter,
    pub(super) missing: Limiter,
    pub(super) kept: Limiter,
    pub(super) rejected: Limiter,
}

/// Lets one in [`SILENCE`] through.
#[derive(Default)]
pub(super) struct Limiter(Mutex<State>);

#[derive(Default)]
struct State {
    last: Option<Instant>,
    held_back: u64,
}

impl Limiter {
    /// Whether to warn now, and how many times it was held back since the last time.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.duration_since(last) < SILENCE) {
            state.held_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_then_silence_for_a_while() {
        let start = Instant::now();
        let limiter = Limiter::default();
        assert_eq!(limiter.admit(start), Some(0));
        assert_eq!(limiter.admit(start + SILENCE / 2), None);
        assert_eq!(limiter.admit(start + SILENCE), Some(1));
    }
}

//! Rate limits of the flusher's warnings: after one warning of a kind, further warnings of this
//! kind are suppressed for a while.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Minimum time between two warnings of one kind.
const SILENCE: Duration = Duration::from_secs(10);

/// Rate limiters, one for each kind of warning. They outlive the flusher, so that a restart does
/// not reset them.
#[derive(Default)]
pub(super) struct WarningLimits {
    pub(super) link_failure: RateLimiter,
    pub(super) failed_lookup: RateLimiter,
    pub(super) stalled_server: RateLimiter,
    pub(super) missing_lines: RateLimiter,
    pub(super) kept_lines: RateLimiter,
    pub(super) rejected_line: RateLimiter,
    pub(super) unfinished_stop: RateLimiter,
}

/// Rate limiter that admits at most one event per [`SILENCE`]. It uses no lock, since a forked
/// child could find the lock held forever.
#[derive(Default)]
pub(super) struct RateLimiter {
    /// Time of the first event that the limiter saw.
    first: OnceLock<Instant>,
    /// Time until which further events are suppressed, in nanoseconds since `first`.
    silent_until: AtomicU64,
    suppressed: AtomicU64,
}

impl RateLimiter {
    /// Admits an event, or suppresses it. Returns the number of events suppressed since the last
    /// admitted event, or `None` if this event is suppressed too.
    pub(super) fn admit(&self) -> Option<u64> {
        self.admit_at(now())
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let first = *self.first.get_or_init(|| now);
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let now = now.saturating_duration_since(first);
        let next = nanoseconds(now + SILENCE);
        // ORDERING: Relaxed, here and below. The numbers publish nothing but themselves.
        let until = self.silent_until.load(Relaxed);
        let is_silent = nanoseconds(now) < until;
        // One of two concurrent events is admitted. ORDERING: Relaxed, as above.
        if is_silent || self.silent_until.compare_exchange(until, next, Relaxed, Relaxed).is_err() {
            // ORDERING: Relaxed, as above.
            self.suppressed.fetch_add(1, Relaxed);
            return None;
        }
        // ORDERING: Relaxed, as above.
        Some(self.suppressed.swap(0, Relaxed))
    }
}

/// Returns the time of tokio's clock. A thread in whose destructors tokio's thread-local variables are
/// gone gets that of the system.
fn now() -> Instant {
    match Handle::try_current() {
        Err(error) if error.is_thread_local_destroyed() => {
            Instant::from_std(std::time::Instant::now())
        }
        _ => Instant::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_then_silence_for_a_while() {
        let start = Instant::now();
        let limiter = RateLimiter::default();
        assert_eq!(limiter.admit_at(start), Some(0));
        assert_eq!(limiter.admit_at(start + SILENCE / 2), None);
        assert_eq!(limiter.admit_at(start + SILENCE), Some(1));
    }
}

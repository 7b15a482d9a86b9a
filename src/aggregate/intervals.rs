//! Intervals: the number of the current aggregate interval, by which calls of thinned metrics find that
//! a new one has begun without a look at the clock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Number of the current aggregate interval of a connector. The flusher advances it, while there are
/// thinned metrics.
#[derive(Debug)]
pub(crate) struct Intervals {
    /// Number of the current interval. Each call reads it.
    number: Padded,
    /// Number of the last interval in which a thinned metric was used.
    used: AtomicU64,
    /// Number of thinned metrics.
    metrics: AtomicU64,
}

/// Number in cache lines of its own, so that the writes to its neighbours do not slow its readers down.
#[repr(align(128))]
#[derive(Debug)]
struct Padded(AtomicU64);

impl Default for Intervals {
    fn default() -> Self {
        Self {
            number: Padded(AtomicU64::new(1)),
            used: AtomicU64::new(0),
            metrics: AtomicU64::new(0),
        }
    }
}

impl Intervals {
    /// Returns the number of the current interval.
    #[inline(always)]
    pub(crate) fn number(&self) -> u64 {
        // ORDERING: Relaxed. A thread may see a new interval late; the number publishes nothing.
        self.number.0.load(Relaxed)
    }

    /// Begins the next interval.
    pub(crate) fn advance(&self) {
        // ORDERING: Relaxed. As in `number`.
        self.number.0.fetch_add(1, Relaxed);
    }

    /// Records that a thinned metric was used in the interval `number`. The caller then wakes the
    /// flusher if it is dormant.
    pub(crate) fn mark_used(&self, number: u64) {
        // ORDERING: Relaxed, both. The barrier of dormancy orders the change before the look at the
        // flusher: either it is seen by `is_used`, or the caller finds the flusher dormant. The maximum
        // keeps a thread that is late from hiding the use in a later interval.
        if self.used.load(Relaxed) < number {
            self.used.fetch_max(number, Relaxed);
        }
    }

    /// Returns true if a thinned metric was used in the current interval, so that a next one must begin
    /// before the flusher may become dormant.
    pub(crate) fn is_used(&self) -> bool {
        // ORDERING: Relaxed. As in `mark_used`.
        self.is_needed() && self.used.load(Relaxed) == self.number()
    }

    /// Returns true if there are thinned metrics.
    pub(crate) fn is_needed(&self) -> bool {
        // ORDERING: Relaxed. A number that publishes nothing.
        self.metrics.load(Relaxed) > 0
    }

    /// Counts one more thinned metric.
    pub(crate) fn add_metric(&self) {
        // ORDERING: Relaxed. As in `is_needed`.
        self.metrics.fetch_add(1, Relaxed);
    }

    /// Counts one thinned metric less.
    pub(crate) fn remove_metric(&self) {
        // ORDERING: Relaxed. As in `is_needed`.
        self.metrics.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_counts_until_the_next_interval() {
        let intervals = Intervals::default();
        intervals.add_metric();
        assert!(!intervals.is_used());
        intervals.mark_used(intervals.number());
        assert!(intervals.is_used());
        intervals.advance();
        assert!(!intervals.is_used());
        intervals.mark_used(intervals.number());
        // A thread that is late.
        intervals.mark_used(1);
        assert!(intervals.is_used());
        intervals.remove_metric();
        assert!(!intervals.is_used() && !intervals.is_needed());
    }
}

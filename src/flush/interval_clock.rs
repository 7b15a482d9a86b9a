//! Interval clock: begins a new interval for thinned metrics at each aggregate interval.

use super::drain_schedule::DrainSchedule;
use super::shared::Shared;
use crate::aggregate::Intervals;
use std::sync::Arc;
use tokio::time::Instant;

/// Clock of thinned metrics, which the flusher drives.
///
/// No line has an influence on when an interval begins: a thread would otherwise begin anew more often
/// after a line than without one, and the sum of the weights would have a bias.
pub(super) struct IntervalClock {
    intervals: Arc<Intervals>,
    schedule: DrainSchedule,
}

impl IntervalClock {
    /// Begins the flusher's first interval.
    pub(super) fn new(shared: &Shared) -> Self {
        let intervals = Arc::clone(&shared.intervals);
        intervals.advance();
        Self { intervals, schedule: DrainSchedule::new(shared.settings.aggregate_interval) }
    }

    /// Returns the time at which the next interval begins, or `None` if there is no thinned metric.
    pub(super) fn due(&self) -> Option<Instant> {
        self.intervals.is_needed().then(|| self.schedule.due())
    }

    /// Begins the next interval if its time has come.
    pub(super) fn advance_if_due(&mut self) {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.intervals.advance();
            self.schedule.restart();
        }
    }

    /// Returns true if a thinned metric was used in this interval. The flusher then stays awake until
    /// the next one.
    pub(super) fn is_used(&self) -> bool {
        self.intervals.is_used()
    }

    /// Begins another interval when the flusher becomes dormant. An interval has passed without a call
    /// then, which threads see by their next one.
    pub(super) fn on_dormant(&self) {
        self.intervals.advance();
    }

    /// Sets the beginning of the next interval anew, after the flusher was dormant.
    pub(super) fn restart_schedule(&mut self) {
        self.schedule.restart();
    }
}

/// Begins an interval that lasts until the next flusher starts.
impl Drop for IntervalClock {
    fn drop(&mut self) {
        self.intervals.advance();
    }
}

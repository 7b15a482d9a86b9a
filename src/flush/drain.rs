//! Drain: emits a line of each aggregated metric whose number has changed.

use super::drain_schedule::DrainSchedule;
use super::shared::Shared;
use crate::aggregate::{Emission, Entry, Repeat};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Time after which a drain that found no room is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Aggregated metrics in the hands of the flusher.
pub(super) struct Drain {
    shared: Arc<Shared>,
    metrics: Vec<Drained>,
    schedule: DrainSchedule,
    /// True if the last drain emitted all lines, and no metric was added since.
    is_complete: bool,
}

/// Aggregated metric, with what the flusher remembers of it.
struct Drained {
    entry: Arc<Entry>,
    /// Set for a gauge that was sent, if gauges are sent again.
    repeat: Option<Repeat>,
}

impl Drain {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let schedule = DrainSchedule::new(shared.settings.aggregate_interval);
        Self { shared: Arc::clone(shared), metrics: Vec::new(), schedule, is_complete: true }
    }

    /// Returns the time of the next drain, or `None` if there is no aggregated metric.
    pub(super) fn due(&mut self) -> Option<Instant> {
        self.take_new();
        (!self.metrics.is_empty()).then(|| self.schedule.due())
    }

    /// Sets the time of the next drain anew, after a time without any.
    pub(super) fn restart_schedule(&mut self) {
        self.schedule.restart();
    }

    /// Returns true if the last drain handed on all numbers.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete && !self.shared.aggregates.has_waiting()
    }

    /// Returns true if a number has changed since it was last handed on.
    pub(super) fn has_undrained(&self) -> bool {
        self.shared.aggregates.has_waiting()
            || self.metrics.iter().any(|metric| metric.entry.has_changed())
    }

    /// Returns the number of metrics whose number has changed since it was last handed on.
    pub(super) fn undrained(&mut self) -> u64 {
        self.take_new();
        self.metrics.iter().filter(|metric| metric.entry.has_changed()).count() as u64
    }

    /// Emits the lines of all metrics whose numbers have changed, and of gauges that are due to be sent
    /// again. Removes metrics that are no longer used.
    pub(super) fn run(&mut self) {
        self.take_new();
        let shared = Arc::clone(&self.shared);
        let now = Instant::now();
        let (mut lines, mut is_complete) = (0, true);
        for metric in &mut self.metrics {
            match metric.emit(&shared, now) {
                Emission::Unchanged => {}
                Emission::Done(_) => lines += 1,
                Emission::Refused => is_complete = false,
            }
        }
        for metric in self.metrics.extract_if(.., |metric| metric.entry.is_spent()) {
            shared.aggregates.remove(metric.entry);
        }
        shared.aggregates.count(lines);
        self.is_complete = is_complete;
        self.schedule.restart();
        if !is_complete {
            let retry_at = now + RETRY_AFTER;
            self.schedule.retry_at(retry_at.min(self.schedule.due()));
        }
    }

    fn take_new(&mut self) {
        while let Some(entry) = self.shared.aggregates.take() {
            self.metrics.push(Drained { entry, repeat: None });
            self.is_complete = false;
        }
    }
}

impl Drained {
    fn emit(&mut self, shared: &Shared, now: Instant) -> Emission {
        let emission = self.entry.emit(&shared.exchange);
        let Some(setting) = shared.settings.gauge_repeat else { return emission };
        match emission {
            Emission::Done(value) => self.repeat = value.map(|value| Repeat::of(value, now)),
            Emission::Refused => {}
            Emission::Unchanged => {
                let Some(repeat) = &mut self.repeat else { return emission };
                let Some(value) = repeat.due(setting, now) else { return emission };
                if self.entry.emit_gauge(&shared.exchange, value) {
                    repeat.sent_again(now);
                    return Emission::Done(None);
                }
            }
        }
        emission
    }
}

/// Leaves the metrics to the next flusher.
impl Drop for Drain {
    fn drop(&mut self) {
        for metric in self.metrics.drain(..) {
            self.shared.aggregates.give_back(metric.entry);
        }
    }
}

//! Settings of aggregated metrics.

use super::Builder;
use super::validate::require_duration;
use crate::aggregate::GaugeRepeat;
use crate::error::{BuildError, require};
use std::time::Duration;

/// Minimum aggregate interval. The flusher's timer has a resolution of a millisecond.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
pub(super) struct AggregationOptions {
    pub(super) interval: Duration,
    pub(super) gauge_repeat: Option<GaugeRepeat>,
}

impl Default for AggregationOptions {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), gauge_repeat: None }
    }
}

impl AggregationOptions {
    pub(super) fn validate(&self) -> Result<(), BuildError> {
        require_duration("aggregate_interval", self.interval)?;
        let given = format!("{:?}", self.interval);
        let in_bounds = self.interval >= MIN_INTERVAL;
        require("aggregate_interval", given, in_bounds, "at least 10 milliseconds")?;
        if let Some(GaugeRepeat { every, at_most_for }) = self.gauge_repeat {
            require_duration("gauge_repeat", every)?;
            require_duration("gauge_repeat", at_most_for)?;
        }
        Ok(())
    }
}

impl Builder {
    /// Sets the time between two lines of an [aggregated metric](crate::Metric::aggregate). The default
    /// is one second.
    ///
    /// A server that adds up what it receives in windows of 10 seconds counts most evenly if the
    /// interval divides them. Lines are emitted at multiples of the interval by the system clock, plus
    /// an offset that each connector chooses at random, so that a fleet of processes does not send at
    /// once.
    ///
    /// # Errors
    /// [`build`](Self::build) returns an error unless the interval is between 10 milliseconds and a day.
    pub fn aggregate_interval(mut self, interval: Duration) -> Self {
        self.aggregation.interval = interval;
        self
    }

    /// Sends the last value of each aggregated gauge and level again, `every` so often, for as long as
    /// `at_most_for` after it was last set or changed. The default sends each value once.
    ///
    /// Use it with servers that forget a gauge that they did not receive for a while, or show gaps for
    /// it. The time limit keeps a value that is no longer maintained from looking current for ever.
    ///
    /// # Errors
    /// [`build`](Self::build) returns an error unless both times are more than 0 and at most a day.
    pub fn gauge_repeat(mut self, every: Duration, at_most_for: Duration) -> Self {
        self.aggregation.gauge_repeat = Some(GaugeRepeat { every, at_most_for });
        self
    }
}

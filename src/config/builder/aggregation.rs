//! Settings of aggregated metrics, and of the merging of other lines.

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
    /// Number of contexts for [`Builder::coalesce`], or 0 for none.
    pub(super) max_contexts: usize,
}

impl Default for AggregationOptions {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), gauge_repeat: None, max_contexts: 0 }
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

    /// Merges the lines of metrics that are emitted by name, before they are sent: counts of one counter
    /// are added up, and a gauge keeps its last value. The default is 0: each line is sent as it was
    /// emitted.
    ///
    /// The flusher merges what it takes at once: the lines of at most a [flush
    /// interval](Self::flush_interval), and at most 384 KiB of them. `max_contexts` is the number of
    /// different counters and gauges up to which it does so there, where each set of tags is another
    /// one. The lines of others are sent as they are: none is dropped for it. The calls that emit cost
    /// what they always do, so [aggregated](crate::Metric::aggregate) metrics are cheaper by far for the
    /// caller.
    ///
    /// - **Counters** are added up if their lines are the same but for a whole number within `i64`. A sum
    ///   beyond it begins anew, as does one whose line would exceed a datagram. A sum of 0 is sent, since
    ///   the server may make a counter of it.
    /// - **Gauges** keep the last of the values whose lines are the same but for the number. In dialects
    ///   in which a sign means a change, changes and values below zero are sent as they are, and the last
    ///   value before them too.
    /// - **All other lines are sent as they are**: timings, histograms, distributions, sets, meters, events,
    ///   service checks, and lines with fractions of counts, several values, a sample rate or a timestamp.
    ///
    /// Gauges, service checks and all lines that are not merged keep their
    /// [order](crate::Connector#order). A sum is sent in the place of its first line, so that later
    /// counts overtake the lines between.
    ///
    /// [`Stats::merged`](crate::Stats::merged) counts the lines that were spared. Unlike a line of its
    /// own, a sum is lost as a whole if its datagram is.
    ///
    /// Merged lines take memory beyond the [capacity](Self::queue_capacity): up to about 2 MiB until they
    /// are sent and acknowledged, and less with a small capacity. They are not evicted with
    /// [`WhenFull::DropOldest`](crate::WhenFull::DropOldest). Merging takes up to a few MiB meanwhile.
    pub fn coalesce(mut self, max_contexts: usize) -> Self {
        self.aggregation.max_contexts = max_contexts;
        self
    }
}

//! Creation of aggregated metrics.

use super::{AggregatedCounter, AggregatedGauge, Level, Shared};
use crate::aggregate::Source;
use crate::connector_core::ScopedExchange;
use crate::encode::Tags;
use crate::error::MetricError;
use crate::metric::{Counter, Gauge, Kind, Metric};
use freewheel_handoff::{Latest, Sum};
use std::sync::atomic::AtomicI64;

impl<T: Tags> Metric<'_, Counter, T> {
    /// Prepares an aggregated counter: each call adds to a number, of which the flusher emits one line
    /// for each [aggregate interval](crate::Builder::aggregate_interval).
    ///
    /// This never fails: see [`build`](Self::build). [`try_aggregate`](Self::try_aggregate) returns an
    /// error instead. The [patterns](crate::Builder::sample) of the builder do not sample aggregated
    /// metrics, and a metric with a sample rate or a timestamp cannot be aggregated:
    ///
    /// ```compile_fail,E0599
    /// # use freewheel::{Connector, Counter, SampleRate};
    /// # let statsd = Connector::disabled();
    /// statsd.metric::<Counter>("hits").sample_rate(SampleRate::one_in(10)?).aggregate();
    /// # Ok::<(), freewheel::SampleRateError>(())
    /// ```
    #[must_use = "an aggregated metric emits nothing before it is used"]
    pub fn aggregate(self) -> AggregatedCounter {
        AggregatedCounter::new(self.shared(|| Source::Counter(Sum::new())))
    }

    /// Prepares the counter as [`aggregate`](Self::aggregate) does, or returns an error if its lines
    /// would be altered or dropped.
    ///
    /// # Errors
    /// As [`try_build`](Self::try_build).
    pub fn try_aggregate(self) -> Result<AggregatedCounter, MetricError> {
        self.check_unaltered()?;
        Ok(self.aggregate())
    }
}

impl<T: Tags> Metric<'_, Gauge, T> {
    /// Prepares an aggregated gauge: each call sets a number. The flusher emits a line with the last
    /// one at each [aggregate interval](crate::Builder::aggregate_interval) in which it was set.
    ///
    /// This never fails: see [`build`](Self::build).
    #[must_use = "an aggregated metric emits nothing before it is used"]
    pub fn aggregate(self) -> AggregatedGauge {
        AggregatedGauge::new(self.shared(|| Source::Gauge(Latest::new())))
    }

    /// Prepares the gauge as [`aggregate`](Self::aggregate) does, or returns an error if its lines
    /// would be altered or dropped.
    ///
    /// # Errors
    /// As [`try_build`](Self::try_build).
    pub fn try_aggregate(self) -> Result<AggregatedGauge, MetricError> {
        self.check_unaltered()?;
        Ok(self.aggregate())
    }

    /// Prepares a level: a gauge that goes up and down, and whose value freewheel keeps. The flusher
    /// emits a line with the value at each [aggregate interval](crate::Builder::aggregate_interval) in
    /// which it has changed.
    ///
    /// This never fails: see [`build`](Self::build).
    #[must_use = "an aggregated metric emits nothing before it is used"]
    pub fn aggregate_level(self) -> Level {
        Level::new(self.shared(|| Source::Level(Sum::new(), AtomicI64::new(0))))
    }

    /// Prepares the level as [`aggregate_level`](Self::aggregate_level) does, or returns an error if
    /// its lines would be altered or dropped.
    ///
    /// # Errors
    /// As [`try_build`](Self::try_build).
    pub fn try_aggregate_level(self) -> Result<Level, MetricError> {
        self.check_unaltered()?;
        Ok(self.aggregate_level())
    }
}

impl<K: Kind, T: Tags> Metric<'_, K, T> {
    /// Returns the state of an aggregated metric, or `None` if the connector is disabled.
    fn shared(&self, source: impl FnOnce() -> Source) -> Option<Shared> {
        let core: &ScopedExchange = self.core?;
        let scope = &core.scoped.scope;
        Some(Shared::new(core, source(), &self.spec(scope, None), self.drop_reason(scope)))
    }
}

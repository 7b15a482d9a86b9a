//! Creation of thinned metrics.

use super::{ThinHandle, Thinned};
use crate::encode::Tags;
use crate::error::MetricError;
use crate::metric::{Measured, Metric};

impl<K: Measured, T: Tags> Metric<'_, K, T> {
    /// Prepares a thinned metric: in each [aggregate interval](crate::Builder::aggregate_interval), each
    /// thread emits at most about `per_interval` lines of it. See [`Thinned`] for what is emitted, and
    /// how exact it is. A bound of 0 counts as 1.
    ///
    /// This never fails: see [`build`](Self::build). [`try_thin`](Self::try_thin) returns an error
    /// instead. The call makes up to 60 allocations. The metric takes some 6 KiB.
    ///
    /// The [patterns](crate::Builder::sample) of the builder do not sample thinned metrics, and a metric
    /// with a sample rate cannot be thinned:
    ///
    /// ```compile_fail,E0599
    /// # use freewheel::{Connector, Timing, SampleRate};
    /// # let statsd = Connector::disabled();
    /// statsd.metric::<Timing>("render").sample_rate(SampleRate::new(0.5)?).thin(100);
    /// # Ok::<(), freewheel::SampleRateError>(())
    /// ```
    #[must_use = "a thinned metric emits nothing before a value is given"]
    pub fn thin(self, per_interval: u32) -> Thinned<K> {
        let Some(core) = self.core else { return Thinned::new(ThinHandle::Disabled) };
        let scope = &core.scoped.scope;
        let reason = self.drop_reason(scope);
        Thinned::new(ThinHandle::new(core, per_interval, &self.spec(scope, None), reason))
    }

    /// Prepares the metric as [`thin`](Self::thin) does, or returns an error if its lines would be
    /// altered or dropped.
    ///
    /// # Errors
    /// As [`try_build`](Self::try_build).
    pub fn try_thin(self, per_interval: u32) -> Result<Thinned<K>, MetricError> {
        self.check_unaltered()?;
        Ok(self.thin(per_interval))
    }
}

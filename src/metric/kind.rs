//! Kinds of metrics, such as counters and gauges, and what each of them supports.

use crate::encode::SampleRate;
use crate::options::Dialect;

/// Kind of metric: [`Counter`](crate::Counter), [`Gauge`](crate::Gauge), [`Timing`](crate::Timing),
/// [`Histogram`](crate::Histogram), [`Distribution`](crate::Distribution), [`Set`](crate::Set) or
/// [`Meter`](crate::Meter).
///
/// This trait is sealed.
pub trait Kind: sealed::Sealed {}

/// Metric kinds that can be sampled: all except gauges and sets.
///
/// This trait is sealed.
pub trait Sampled: Kind {}

/// Metric kinds whose values a server describes by their distribution, and that can be
/// [thinned](crate::Metric::thin): timings, histograms and distributions.
///
/// This trait is sealed.
pub trait Measured: Sampled {}

/// Metric kinds that can have a timestamp in DogStatsD: counters and gauges.
///
/// This trait is sealed.
pub trait Timestamped: Kind {}

impl SampleRate {
    /// Returns the rate at which metrics of kind `K` are sampled in `dialect`, which may be lower
    /// than this rate. Lines carry the returned rate: see [What is sent](Self#what-is-sent).
    ///
    /// ```
    /// use freewheel::{Counter, Dialect, SampleRate, Timing};
    ///
    /// let rate = SampleRate::new(0.7)?;
    /// assert_eq!(rate.effective_rate::<Counter>(Dialect::DogStatsD), 0.7);
    /// assert_eq!(rate.effective_rate::<Timing>(Dialect::DogStatsD), 0.5);
    /// assert_eq!(rate.rate(), 0.7);
    /// # Ok::<(), freewheel::SampleRateError>(())
    /// ```
    #[must_use]
    pub fn effective_rate<K: Sampled>(self, dialect: Dialect) -> f64 {
        self.effective(dialect.samples_one_in_n(K::TYPE)).rate()
    }
}

pub(crate) mod sealed {
    use crate::encode::MetricType;
    use crate::metric::handle::Handle;

    /// Supertrait that seals `Kind`: code outside the crate cannot name this trait, and so cannot
    /// implement `Kind`.
    #[allow(private_interfaces, unnameable_types)]
    pub trait Sealed: Sized {
        const TYPE: MetricType;
        /// True for kinds of metrics that can be sampled: those that are
        /// [`Sampled`](super::Sampled).
        const SAMPLED: bool;
        fn from(handle: Handle) -> Self;
    }
}

/// Implements the trait `Kind` and its helpers for the type of a prepared metric, such as
/// `Counter`.
macro_rules! kind {
    ($kind:ident, sampled: $sampled:literal) => {
        impl crate::metric::Kind for $kind {}
        #[allow(private_interfaces)]
        impl crate::metric::kind::sealed::Sealed for $kind {
            const TYPE: crate::encode::MetricType = crate::encode::MetricType::$kind;
            const SAMPLED: bool = $sampled;
            fn from(handle: crate::metric::handle::Handle) -> Self {
                Self(handle)
            }
        }
        impl $kind {
            #[inline(always)]
            fn record_measurement(
                &self,
                measurement: impl crate::metric::measurement::Measurement,
            ) {
                self.0.dispatch(measurement);
            }
        }
        impl std::fmt::Debug for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($kind), "({:?})"), self.0)
            }
        }
    };
}

/// Defines the same methods, such as `incr`, for a prepared metric and for a metric that is emitted
/// at once.
macro_rules! calls {
    ($kind:ident { $($calls:tt)* }) => {
        impl $kind { $($calls)* }
        impl<T: crate::encode::Tags, M> crate::metric::Metric<'_, $kind, T, M> { $($calls)* }
    };
}

pub(super) use {calls, kind};

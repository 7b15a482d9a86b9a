//! Kinds: what a metric can be.

use crate::encode::{Dialect, SampleRate};

/// A kind of metric: [`Counter`](crate::Counter), [`Gauge`](crate::Gauge),
/// [`Timing`](crate::Timing), [`Histogram`](crate::Histogram),
/// [`Distribution`](crate::Distribution), [`Set`](crate::Set) or [`Meter`](crate::Meter).
///
/// This trait is sealed.
pub trait Kind: sealed::Sealed {}

/// Kinds of which a part of the lines stands for all: all but gauges and sets.
///
/// This trait is sealed.
pub trait Sampled: Kind {}

/// Kinds that DogStatsD takes with a timestamp: counters and gauges.
///
/// This trait is sealed.
pub trait Timestamped: Kind {}

impl SampleRate {
    /// The rate at which the lines of this kind are drawn in this dialect, as they say it: see
    /// [What is sent](Self#what-is-sent).
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

    /// Cannot be named outside, which is what seals `Kind`.
    #[allow(private_interfaces, unnameable_types)]
    pub trait Sealed: Sized {
        const TYPE: MetricType;
        /// Whether it is [`Sampled`](super::Sampled).
        const SAMPLED: bool;
        fn from(handle: Handle) -> Self;
    }
}

/// Makes a type the handle of a prepared metric of this kind.
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
        impl crate::metric::measurement::Recorder for $kind {
            #[inline(always)]
            fn record_measurement(
                &self,
                measurement: impl crate::metric::measurement::Measurement,
            ) {
                self.0.record_measurement(measurement);
            }
        }
        impl std::fmt::Debug for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($kind), "({:?})"), self.0)
            }
        }
    };
}

/// The same calls for a prepared metric and for one that is emitted at once.
macro_rules! calls {
    ($kind:ident { $($calls:tt)* }) => {
        impl $kind { $($calls)* }
        impl<T: crate::encode::Tags> crate::metric::Metric<'_, $kind, T> { $($calls)* }
    };
}

pub(super) use {calls, kind};

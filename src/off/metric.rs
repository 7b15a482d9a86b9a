//! Metrics whose calls do nothing.

use super::{Connector, SampleRate};
use crate::options::Cardinality;
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

pub use crate::error::MetricError;

pub trait Kind: sealed::Sealed {}

pub trait Sampled: Kind {}

pub trait Measured: Sampled {}

pub trait Timestamped: Kind {}

pub trait Value: sealed::Value {}

pub trait Integer: Value + sealed::Integer {}

pub trait Tags: sealed::Tags {}

/// Traits that seal others: code outside of the crate cannot name them.
#[allow(unnameable_types)]
mod sealed {
    pub trait Sealed: Sized {
        const NEW: Self;
    }
    pub trait Value: Copy {}
    pub trait Integer: Copy {}
    pub trait Tags: Copy {}
}

#[derive(Clone, Copy, Debug, Default)]
pub struct NoTags;

#[derive(Clone, Copy, Debug)]
pub struct Tagged<'a, Rest> {
    rest: Rest,
    tag: PhantomData<&'a str>,
}

impl Tags for NoTags {}
impl sealed::Tags for NoTags {}
impl<Rest: Tags> Tags for Tagged<'_, Rest> {}
impl<Rest: sealed::Tags> sealed::Tags for Tagged<'_, Rest> {}

macro_rules! values {
    ($($type:ident)*) => {$(
        impl Value for $type {}
        impl sealed::Value for $type {}
    )*};
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl Integer for $type {}
        impl sealed::Integer for $type {}
    )*};
}

integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

values!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64);

#[must_use = "nothing is emitted before a value is given"]
pub struct Metric<'a, K, T = NoTags, M = AnyMode> {
    tags: T,
    name: PhantomData<&'a str>,
    kind: PhantomData<fn() -> (K, M)>,
}

#[derive(Clone, Copy, Debug)]
pub enum AnyMode {}

#[derive(Clone, Copy, Debug)]
pub enum EachCall {}

impl<K: Kind> Metric<'_, K, NoTags> {
    pub(super) fn new() -> Self {
        Self { tags: NoTags, name: PhantomData, kind: PhantomData }
    }
}

impl<'a, K: Kind, T: Tags, M> Metric<'a, K, T, M> {
    pub fn tag(self, key: &'a str, value: &'a str) -> Metric<'a, K, Tagged<'a, T>, M> {
        let tags = Tagged { rest: self.tags, tag: PhantomData };
        Metric { tags, name: PhantomData, kind: PhantomData }
    }

    pub fn sample_rate(self, rate: SampleRate) -> Metric<'a, K, T, EachCall>
    where
        K: Sampled,
    {
        self.for_each_call()
    }

    pub fn timestamp(self, time: SystemTime) -> Metric<'a, K, T, EachCall>
    where
        K: Timestamped,
    {
        self.for_each_call()
    }

    fn for_each_call(self) -> Metric<'a, K, T, EachCall> {
        Metric { tags: self.tags, name: PhantomData, kind: PhantomData }
    }

    pub fn cardinality(self, cardinality: Cardinality) -> Self {
        self
    }

    #[must_use = "a prepared metric emits nothing before a value is given"]
    pub fn build(self) -> K {
        K::NEW
    }

    pub fn try_build(self) -> Result<K, MetricError> {
        Ok(self.build())
    }
}

impl<K: Kind, T: Tags, M> fmt::Debug for Metric<'_, K, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metric(disabled)")
    }
}

/// Defines a kind of metric, with the same methods for a prepared metric and for one that is emitted
/// at once.
macro_rules! kind {
    ($kind:ident: $($property:ident),* { $($calls:tt)* }) => {
        #[derive(Clone)]
        pub struct $kind(());

        impl Kind for $kind {}
        impl sealed::Sealed for $kind {
            const NEW: Self = Self(());
        }
        $(impl $property for $kind {})*
        impl $kind { $($calls)* }
        impl<T: Tags, M> Metric<'_, $kind, T, M> { $($calls)* }
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($kind), "(disabled)"))
            }
        }
    };
}

kind!(Counter: Sampled, Timestamped {
    #[inline]
    pub fn incr(&self) {}
    #[inline]
    pub fn incr_by(&self, amount: impl Value) {}
    #[inline]
    pub fn decr(&self) {}
    #[inline]
    pub fn decr_by(&self, amount: impl Value) {}
});

kind!(Gauge: Timestamped {
    #[inline]
    pub fn set(&self, value: impl Value) {}
    #[inline]
    pub fn change_by(&self, delta: impl Value) {}
});

kind!(Timing: Sampled, Measured {
    #[inline]
    pub fn record(&self, elapsed: Duration) {}
    #[inline]
    pub fn record_seconds(&self, seconds: f64) {}
});

kind!(Histogram: Sampled, Measured {
    #[inline]
    pub fn record(&self, value: impl Value) {}
});

kind!(Distribution: Sampled, Measured {
    #[inline]
    pub fn record(&self, value: impl Value) {}
});

kind!(Set: {
    #[inline]
    pub fn insert(&self, member: &str) {}
});

kind!(Meter: Sampled {
    #[inline]
    pub fn mark(&self, amount: impl Value) {}
});

impl Timing {
    #[inline]
    pub fn start(&self) -> Timer<'_> {
        Timer(PhantomData)
    }
}

/// Defines the handle of an aggregated metric.
macro_rules! aggregated {
    ($name:ident { $($calls:tt)* }) => {
        #[derive(Clone)]
        pub struct $name(());

        impl $name { $($calls)* }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(disabled)"))
            }
        }
    };
}

aggregated!(AggregatedCounter {
    #[inline]
    pub fn incr(&self) {}
    #[inline]
    pub fn incr_by(&self, amount: impl Integer) {}
    #[inline]
    pub fn decr(&self) {}
    #[inline]
    pub fn decr_by(&self, amount: impl Integer) {}
});

aggregated!(AggregatedGauge {
    #[inline]
    pub fn set(&self, value: impl Value) {}
});

aggregated!(Level {
    #[inline]
    pub fn add(&self, amount: impl Integer) {}
    #[inline]
    pub fn sub(&self, amount: impl Integer) {}
    pub fn set(&self, value: impl Integer) {}
    #[must_use]
    pub fn value(&self) -> i64 {
        0
    }
});

pub struct Thinned<K>(PhantomData<fn() -> K>);

impl<K> Clone for Thinned<K> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl Thinned<Timing> {
    #[inline]
    pub fn record(&self, elapsed: Duration) {}
    #[inline]
    pub fn record_seconds(&self, seconds: f64) {}
    #[inline]
    pub fn start(&self) -> Timer<'_> {
        Timer(PhantomData)
    }
}

impl Thinned<Histogram> {
    #[inline]
    pub fn record(&self, value: impl Value) {}
}

impl Thinned<Distribution> {
    #[inline]
    pub fn record(&self, value: impl Value) {}
}

impl<K: Kind> fmt::Debug for Thinned<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thinned(disabled)")
    }
}

impl<K: Measured, T: Tags> Metric<'_, K, T> {
    #[must_use = "a thinned metric emits nothing before a value is given"]
    pub fn thin(self, per_interval: u32) -> Thinned<K> {
        Thinned(PhantomData)
    }

    pub fn try_thin(self, per_interval: u32) -> Result<Thinned<K>, MetricError> {
        Ok(self.thin(per_interval))
    }
}

impl<T: Tags> Metric<'_, Counter, T> {
    #[must_use = "an aggregated metric emits nothing before it is used"]
    pub fn aggregate(self) -> AggregatedCounter {
        AggregatedCounter(())
    }

    pub fn try_aggregate(self) -> Result<AggregatedCounter, MetricError> {
        Ok(self.aggregate())
    }
}

impl<T: Tags> Metric<'_, Gauge, T> {
    #[must_use = "an aggregated metric emits nothing before it is used"]
    pub fn aggregate(self) -> AggregatedGauge {
        AggregatedGauge(())
    }

    pub fn try_aggregate(self) -> Result<AggregatedGauge, MetricError> {
        Ok(self.aggregate())
    }

    #[must_use = "an aggregated metric emits nothing before it is used"]
    pub fn aggregate_level(self) -> Level {
        Level(())
    }

    pub fn try_aggregate_level(self) -> Result<Level, MetricError> {
        Ok(self.aggregate_level())
    }
}

#[must_use = "the time ends when the guard is dropped"]
pub struct Timer<'a>(PhantomData<&'a Connector>);

impl Timer<'_> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }

    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    pub fn discard(self) {}
}

impl fmt::Debug for Timer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timer(disabled)")
    }
}

/// The drop does nothing. It exists since the client's timer has one, so that a borrow that ends before
/// the timer is refused in both builds.
impl Drop for Timer<'_> {
    fn drop(&mut self) {}
}

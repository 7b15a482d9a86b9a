#![doc = include_str!("guide.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Without the client, nothing reads the options.
#![cfg_attr(not(feature = "client"), allow(dead_code))]

#[cfg(feature = "client")]
mod aggregate;
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
#[cfg(feature = "client")]
mod config;
#[cfg(feature = "client")]
mod connector;
#[cfg(feature = "client")]
mod connector_core;
pub mod dogstatsd;
#[cfg(feature = "client")]
mod emit;
#[cfg(feature = "client")]
mod encode;
mod error;
#[cfg(feature = "client")]
mod flush;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "client")]
mod lifecycle;
#[cfg(feature = "client")]
mod line_tally;
#[cfg(feature = "client")]
mod log_thread;
#[cfg(feature = "client")]
pub mod metric;
mod names;
#[cfg(not(feature = "client"))]
mod off;
mod options;
#[cfg(feature = "client")]
mod prefault;
mod stats;
mod tally;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;

#[cfg(doc)]
#[doc = include_str!("../docs/servers.md")]
pub mod servers {}

/// Documents whose examples run as doc tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/coming-from.md")]
    mod coming_from {}
}

pub use {
    error::{BuildError, FlushError, StartError},
    options::{
        Cardinality, Delivery, Dialect, DogStatsDVersion, Endpoint, Framing, Protocol, WhenFull,
    },
    stats::{Aggregated, Drops, Losses, Stats, StopReport},
    tally::Tally,
};

#[cfg(not(feature = "client"))]
pub use off::{Builder, Connector, SampleRate, SampleRateError, Settings, metric};
#[cfg(feature = "client")]
pub use {
    config::{Builder, Settings},
    connector::Connector,
    encode::{SampleRate, SampleRateError},
};

#[doc(inline)]
pub use metric::{
    AggregatedCounter, AggregatedGauge, Counter, Distribution, Gauge, Histogram, Level, Meter,
    Metric, MetricError, Set, Thinned, Timer, Timing,
};

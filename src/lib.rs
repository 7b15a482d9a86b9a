#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
mod config;
mod connector;
mod connector_core;
pub mod dogstatsd;
mod emit;
mod encode;
mod error;
mod flush;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod lifecycle;
mod log_thread;
pub mod metric;
mod names;
mod options;
mod prefault;
mod stats;
mod tally;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;

#[cfg(doc)]
#[doc = include_str!("../DESIGN.md")]
pub mod design {}

#[cfg(doc)]
#[doc = include_str!("../FAULTS.md")]
pub mod faults {}

pub use {
    config::{Builder, Endpoint, Settings},
    connector::Connector,
    encode::{Cardinality, Dialect, DogStatsDVersion, SampleRate, SampleRateError},
    error::{BuildError, FlushError, StartError},
    options::{Delivery, Framing, Protocol, WhenFull},
    stats::{Drops, Losses, Stats, StopReport},
    tally::Tally,
};

#[doc(inline)]
pub use metric::{
    Counter, Distribution, Gauge, Histogram, Meter, Metric, MetricError, Set, Timer, Timing,
};

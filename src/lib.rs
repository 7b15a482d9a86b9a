#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unreachable_pub, unused_imports))]

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
#[cfg(feature = "tokio")]
mod builder;
#[cfg(feature = "tokio")]
mod config;
#[cfg(feature = "tokio")]
mod connector;
#[cfg(feature = "tokio")]
mod connector_core;
#[cfg(feature = "tokio")]
pub mod dogstatsd;
mod encode;
#[cfg(feature = "tokio")]
mod endpoint;
#[cfg(feature = "tokio")]
mod environment;
mod error;
#[cfg(all(fuzzing, feature = "tokio"))]
#[doc(hidden)]
pub mod fuzzing;
mod handoff;
#[cfg(feature = "tokio")]
mod lifecycle;
#[cfg(all(loom, feature = "__loom"))]
#[doc(hidden)]
pub use handoff::loom_api;
#[cfg(feature = "tokio")]
pub mod metric;
mod names;
#[cfg(feature = "tokio")]
mod options;
#[cfg(feature = "tokio")]
mod send;
#[cfg(feature = "tokio")]
mod settings;
#[cfg(feature = "tokio")]
mod stats;
mod sync;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;
#[cfg(feature = "tokio")]
mod waiting;

#[cfg(doc)]
#[doc = include_str!("../DESIGN.md")]
pub mod design {}

#[cfg(doc)]
#[doc = include_str!("../FAULTS.md")]
pub mod faults {}

#[cfg(feature = "tokio")]
pub use {
    builder::Builder,
    connector::Connector,
    encode::{Cardinality, Dialect, DogStatsDVersion, SampleRate, SampleRateError},
    endpoint::Endpoint,
    error::{BuildError, FlushError, StartError},
    handoff::Tally,
    options::{Delivery, Framing, Protocol, WhenFull},
    settings::Settings,
    stats::{Drops, Losses, Stats, StopReport},
};

#[cfg(feature = "tokio")]
#[doc(inline)]
pub use metric::{
    Counter, Distribution, Gauge, Histogram, Meter, Metric, MetricError, Set, Timer, Timing,
};

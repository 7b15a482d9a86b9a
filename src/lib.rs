#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unreachable_pub, unused_imports))]

#[cfg(feature = "tokio")]
mod connector;
mod emit;
#[cfg(feature = "tokio")]
mod endpoint;
#[cfg(feature = "tokio")]
mod error;
#[cfg(all(fuzzing, feature = "tokio"))]
#[doc(hidden)]
pub mod fuzzing;
mod handoff;
#[cfg(feature = "tokio")]
mod lifecycle;
#[cfg(all(loom, feature = "__loom"))]
#[doc(hidden)]
pub mod model;
#[cfg(feature = "tokio")]
mod send;
#[cfg(feature = "tokio")]
mod settings;
#[cfg(feature = "tokio")]
mod stats;
mod sync;
#[cfg(feature = "tokio")]
mod timer;

#[cfg(doc)]
#[doc = include_str!("../DESIGN.md")]
pub mod design {}

#[cfg(doc)]
#[doc = include_str!("../FAULTS.md")]
pub mod faults {}

#[cfg(feature = "tokio")]
pub use {
    connector::Connector,
    emit::Value,
    error::{BuildError, StartError},
    handoff::Tally,
    settings::{Builder, Delivery, Framing, Protocol, WhenFull},
    stats::{Drops, FlushOutcome, Losses, Stats, StopReport},
    timer::Timer,
};

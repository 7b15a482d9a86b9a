//! Events and service checks, which DogStatsD has in addition to metrics.
//!
//! They are intended for a few calls a minute, and not for the hot path: each call allocates. In
//! dialects without events and service checks, they are dropped and counted as unsupported.
//!
//! # Tags
//!
//! In tags of events and service checks, `|`, `,` and control characters become `_`. In keys, `:`
//! becomes `_` too. An empty key or value becomes `_`.

#[cfg(feature = "client")]
mod calls;
#[cfg(feature = "client")]
mod datadog_env;
mod event;
#[cfg(feature = "client")]
mod origin;
#[cfg(feature = "client")]
mod rendered_line;
mod service_check;

pub use event::{AlertType, Event, Priority};
pub use service_check::{ServiceCheck, Status};

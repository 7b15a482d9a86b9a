//! Configuration: settings, environment variables, the builder, and the validated result.
//!
//! [`Settings`] reads the environment and fills a [`Builder`]. The builder validates all settings
//! together, and returns the configuration of the producer threads and of the flusher.

mod builder;
mod environment;
mod settings;
mod validated;

pub use builder::Builder;
pub use settings::Settings;

pub(crate) use builder::MAX_ORIGIN_FIELD;
pub(crate) use environment::Variables;
pub(crate) use validated::{CoalescingConfig, FlusherConfig, FlusherThread, ProducerConfig};

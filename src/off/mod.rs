//! The public interface without the feature `client`: every call does nothing.
//!
//! A library can call freewheel everywhere and leave the choice to the application. Without the
//! client it has no dependencies, and its calls are empty functions. `cargo xtask interface` compares
//! this interface with that of the client, item by item.
//!
//! The documentation is at the items of the client.
#![allow(missing_docs)]
// The parameters have the client's names, and nothing uses them.
#![allow(unused_variables)]

mod builder;
mod connector;
pub mod metric;
mod sample_rate;
mod settings;

pub use builder::Builder;
pub use connector::Connector;
pub use sample_rate::{SampleRate, SampleRateError};
pub use settings::Settings;

//! Encoding: from a call's arguments to the bytes of a line, in place.
//!
//! `Value` is sealed by a trait that nobody outside can name, nor what it is made of.
//!
//! Nothing here allocates, waits, or knows where the bytes go.
#![allow(unnameable_types)]

mod copy;
mod decimal;
mod head;
mod line;
mod name;
mod text;
mod value;

pub(crate) use head::Head;
pub(crate) use line::{BelowZero, Injected, Invalid, Line};
pub use value::Value;
pub(crate) use value::{Number, Scratch, Sign, milliseconds, seconds_as_milliseconds};

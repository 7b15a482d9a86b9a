//! Encoding: from a call's arguments to the bytes of a line, in place.
//!
//! Nothing here allocates, waits, or knows where the bytes go.

mod decimal;
mod line;
mod name;
mod value;

pub(crate) use decimal::Decimal;
pub(crate) use line::{INVALID, Line, Sign, is_code, is_value};
pub use value::Value;
pub(crate) use value::{Scratch, duration_in_milliseconds, seconds_in_milliseconds};

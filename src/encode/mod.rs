//! Encoding: from a call's arguments to the bytes of a line, in place.
//!
//! `Value` and `Tags` are sealed by traits that nobody outside can name, nor what they are made of.
//!
//! Nothing here allocates while a line is written, waits, or knows where the bytes go.
#![allow(unnameable_types)]

mod clean;
mod copy;
mod decimal;
mod dialect;
mod field;
mod line;
mod pattern;
mod prepared;
mod rendered;
mod sample;
mod scope;
mod tagged_line;
mod tags;
mod text;
mod timestamp;
mod value;

pub(crate) use decimal::Digits;
pub use dialect::{Cardinality, Dialect, DogStatsDVersion};
pub(crate) use dialect::{Numbers, Type};
pub(crate) use field::{Field, Member};
pub(crate) use line::{BelowZero, Injected, Invalid, Line, Unsupported, ZERO};
pub(crate) use pattern::{Pattern, Sampling};
pub(crate) use prepared::{Altered, Prepared, PreparedLine, Whole};
pub(crate) use rendered::Rendered;
pub(crate) use sample::Chance;
pub use sample::{SampleRate, SampleRateError};
pub(crate) use scope::{Origin, Scope};
pub(crate) use tagged_line::{LineSpec, OptionalFields, TaggedLine};
pub use tags::{NoTags, Tagged, Tags};
pub(crate) use timestamp::Timestamp;
pub use value::Value;
pub(crate) use value::{Number, Scratch, Sign, milliseconds, seconds_as_milliseconds};

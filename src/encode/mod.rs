//! Encoding: from a call's arguments to the bytes of a line, in place.
//!
//! `Value` and `Tags` are sealed by traits that nobody outside can name, nor what they are made of.
//!
//! Nothing here allocates while a line is written, waits, or knows where the bytes go.
#![allow(unnameable_types)]

mod chunked_text;
mod clean;
mod copy;
mod decimal;
mod dialect;
mod line;
mod line_writer;
mod pattern;
mod sample;
mod scope;
mod tagged_line;
mod tags;
mod template;
mod timestamp;
mod value;
mod value_field;

pub(crate) use chunked_text::ChunkedText;
pub(crate) use decimal::Digits;
pub(crate) use dialect::{AcceptedNumbers, MetricType};
pub use dialect::{Cardinality, Dialect, DogStatsDVersion};
pub(crate) use line::{InjectedFields, InvalidLine, Line, NegativeGauge, UnsupportedLine, ZERO};
pub(crate) use pattern::{Pattern, SamplingRules};
pub(crate) use sample::EffectiveRate;
pub use sample::{SampleRate, SampleRateError};
pub(crate) use scope::{OriginFields, Scope};
pub(crate) use tagged_line::{LineSpec, OptionalFields, TaggedLine};
pub use tags::{NoTags, Tagged, Tags};
pub(crate) use template::{AlteredLine, ConstantLine, LineTemplate, PreparedLine};
pub(crate) use timestamp::Timestamp;
pub use value::Value;
pub(crate) use value::{Number, Scratch, Sign, milliseconds, seconds_as_milliseconds};
pub(crate) use value_field::{SetMember, ValueField};

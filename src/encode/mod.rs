//! Encoding of metrics: turns the arguments of a call into the bytes of a StatsD line, directly in
//! the destination buffer.
//!
//! Encoding never allocates and never blocks. It does not know where the bytes are sent.
//!
//! `Value` and `Tags` are sealed: their supertraits, and the types that these mention, cannot be
//! named outside the crate.
#![allow(unnameable_types)]

mod accepted_numbers;
mod chunked_text;
mod copy;
mod decimal;
mod encode_line;
mod lanes;
mod line;
mod line_format;
mod line_writer;
mod metric_type;
mod pattern;
mod properties;
mod random;
mod sample;
mod sanitize;
mod scope;
mod short_text;
mod sign;
mod tagged_line;
mod tags;
mod template;
mod timestamp;
mod value;
mod value_field;

pub(crate) use accepted_numbers::AcceptedNumbers;
pub(crate) use chunked_text::ChunkedText;
pub(crate) use decimal::Digits;
pub(crate) use encode_line::EncodeLine;
pub(crate) use line::{InjectedLine, Line};
pub(crate) use line_format::{LineFormat, is_misread};
pub(crate) use line_writer::LineWriter;
pub(crate) use metric_type::MetricType;
pub(crate) use pattern::{Pattern, SamplingRules};
pub(crate) use properties::{CharacterRules, MAX_THINNING_LEVEL};
pub(crate) use random::number as random_number;
pub(crate) use sample::EffectiveRate;
pub use sample::{SampleRate, SampleRateError};
pub(crate) use scope::{OriginFields, Scope};
pub(crate) use tagged_line::{LineSpec, OptionalFields, TaggedLine};
pub use tags::{NoTags, Tagged, Tags};
pub(crate) use template::{ConstantLine, LineTemplate, PreparedLine};
pub(crate) use timestamp::Timestamp;
pub use value::{Integer, Value};
pub(crate) use value::{Number, Scratch, milliseconds, seconds_as_milliseconds};
pub(crate) use value_field::{ONE, SetMember, ValueField, ZERO};

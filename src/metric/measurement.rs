//! Measurements: the values of all calls, with the rules for each.
//!
//! A value is formatted only once it is known that its line is emitted. Calls by name, metrics and
//! prepared handles share these rules; each of them writes its own lines.

use crate::encode::{Digits, Number, Scratch, Sign, Value, milliseconds, seconds_as_milliseconds};
use std::time::Duration;

/// The target of a call: a metric, or a prepared handle.
pub(crate) trait Recorder {
    fn record_measurement(&self, measurement: impl Measurement);
}

/// Writes the numbers of one metric as lines.
pub(crate) trait NumberWriter {
    /// Writes one line.
    fn write(&self, number: Number<impl Digits>);

    /// Writes one line that keeps its order across threads, as the values of gauges do.
    fn write_ordered(&self, number: Number<impl Digits>);

    /// Writes the two lines that set a gauge below zero, in dialects where a sign means a delta.
    fn write_below_zero(&self, number: Number<impl Digits>);

    /// Writes the number 1.
    #[inline(always)]
    fn write_one(&self) {
        self.write(ONE);
    }

    /// Returns true if the dialect takes a gauge's value with a sign for a delta.
    fn has_deltas(&self) -> bool;

    /// Returns true if servers of the dialect read this number correctly.
    fn accepts(&self, number: &Number<impl Digits>) -> bool;

    /// Counts a line as dropped because its value is invalid.
    fn drop_invalid(&self);

    /// Counts a line as dropped because the dialect does not support it.
    fn drop_unsupported(&self);
}

/// Writes the values of one metric of any kind, members of sets included.
pub(crate) trait MetricWriter: NumberWriter {
    /// Writes the member of a set.
    fn write_member(&self, member: &str);
}

/// The number 1.
pub(super) const ONE: Number<&'static [u8; 1]> = Number { sign: Sign::None, digits: b"1" };

/// The value of one call.
pub(crate) trait Measurement: Copy {
    fn write_to(self, writer: &impl MetricWriter);
}

/// A measurement that is a number.
pub(crate) trait NumericMeasurement: Copy {
    fn write_to(self, writer: &impl NumberWriter);
}

impl<M: NumericMeasurement> Measurement for M {
    #[inline(always)]
    fn write_to(self, writer: &impl MetricWriter) {
        NumericMeasurement::write_to(self, writer);
    }
}

/// The number 1, formatted in advance.
#[derive(Clone, Copy)]
pub(crate) struct One;

impl NumericMeasurement for One {
    #[inline(always)]
    fn write_to(self, writer: &impl NumberWriter) {
        writer.write_one();
    }
}

/// A number that is sent unchanged.
#[derive(Clone, Copy)]
pub(crate) struct Amount<V>(pub(crate) V);

impl<V: Value> NumericMeasurement for Amount<V> {
    #[inline(always)]
    fn write_to(self, writer: &impl NumberWriter) {
        let mut scratch = Scratch::new();
        write_accepted(writer, self.0.format(&mut scratch));
    }
}

/// A number that is subtracted from a counter.
#[derive(Clone, Copy)]
pub(crate) struct Negated<V>(pub(crate) V);

impl<V: Value> NumericMeasurement for Negated<V> {
    #[inline(always)]
    fn write_to(self, writer: &impl NumberWriter) {
        let mut scratch = Scratch::new();
        write_accepted(writer, self.0.format(&mut scratch).map(Number::negated));
    }
}

/// Writes the number, or counts the line as dropped.
#[inline(always)]
fn write_accepted(writer: &impl NumberWriter, number: Option<Number<impl Digits>>) {
    match number {
        Some(number) if !writer.accepts(&number) => writer.drop_unsupported(),
        Some(number) => writer.write(number),
        None => writer.drop_invalid(),
    }
}

/// The new value of a gauge.
#[derive(Clone, Copy)]
pub(crate) struct Absolute<V>(pub(crate) V);

impl<V: Value> NumericMeasurement for Absolute<V> {
    #[inline(always)]
    fn write_to(self, writer: &impl NumberWriter) {
        let mut scratch = Scratch::new();
        match self.0.format(&mut scratch) {
            Some(number) if number.is_negative() && writer.has_deltas() => {
                writer.write_below_zero(number);
            }
            Some(number) => writer.write_ordered(number),
            None => writer.drop_invalid(),
        }
    }
}

/// The change of a gauge.
#[derive(Clone, Copy)]
pub(crate) struct Delta<V>(pub(crate) V);

impl<V: Value> NumericMeasurement for Delta<V> {
    #[inline(always)]
    fn write_to(self, writer: &impl NumberWriter) {
        let mut scratch = Scratch::new();
        match self.0.format(&mut scratch) {
            _ if !writer.has_deltas() => writer.drop_unsupported(),
            Some(number) => writer.write_ordered(number.signed()),
            None => writer.drop_invalid(),
        }
    }
}

/// A duration, in milliseconds on the line.
#[derive(Clone, Copy)]
pub(crate) struct DurationValue(pub(crate) Duration);

impl NumericMeasurement for DurationValue {
    #[inline(always)]
    fn write_to(self, writer: &impl NumberWriter) {
        let mut scratch = Scratch::new();
        writer.write(milliseconds(self.0, &mut scratch));
    }
}

/// A duration in seconds, in milliseconds on the line.
#[derive(Clone, Copy)]
pub(crate) struct Seconds(pub(crate) f64);

impl NumericMeasurement for Seconds {
    #[inline(always)]
    fn write_to(self, writer: &impl NumberWriter) {
        let mut scratch = Scratch::new();
        match seconds_as_milliseconds(self.0, &mut scratch) {
            Some(number) => writer.write(number),
            None => writer.drop_invalid(),
        }
    }
}

/// The member of a set.
#[derive(Clone, Copy)]
pub(crate) struct SetMember<'a>(pub(crate) &'a str);

impl Measurement for SetMember<'_> {
    #[inline(always)]
    fn write_to(self, writer: &impl MetricWriter) {
        writer.write_member(self.0);
    }
}

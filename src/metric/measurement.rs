//! Measurements: the values that calls emit, such as a number or a duration, with the rules for
//! sending each of them.
//!
//! A value is formatted only once it is known that its line is emitted. Calls by name, metrics and
//! prepared handles share these rules. Each of them is a [`Target`], which makes the lines.

use crate::emit::{Exchange, drop_invalid, drop_unsupported, emit, emit_ordered};
use crate::encode::{
    CharacterRules, Digits, EncodeLine, Number, Scratch, Value, ValueField, ZERO, milliseconds,
    seconds_as_milliseconds,
};
use std::time::Duration;

/// Metric that emits a line for each measurement (the value of one call).
pub(crate) trait Target {
    /// Encodable line of the metric with a value of type `F`.
    type Line<F: ValueField>: EncodeLine;
    /// Encodable line of the metric with the value 1.
    type One: EncodeLine;

    fn exchange(&self) -> &Exchange;

    fn line<F: ValueField>(&self, field: F) -> Self::Line<F>;

    /// Returns the metric's line with the value 1.
    fn one(&self) -> Self::One;

    /// Returns true if servers of the dialect read a gauge value with a sign, such as `-3`, as a
    /// change of the gauge.
    fn has_deltas(&self) -> bool;

    /// Returns true if servers of the dialect read `number` correctly as a value of the metric.
    fn accepts(&self, number: &Number<impl Digits>) -> bool;

    /// Returns the dialect's rules for the characters in members of sets.
    fn rules(&self) -> &CharacterRules;
}

/// Value of one call, such as a number or a duration, which can be written to any metric.
pub(crate) trait Measurement: Copy {
    fn write_to(self, target: &impl Target);
}

/// Number 1 as the value of one call, formatted in advance.
#[derive(Clone, Copy)]
pub(crate) struct One;

impl Measurement for One {
    #[inline(always)]
    fn write_to(self, target: &impl Target) {
        emit(target.exchange(), target.one());
    }
}

/// Number that one call emits, which is sent unchanged.
#[derive(Clone, Copy)]
pub(crate) struct Amount<V>(pub(crate) V);

impl<V: Value> Measurement for Amount<V> {
    #[inline(always)]
    fn write_to(self, target: &impl Target) {
        let mut scratch = Scratch::new();
        write_accepted(target, self.0.format(&mut scratch));
    }
}

/// Number that one call subtracts from a counter. It is sent with the opposite sign.
#[derive(Clone, Copy)]
pub(crate) struct Negated<V>(pub(crate) V);

impl<V: Value> Measurement for Negated<V> {
    #[inline(always)]
    fn write_to(self, target: &impl Target) {
        let mut scratch = Scratch::new();
        write_accepted(target, self.0.format(&mut scratch).map(Number::negated));
    }
}

/// Emits the metric's line with `number` as the value. Counts the line as dropped if the number is
/// invalid (`None`), or if the dialect does not support it.
#[inline(always)]
fn write_accepted(target: &impl Target, number: Option<Number<impl Digits>>) {
    match number {
        Some(number) if !target.accepts(&number) => drop_unsupported(target.exchange()),
        Some(number) => emit(target.exchange(), target.line(number)),
        None => drop_invalid(target.exchange(), 1),
    }
}

/// New value that one call sets a gauge to.
#[derive(Clone, Copy)]
pub(crate) struct Absolute<V>(pub(crate) V);

impl<V: Value> Measurement for Absolute<V> {
    #[inline(always)]
    fn write_to(self, target: &impl Target) {
        let mut scratch = Scratch::new();
        match self.0.format(&mut scratch) {
            Some(number) if number.is_negative() && target.has_deltas() => {
                // Servers read a signed value as a delta. The first line therefore sets the gauge to
                // 0, and the second line lowers it.
                emit_ordered(target.exchange(), (target.line(ZERO), target.line(number)));
            }
            Some(number) => emit_ordered(target.exchange(), target.line(number)),
            None => drop_invalid(target.exchange(), 1),
        }
    }
}

/// Difference by which one call changes a gauge.
#[derive(Clone, Copy)]
pub(crate) struct Delta<V>(pub(crate) V);

impl<V: Value> Measurement for Delta<V> {
    #[inline(always)]
    fn write_to(self, target: &impl Target) {
        let mut scratch = Scratch::new();
        match self.0.format(&mut scratch) {
            _ if !target.has_deltas() => drop_unsupported(target.exchange()),
            Some(number) => emit_ordered(target.exchange(), target.line(number.signed())),
            None => drop_invalid(target.exchange(), 1),
        }
    }
}

/// Duration that one call records, which is sent in milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct DurationValue(pub(crate) Duration);

impl Measurement for DurationValue {
    #[inline(always)]
    fn write_to(self, target: &impl Target) {
        let mut scratch = Scratch::new();
        emit(target.exchange(), target.line(milliseconds(self.0, &mut scratch)));
    }
}

/// Duration in seconds that one call records, which is sent in milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct Seconds(pub(crate) f64);

impl Measurement for Seconds {
    #[inline(always)]
    fn write_to(self, target: &impl Target) {
        let mut scratch = Scratch::new();
        match seconds_as_milliseconds(self.0, &mut scratch) {
            Some(number) => emit(target.exchange(), target.line(number)),
            None => drop_invalid(target.exchange(), 1),
        }
    }
}

/// Member that one call inserts into a set.
#[derive(Clone, Copy)]
pub(crate) struct SetMember<'a>(pub(crate) &'a str);

impl Measurement for SetMember<'_> {
    #[inline(always)]
    fn write_to(self, target: &impl Target) {
        let rules = target.rules();
        emit(target.exchange(), target.line(crate::encode::SetMember { text: self.0, rules }));
    }
}

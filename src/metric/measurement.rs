//! What the calls of all kinds come to: a value as the caller has it, which is formatted only once
//! it is known that a line is emitted.

use crate::encode::{
    Digits, Number, Scope, Scratch, SetMember, Sign, Value, ValueField, milliseconds,
    seconds_as_milliseconds,
};
use std::time::Duration;

/// Writes lines of one metric.
pub(crate) trait Emit {
    fn field(&self, field: impl ValueField);

    /// The value of a gauge, whose lines keep their order across threads.
    fn level(&self, field: impl ValueField);

    /// A gauge below zero, in dialects where a sign would change it.
    fn below_zero(&self, field: impl ValueField);

    /// The number 1.
    #[inline(always)]
    fn one(&self) {
        self.field(ONE);
    }

    /// What its lines have in common.
    fn scope(&self) -> &Scope;

    /// Whether servers read this number as it is meant.
    fn accepts(&self, number: &Number<impl Digits>) -> bool;

    /// Counts a line that cannot be.
    fn invalid(&self);

    /// Counts a line that cannot be in this dialect.
    fn unsupported(&self);
}

pub(super) const ONE: Number<&'static [u8; 1]> = Number { sign: Sign::None, digits: b"1" };

pub(crate) trait Measurement: Copy {
    fn emit(self, by: &impl Emit);
}

#[derive(Clone, Copy)]
pub(crate) struct One;

impl Measurement for One {
    #[inline(always)]
    fn emit(self, by: &impl Emit) {
        by.one();
    }
}

/// A number as it is.
#[derive(Clone, Copy)]
pub(crate) struct Amount<V>(pub(crate) V);

impl<V: Value> Measurement for Amount<V> {
    #[inline(always)]
    fn emit(self, by: &impl Emit) {
        let mut scratch = Scratch::new();
        match self.0.format(&mut scratch) {
            Some(number) if !by.accepts(&number) => by.unsupported(),
            Some(number) => by.field(number),
            None => by.invalid(),
        }
    }
}

/// The number, subtracted.
#[derive(Clone, Copy)]
pub(crate) struct Negated<V>(pub(crate) V);

impl<V: Value> Measurement for Negated<V> {
    #[inline(always)]
    fn emit(self, by: &impl Emit) {
        let mut scratch = Scratch::new();
        match self.0.format(&mut scratch).map(Number::negated) {
            Some(number) if !by.accepts(&number) => by.unsupported(),
            Some(number) => by.field(number),
            None => by.invalid(),
        }
    }
}

/// What a gauge is set to.
#[derive(Clone, Copy)]
pub(crate) struct Absolute<V>(pub(crate) V);

impl<V: Value> Measurement for Absolute<V> {
    #[inline(always)]
    fn emit(self, by: &impl Emit) {
        let mut scratch = Scratch::new();
        match self.0.format(&mut scratch) {
            Some(number) if number.is_negative() && by.scope().has_gauge_deltas() => {
                by.below_zero(number)
            }
            Some(number) => by.level(number),
            None => by.invalid(),
        }
    }
}

/// What a gauge is changed by.
#[derive(Clone, Copy)]
pub(crate) struct Delta<V>(pub(crate) V);

impl<V: Value> Measurement for Delta<V> {
    #[inline(always)]
    fn emit(self, by: &impl Emit) {
        let mut scratch = Scratch::new();
        match self.0.format(&mut scratch) {
            _ if !by.scope().has_gauge_deltas() => by.unsupported(),
            Some(number) => by.level(number.signed()),
            None => by.invalid(),
        }
    }
}

/// A time, in milliseconds on the line.
#[derive(Clone, Copy)]
pub(crate) struct DurationValue(pub(crate) Duration);

impl Measurement for DurationValue {
    #[inline(always)]
    fn emit(self, by: &impl Emit) {
        let mut scratch = Scratch::new();
        by.field(milliseconds(self.0, &mut scratch));
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Seconds(pub(crate) f64);

impl Measurement for Seconds {
    #[inline(always)]
    fn emit(self, by: &impl Emit) {
        let mut scratch = Scratch::new();
        match seconds_as_milliseconds(self.0, &mut scratch) {
            Some(number) => by.field(number),
            None => by.invalid(),
        }
    }
}

/// Of a set.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a>(pub(crate) &'a str);

impl Measurement for Element<'_> {
    #[inline(always)]
    fn emit(self, by: &impl Emit) {
        by.field(SetMember { text: self.0, scope: by.scope() });
    }
}

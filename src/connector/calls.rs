//! Calls that emit, by name.

use super::Connector;
use crate::connector_core::ScopedExchange;
use crate::encode::{AlteredLine, InjectedFields, Line, Value};
use crate::metric::{
    Absolute, Amount, Counter, Delta, Distribution, DurationValue, Gauge, Histogram, Meter,
    Negated, One, Seconds, Set, Timer, Timing, record,
};
use std::time::Duration;

impl Connector {
    /// Counts one.
    #[inline]
    pub fn incr(&self, name: &str) {
        record::<Counter>(&self.0, name, One);
    }

    /// Counts `amount`, which may be negative or fractional (in `Influx`
    /// [whole](crate::Dialect#variant.Influx) alone).
    #[inline]
    pub fn incr_by(&self, name: &str, amount: impl Value) {
        record::<Counter>(&self.0, name, Amount(amount));
    }

    /// Counts one down.
    #[inline]
    pub fn decr(&self, name: &str) {
        self.decr_by(name, 1);
    }

    /// Counts `amount` down: `decr_by(name, 2)` sends `-2`.
    #[inline]
    pub fn decr_by(&self, name: &str, amount: impl Value) {
        record::<Counter>(&self.0, name, Negated(amount));
    }

    /// Sets a gauge.
    ///
    /// Servers take a signed value for a delta, but for those of DogStatsD. So a number below zero is
    /// sent as two lines, `0` and then the number; they always travel in one datagram.
    #[inline]
    pub fn gauge(&self, name: &str, value: impl Value) {
        record::<Gauge>(&self.0, name, Absolute(value));
    }

    /// Raises a gauge by `delta`, or lowers it where that is negative. May be fractional. In dialects
    /// that [have it](crate::Dialect).
    #[inline]
    pub fn gauge_delta(&self, name: &str, delta: impl Value) {
        record::<Gauge>(&self.0, name, Delta(delta));
    }

    /// Records how long something took, in milliseconds, exact to the nanosecond.
    #[inline]
    pub fn timing(&self, name: &str, elapsed: Duration) {
        record::<Timing>(&self.0, name, DurationValue(elapsed));
    }

    /// Records how many seconds something took; sent as milliseconds with the digits that
    /// `seconds` has. What is negative or not finite is dropped and counted as invalid.
    #[inline]
    pub fn timing_seconds(&self, name: &str, seconds: f64) {
        record::<Timing>(&self.0, name, Seconds(seconds));
    }

    /// Begins a timing that is recorded when the guard is dropped, also by a panic.
    #[inline]
    pub fn timer<'a>(&'a self, name: &'a str) -> Timer<'a> {
        Timer::named(&self.0, name)
    }

    /// Records a value of a histogram. In dialects that [have some](crate::Dialect).
    #[inline]
    pub fn histogram(&self, name: &str, value: impl Value) {
        self.metric::<Histogram>(name).record(value);
    }

    /// Records a value of a distribution. In dialects that [have some](crate::Dialect).
    #[inline]
    pub fn distribution(&self, name: &str, value: impl Value) {
        self.metric::<Distribution>(name).record(value);
    }

    /// Puts a member into a set, of which the server counts the different ones. It may be any text;
    /// what the [dialect](crate::Dialect#clean-input) forbids is replaced by `_`.
    #[inline]
    pub fn set(&self, name: &str, member: &str) {
        self.metric::<Set>(name).insert(member);
    }

    /// Counts `amount` of what a meter tells the rate of. In dialects that
    /// [have some](crate::Dialect).
    #[inline]
    pub fn meter(&self, name: &str, amount: impl Value) {
        self.metric::<Meter>(name).mark(amount);
    }

    /// Sends `{prefix.}{path}:{value}|{type_code}`: for what the other calls do not offer.
    ///
    /// `:`, `|` and control characters of the path become `_`, and in DogStatsD it begins neither an event
    /// nor a service check; all else stays as it is, also what separates tags, and the `=` that ends a name at
    /// netdata: it is not for names that come from outside. A value with `:`, `|` or a control character is
    /// dropped and counted as invalid, as is an empty one. The type code may be followed by
    /// further fields (`c|@0.1`): only control characters are refused there. No tags are added to it,
    /// nor anything else, whatever the dialect.
    pub fn inject_metric(&self, path: &str, value: &str, type_code: &str) {
        if let Some(inner) = self.inner() {
            inner.inject(path, value, type_code);
        }
    }
}

impl ScopedExchange {
    fn inject(&self, path: &str, value: &str, code: &str) {
        let Some(digits) = InjectedFields::new(value, code) else { return self.drop_invalid() };
        let scope = &self.scoped.scope;
        let head = scope.untyped_head();
        // Or it would be an event, if that is what its path begins like.
        let first = if head.is_empty() { scope.leading_path(path) } else { path };
        let line = || Line::injected(head, first, digits);
        let is_gauge = code == "g" || code.starts_with("g|");
        match (scope.is_path_altered() || first.len() < path.len(), is_gauge) {
            (false, false) => self.exchange.emit(line),
            (false, true) => self.exchange.emit_ordered(line),
            (true, false) => self.exchange.emit(|| AlteredLine(line())),
            (true, true) => self.exchange.emit_ordered(|| AlteredLine(line())),
        }
    }
}

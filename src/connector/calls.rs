//! Methods of a connector that emit a metric by its name.

use super::Connector;
use crate::connector_core::ScopedExchange;
use crate::encode::{AlteredLine, InjectedFields, Line, Value};
use crate::metric::{
    Absolute, Amount, Counter, Delta, Distribution, DurationValue, Gauge, Histogram, Meter,
    Negated, Seconds, Set, Timer, Timing, record, record_one,
};
use std::time::Duration;

impl Connector {
    /// Counts one.
    #[inline]
    pub fn incr(&self, name: &str) {
        record_one(&self.0, name);
    }

    /// Counts `amount`, which may be negative or fractional. In `Influx` it must be an
    /// [integer](crate::Dialect#variant.Influx).
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
    /// Servers take a signed value for a delta, except in DogStatsD. So a number below zero is sent as two
    /// lines, `0` and then the number, which always share one datagram.
    #[inline]
    pub fn gauge(&self, name: &str, value: impl Value) {
        record::<Gauge>(&self.0, name, Absolute(value));
    }

    /// Changes a gauge by `delta`, which may be negative or fractional. Requires a dialect that
    /// [supports deltas](crate::Dialect).
    #[inline]
    pub fn gauge_delta(&self, name: &str, delta: impl Value) {
        record::<Gauge>(&self.0, name, Delta(delta));
    }

    /// Records a duration, in milliseconds, exact to the nanosecond.
    #[inline]
    pub fn timing(&self, name: &str, elapsed: Duration) {
        record::<Timing>(&self.0, name, DurationValue(elapsed));
    }

    /// Records a duration in seconds, sent as milliseconds with the digits of `seconds`. A negative or
    /// non-finite number is dropped and counted as invalid.
    #[inline]
    pub fn timing_seconds(&self, name: &str, seconds: f64) {
        record::<Timing>(&self.0, name, Seconds(seconds));
    }

    /// Starts a timer, which records its duration when the guard is dropped, also by a panic.
    #[inline]
    pub fn timer<'a>(&'a self, name: &'a str) -> Timer<'a> {
        Timer::named(&self.0, name)
    }

    /// Records a value of a histogram. Requires a dialect that [supports them](crate::Dialect).
    #[inline]
    pub fn histogram(&self, name: &str, value: impl Value) {
        self.metric::<Histogram>(name).record(value);
    }

    /// Records a value of a distribution. Requires a dialect that [supports them](crate::Dialect).
    #[inline]
    pub fn distribution(&self, name: &str, value: impl Value) {
        self.metric::<Distribution>(name).record(value);
    }

    /// Inserts a member, which may be any text, into a set. The server counts the distinct members.
    /// Characters that the [dialect](crate::Dialect#clean-input) forbids are replaced by `_`.
    #[inline]
    pub fn set(&self, name: &str, member: &str) {
        self.metric::<Set>(name).insert(member);
    }

    /// Counts `amount` events of a meter. Requires a dialect that [supports meters](crate::Dialect).
    #[inline]
    pub fn meter(&self, name: &str, amount: impl Value) {
        self.metric::<Meter>(name).mark(amount);
    }

    /// Sends `{prefix.}{path}:{value}|{type_code}`, for metrics that the other calls cannot express.
    ///
    /// `:`, `|` and control characters in the path become `_`. In DogStatsD the path cannot begin an event or
    /// a service check. All other characters stay, including separators of tags and the `=` that ends a
    /// name in netdata: do not pass untrusted names.
    ///
    /// An empty value, or one with `:`, `|` or a control character, is dropped and counted as invalid. Further
    /// fields may follow the type code (`c|@0.1`); it must not contain control characters. No dialect adds
    /// tags or other fields to the line.
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
        // Without a head, a path could begin like an event.
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

//! Methods of a connector that emit a metric by its name.

use super::Connector;
use crate::connector_core::ScopedExchange;
use crate::emit::{drop_invalid, emit, emit_ordered};
use crate::encode::{InjectedLine, Value};
use crate::metric::{
    Absolute, Amount, Counter, Delta, Distribution, DurationValue, Gauge, Histogram, Meter,
    Negated, One, Seconds, Set, SetMember, Timer, Timing, record,
};
use std::time::Duration;

impl Connector {
    /// Counts one.
    #[inline]
    pub fn incr(&self, name: &str) {
        record::<Counter>(&self.0, name, One);
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
        record::<Histogram>(&self.0, name, Amount(value));
    }

    /// Records a value of a distribution. Requires a dialect that [supports them](crate::Dialect).
    #[inline]
    pub fn distribution(&self, name: &str, value: impl Value) {
        record::<Distribution>(&self.0, name, Amount(value));
    }

    /// Inserts a member, which may be any text, into a set. The server counts the distinct members.
    /// Characters that the [dialect](crate::Dialect#clean-input) forbids are replaced by `_`.
    #[inline]
    pub fn set(&self, name: &str, member: &str) {
        record::<Set>(&self.0, name, SetMember(member));
    }

    /// Counts `amount` events of a meter. Requires a dialect that [supports meters](crate::Dialect).
    #[inline]
    pub fn meter(&self, name: &str, amount: impl Value) {
        record::<Meter>(&self.0, name, Amount(amount));
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
        let Self { exchange, scoped } = self;
        let head = scoped.scope.untyped_head();
        // Without a head, a path could begin like an event.
        let leading = if head.is_empty() { scoped.scope.leading_path(path) } else { path };
        let altered = scoped.scope.is_path_altered() || leading.len() < path.len();
        let Some(line) = InjectedLine::new(head, leading, value, code, altered) else {
            return drop_invalid(exchange, 1);
        };
        if code == "g" || code.starts_with("g|") {
            emit_ordered(exchange, line);
        } else {
            emit(exchange, line);
        }
    }
}

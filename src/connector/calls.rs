//! Methods of a connector (the StatsD client) that emit a metric by its name.

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
    /// Adds 1 to the counter `name`.
    #[inline]
    pub fn incr(&self, name: &str) {
        record::<Counter>(&self.0, name, One);
    }

    /// Adds `amount`, which may be negative or fractional, to the counter `name`. In the dialect
    /// `Influx`, the amount must be an [integer](crate::Dialect#variant.Influx).
    #[inline]
    pub fn incr_by(&self, name: &str, amount: impl Value) {
        record::<Counter>(&self.0, name, Amount(amount));
    }

    /// Subtracts 1 from the counter `name`.
    #[inline]
    pub fn decr(&self, name: &str) {
        self.decr_by(name, 1);
    }

    /// Subtracts `amount` from the counter `name`: `decr_by(name, 2)` sends `-2`.
    #[inline]
    pub fn decr_by(&self, name: &str, amount: impl Value) {
        record::<Counter>(&self.0, name, Negated(amount));
    }

    /// Sets the gauge `name` to `value`.
    ///
    /// Servers take a signed value for a delta, except in DogStatsD. So a number below zero is sent as two
    /// lines, `0` and then the number, which always share one datagram.
    #[inline]
    pub fn gauge(&self, name: &str, value: impl Value) {
        record::<Gauge>(&self.0, name, Absolute(value));
    }

    /// Changes the gauge `name` by `delta`, which may be negative or fractional. Requires a dialect
    /// that [supports deltas](crate::Dialect).
    #[inline]
    pub fn gauge_delta(&self, name: &str, delta: impl Value) {
        record::<Gauge>(&self.0, name, Delta(delta));
    }

    /// Records the duration `elapsed` as a timing in milliseconds, exact to the nanosecond.
    #[inline]
    pub fn timing(&self, name: &str, elapsed: Duration) {
        record::<Timing>(&self.0, name, DurationValue(elapsed));
    }

    /// Records a duration given in seconds, and sends it in milliseconds with no digit rounded. A
    /// negative or non-finite number is dropped and counted as invalid, and so is one whose
    /// milliseconds exceed an `f64`.
    #[inline]
    pub fn timing_seconds(&self, name: &str, seconds: f64) {
        record::<Timing>(&self.0, name, Seconds(seconds));
    }

    /// Starts a timer for the timing `name`. The returned guard records the elapsed time when it is
    /// dropped, also during a panic.
    #[inline]
    pub fn timer<'a>(&'a self, name: &'a str) -> Timer<'a> {
        Timer::named(&self.0, name)
    }

    /// Records a value of the histogram `name`. Requires a dialect that
    /// [supports histograms](crate::Dialect).
    #[inline]
    pub fn histogram(&self, name: &str, value: impl Value) {
        record::<Histogram>(&self.0, name, Amount(value));
    }

    /// Records a value of the distribution `name`. Requires a dialect that
    /// [supports distributions](crate::Dialect).
    #[inline]
    pub fn distribution(&self, name: &str, value: impl Value) {
        record::<Distribution>(&self.0, name, Amount(value));
    }

    /// Inserts a member, which may be any text, into the set `name`. Characters that the
    /// [dialect](crate::Dialect#clean-input) forbids are replaced by `_`.
    ///
    /// The server counts the distinct members.
    #[inline]
    pub fn set(&self, name: &str, member: &str) {
        record::<Set>(&self.0, name, SetMember(member));
    }

    /// Counts `amount` events of the meter `name`. Requires a dialect that
    /// [supports meters](crate::Dialect).
    #[inline]
    pub fn meter(&self, name: &str, amount: impl Value) {
        record::<Meter>(&self.0, name, Amount(amount));
    }

    /// Emits the line `{prefix.}{path}:{value}|{type_code}`, for metrics that the other methods
    /// cannot express.
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

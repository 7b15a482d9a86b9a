//! The calls that emit, by name.
//!
//! With the plain dialect each is a function of its own, which writes a head, a name, a value and a
//! type, and costs nothing for what it does not do. All else goes the way of a
//! [`Metric`](crate::Metric).

use super::{Connector, Inner};
use crate::encode::{
    AlteredLine, InjectedFields, InvalidLine, Line, MetricType, NegativeGauge, Number, Scratch,
    Sign, Value, ZERO, milliseconds, seconds_as_milliseconds,
};
use crate::metric::{
    Absolute, Amount, Counter, Delta, Distribution, DurationValue, Gauge, Histogram, Kind,
    Measurement, Meter, Negated, One, Seconds, Set, Target, Timing,
};
use crate::timer::Timer;
use std::time::{Duration, Instant};

impl Connector {
    /// Counts one.
    #[inline]
    pub fn incr(&self, name: &str) {
        if let Some(inner) = &self.plain {
            inner.incr(name);
        } else if self.decorated.is_some() {
            self.decorated::<Counter>(name, One);
        }
    }

    /// Counts `amount`, which may be negative or fractional (in `Influx`
    /// [whole](crate::Dialect#variant.Influx) alone).
    #[inline]
    pub fn incr_by(&self, name: &str, amount: impl Value) {
        if let Some(inner) = &self.plain {
            inner.incr_by(name, amount);
        } else if self.decorated.is_some() {
            self.decorated::<Counter>(name, Amount(amount));
        }
    }

    /// Counts one down.
    #[inline]
    pub fn decr(&self, name: &str) {
        self.decr_by(name, 1);
    }

    /// Counts `amount` down: `decr_by(name, 2)` sends `-2`.
    #[inline]
    pub fn decr_by(&self, name: &str, amount: impl Value) {
        if let Some(inner) = &self.plain {
            inner.decr_by(name, amount);
        } else if self.decorated.is_some() {
            self.decorated::<Counter>(name, Negated(amount));
        }
    }

    /// Sets a gauge.
    ///
    /// Servers take a signed value for a delta, but for those of DogStatsD. So a number below zero is
    /// sent as two lines, `0` and then the number; they always travel in one datagram.
    #[inline]
    pub fn gauge(&self, name: &str, value: impl Value) {
        if let Some(inner) = &self.plain {
            inner.gauge(name, value);
        } else if self.decorated.is_some() {
            self.decorated::<Gauge>(name, Absolute(value));
        }
    }

    /// Raises a gauge by `delta`, or lowers it where that is negative. May be fractional. In dialects
    /// that [have it](crate::Dialect).
    #[inline]
    pub fn gauge_delta(&self, name: &str, delta: impl Value) {
        if let Some(inner) = &self.plain {
            inner.gauge_delta(name, delta);
        } else if self.decorated.is_some() {
            self.decorated::<Gauge>(name, Delta(delta));
        }
    }

    /// Records how long something took, in milliseconds, exact to the nanosecond.
    #[inline]
    pub fn timing(&self, name: &str, elapsed: Duration) {
        if let Some(inner) = &self.plain {
            inner.timing(name, elapsed);
        } else if self.decorated.is_some() {
            self.decorated::<Timing>(name, DurationValue(elapsed));
        }
    }

    /// Records how many seconds something took; sent as milliseconds with the digits that
    /// `seconds` has. What is negative or not finite is dropped and counted as invalid.
    #[inline]
    pub fn timing_seconds(&self, name: &str, seconds: f64) {
        if let Some(inner) = &self.plain {
            inner.timing_seconds(name, seconds);
        } else if self.decorated.is_some() {
            self.decorated::<Timing>(name, Seconds(seconds));
        }
    }

    /// Begins a timing that is recorded when the guard is dropped, also by a panic.
    #[inline]
    pub fn timer<'a>(&'a self, name: &'a str) -> Timer<'a> {
        // A disabled one does not even look at the clock.
        let start = self.inner().is_some().then(Instant::now);
        Timer::of_name(self, name, start)
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

    /// A function of its own, so that it weighs nothing where it is not called.
    #[inline(never)]
    fn decorated<K: Kind>(&self, name: &str, measurement: impl Measurement) {
        self.metric::<K>(name).take(measurement);
    }
}

/// The calls, once it is known that there is something to do. Each is a function of its own,
/// so that what is compiled into the caller's code is one test and one call.
impl Inner {
    fn incr(&self, name: &str) {
        let one = || Number { sign: Sign::None, digits: b"1" };
        let head = self.scoped.scope.head(MetricType::Counter);
        self.exchange.emit(|| Line::new(head, name, one(), b"|c\n"));
    }

    fn incr_by(&self, name: &str, amount: impl Value) {
        let mut scratch = Scratch::new();
        let Some(number) = amount.format(&mut scratch) else { return self.refuse() };
        let head = self.scoped.scope.head(MetricType::Counter);
        self.exchange.emit(|| Line::new(head, name, number, b"|c\n"));
    }

    fn decr_by(&self, name: &str, amount: impl Value) {
        let mut scratch = Scratch::new();
        let Some(number) = amount.format(&mut scratch) else { return self.refuse() };
        let head = self.scoped.scope.head(MetricType::Counter);
        self.exchange.emit(|| Line::new(head, name, number.negated(), b"|c\n"));
    }

    fn gauge(&self, name: &str, value: impl Value) {
        let mut scratch = Scratch::new();
        let Some(number) = value.format(&mut scratch) else { return self.refuse() };
        let head = self.scoped.scope.head(MetricType::Gauge);
        let line = || Line::new(head, name, number, b"|g\n");
        if number.is_negative() {
            let zero = || Line::new(head, name, ZERO, b"|g\n");
            self.exchange.emit_ordered(|| NegativeGauge { zero: zero(), line: line() });
        } else {
            self.exchange.emit_ordered(line);
        }
    }

    fn gauge_delta(&self, name: &str, delta: impl Value) {
        let mut scratch = Scratch::new();
        let Some(number) = delta.format(&mut scratch) else { return self.refuse() };
        let head = self.scoped.scope.head(MetricType::Gauge);
        self.exchange.emit_ordered(|| Line::new(head, name, number.signed(), b"|g\n"));
    }

    fn timing(&self, name: &str, elapsed: Duration) {
        let mut scratch = Scratch::new();
        let number = milliseconds(elapsed, &mut scratch);
        let head = self.scoped.scope.head(MetricType::Timing);
        self.exchange.emit(|| Line::new(head, name, number, b"|ms\n"));
    }

    fn timing_seconds(&self, name: &str, seconds: f64) {
        let mut scratch = Scratch::new();
        let number = seconds_as_milliseconds(seconds, &mut scratch);
        let Some(number) = number else { return self.refuse() };
        let head = self.scoped.scope.head(MetricType::Timing);
        self.exchange.emit(|| Line::new(head, name, number, b"|ms\n"));
    }

    fn inject(&self, path: &str, value: &str, code: &str) {
        let Some(digits) = InjectedFields::new(value, code) else { return self.refuse() };
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

    #[cold]
    fn refuse(&self) {
        self.exchange.emit(|| InvalidLine);
    }
}

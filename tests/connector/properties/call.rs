//! Generated API calls that emit a metric, and the lines expected from them.

use super::{ends_field, is_forbidden};
use freewheel::Connector;
use freewheel::metric::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Function that emits a metric under the given name.
type Emit = dyn Fn(&Connector, &str);

/// Generated API call that emits a metric, and the lines expected from it.
#[derive(Clone)]
pub(crate) struct Call {
    /// Text of the generated API call, shown if a test fails.
    text: String,
    pub(crate) emit: Arc<Emit>,
    /// Predicate for the characters that the metric's name cannot contain. The client replaces them
    /// by `_`.
    pub(crate) forbidden: fn(char) -> bool,
    /// Type prefix of the metric's name, such as `counters`; empty for a call of `inject_metric`,
    /// which adds no type prefix.
    pub(crate) kind: &'static str,
    /// Type code of the lines expected from the generated API call, such as `c`.
    pub(crate) code: String,
    /// Values expected from the generated API call, one for each line; empty if the call is
    /// invalid.
    pub(crate) values: Vec<Expected>,
}

/// Value that a received line must have.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// Value that is exactly this text.
    Text(String),
    /// Expected value of a line: any text that parses to this `f64`.
    Double(f64),
    /// Expected value of a line: any text that parses to this `f32`.
    Single(f32),
    /// Value in milliseconds that equals this duration.
    Time(Duration),
    /// Value in milliseconds that equals this number of seconds.
    Seconds(f64),
    /// Value that begins with a sign, even if it is positive, so that servers change the gauge by
    /// it.
    Change(Box<Expected>),
}

impl Expected {
    /// Returns true if `value`, the text of a received value, is as expected.
    pub(crate) fn matches(&self, value: &str) -> bool {
        let has_sign = |negative: bool| value.starts_with('-') == negative;
        match self {
            Self::Text(text) => text == value,
            Self::Double(number) => has_sign(*number < 0.0) && value.parse() == Ok(*number),
            Self::Single(number) => has_sign(*number < 0.0) && value.parse() == Ok(*number),
            Self::Time(time) => nanoseconds(value) == Some(time.as_nanos()),
            // Only the decimal point moves. The digits stay the same.
            Self::Seconds(seconds) => format!("{value}e-3").parse() == Ok(*seconds),
            Self::Change(by) if value.starts_with('+') => by.matches(&value[1..]),
            Self::Change(by) => value.starts_with('-') && by.matches(value),
        }
    }

    fn is_negative(&self) -> bool {
        match self {
            Self::Text(text) => text.starts_with('-'),
            Self::Double(number) => *number < 0.0,
            Self::Single(number) => *number < 0.0,
            _ => false,
        }
    }

    fn negated(self) -> Self {
        match self {
            Self::Text(text) if text == "0" => Self::Text(text),
            Self::Text(text) => match text.strip_prefix('-') {
                Some(magnitude) => Self::Text(magnitude.to_owned()),
                None => Self::Text(format!("-{text}")),
            },
            Self::Double(number) => Self::Double(-number),
            Self::Single(number) => Self::Single(-number),
            other => other,
        }
    }
}

/// Parses a number of milliseconds with up to six decimals, and returns it in nanoseconds.
fn nanoseconds(milliseconds: &str) -> Option<u128> {
    let (whole, fraction) = milliseconds.split_once('.').unwrap_or((milliseconds, ""));
    let whole: u128 = whole.parse().ok()?;
    let fraction: u128 = format!("{fraction:0<6.7}").parse().ok()?;
    (fraction < 1_000_000).then_some(whole * 1_000_000 + fraction)
}

/// Number type that API calls accept as the value of a metric. Its method `expected` returns the
/// value that the resulting line must have.
pub(crate) trait Number: Value + fmt::Debug {
    /// Returns the value that the line of a call with this number must have, or `None` if the
    /// number is not finite.
    fn expected(self) -> Option<Expected>;
}

macro_rules! numbers {
    ($($type:ident)*) => {$(
        impl Number for $type {
            fn expected(self) -> Option<Expected> {
                Some(Expected::Text(self.to_string()))
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl Number for f64 {
    fn expected(self) -> Option<Expected> {
        self.is_finite().then_some(Expected::Double(self))
    }
}

impl Number for f32 {
    fn expected(self) -> Option<Expected> {
        self.is_finite().then_some(Expected::Single(self))
    }
}

impl Call {
    fn new(
        text: String,
        (kind, code): (&'static str, &str),
        values: Vec<Expected>,
        emit: impl Fn(&Connector, &str) + 'static,
    ) -> Self {
        let forbidden = is_forbidden;
        Self { text, emit: Arc::new(emit), forbidden, kind, code: code.to_owned(), values }
    }

    pub(crate) fn count<N: Number + 'static>(number: N) -> Self {
        let values = number.expected().into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.incr_by(name, number);
        Self::new(format!("incr_by({number:?})"), ("counters", "c"), values, emit)
    }

    pub(crate) fn count_down<N: Number + 'static>(number: N) -> Self {
        let values = number.expected().map(Expected::negated).into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.decr_by(name, number);
        Self::new(format!("decr_by({number:?})"), ("counters", "c"), values, emit)
    }

    pub(crate) fn gauge<N: Number + 'static>(number: N) -> Self {
        // A negative value needs a reset to zero. Servers would read it as a change otherwise.
        let reset = |value: &Expected| value.is_negative().then(|| Expected::Text("0".to_owned()));
        let lines = |value: Expected| reset(&value).into_iter().chain([value]).collect();
        let values = number.expected().map_or(Vec::new(), lines);
        let emit = move |statsd: &Connector, name: &str| statsd.gauge(name, number);
        Self::new(format!("gauge({number:?})"), ("gauges", "g"), values, emit)
    }

    pub(crate) fn gauge_delta<N: Number + 'static>(number: N) -> Self {
        let change = |by: Expected| Expected::Change(Box::new(by));
        let values = number.expected().map(change).into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.gauge_delta(name, number);
        Self::new(format!("gauge_delta({number:?})"), ("gauges", "g"), values, emit)
    }

    pub(crate) fn timing(elapsed: Duration) -> Self {
        let emit = move |statsd: &Connector, name: &str| statsd.timing(name, elapsed);
        Self::new(
            format!("timing({elapsed:?})"),
            ("timers", "ms"),
            vec![Expected::Time(elapsed)],
            emit,
        )
    }

    pub(crate) fn timing_seconds(seconds: f64) -> Self {
        let is_time = (seconds * 1e3).is_finite() && seconds >= 0.0;
        let values = is_time.then_some(Expected::Seconds(seconds)).into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.timing_seconds(name, seconds);
        Self::new(format!("timing_seconds({seconds:?})"), ("timers", "ms"), values, emit)
    }

    pub(crate) fn inject(value: String, code: String) -> Self {
        let is_line = !value.is_empty()
            && !value.contains(ends_field)
            && !code.is_empty()
            && !code.contains(char::is_control);
        let values = is_line.then(|| Expected::Text(value.clone())).into_iter().collect();
        let text = format!("inject_metric({value:?}, {code:?})");
        let fields = ("", code.clone());
        let emit = move |statsd: &Connector, name: &str| statsd.inject_metric(name, &value, &code);
        Self { forbidden: ends_field, ..Self::new(text, (fields.0, &fields.1), values, emit) }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

//! Calls that emit, and what they mean.

use crate::{ends_field, is_forbidden};
use freewheel::Connector;
use freewheel::metric::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Emits under this name.
type Emit = dyn Fn(&Connector, &str);

/// A call that emits, and what it means.
#[derive(Clone)]
pub(crate) struct Call {
    text: String,
    pub(crate) emit: Arc<Emit>,
    /// Predicate for characters that the name cannot contain.
    pub(crate) forbidden: fn(char) -> bool,
    pub(crate) kind: &'static str,
    pub(crate) code: String,
    /// Expected values, one for each line; empty if the call is invalid.
    pub(crate) values: Vec<Meant>,
}

#[derive(Clone, Debug)]
pub(crate) enum Meant {
    /// These characters.
    Text(String),
    Double(f64),
    Single(f32),
    /// Time in milliseconds.
    Time(Duration),
    /// Time in milliseconds.
    Seconds(f64),
    /// The value always has a sign, so that it changes a gauge.
    Change(Box<Meant>),
}

impl Meant {
    pub(crate) fn is(&self, value: &str) -> bool {
        let has_sign = |negative: bool| value.starts_with('-') == negative;
        match self {
            Self::Text(text) => text == value,
            Self::Double(number) => has_sign(*number < 0.0) && value.parse() == Ok(*number),
            Self::Single(number) => has_sign(*number < 0.0) && value.parse() == Ok(*number),
            Self::Time(time) => nanoseconds(value) == Some(time.as_nanos()),
            // Thousandths of a second, digit for digit.
            Self::Seconds(seconds) => format!("{value}e-3").parse() == Ok(*seconds),
            Self::Change(by) if value.starts_with('+') => by.is(&value[1..]),
            Self::Change(by) => value.starts_with('-') && by.is(value),
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

/// Milliseconds with up to six decimals.
fn nanoseconds(milliseconds: &str) -> Option<u128> {
    let (whole, fraction) = milliseconds.split_once('.').unwrap_or((milliseconds, ""));
    let whole: u128 = whole.parse().ok()?;
    let fraction: u128 = format!("{fraction:0<6.7}").parse().ok()?;
    (fraction < 1_000_000).then_some(whole * 1_000_000 + fraction)
}

/// Returns the expected value of a number, or `None` if it is not finite.
pub(crate) trait Number: Value + fmt::Debug {
    fn meant(self) -> Option<Meant>;
}

macro_rules! numbers {
    ($($type:ident)*) => {$(
        impl Number for $type {
            fn meant(self) -> Option<Meant> {
                Some(Meant::Text(self.to_string()))
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl Number for f64 {
    fn meant(self) -> Option<Meant> {
        self.is_finite().then_some(Meant::Double(self))
    }
}

impl Number for f32 {
    fn meant(self) -> Option<Meant> {
        self.is_finite().then_some(Meant::Single(self))
    }
}

impl Call {
    fn new(
        text: String,
        (kind, code): (&'static str, &str),
        values: Vec<Meant>,
        emit: impl Fn(&Connector, &str) + 'static,
    ) -> Self {
        let forbidden = is_forbidden;
        Self { text, emit: Arc::new(emit), forbidden, kind, code: code.to_owned(), values }
    }

    pub(crate) fn count<N: Number + 'static>(number: N) -> Self {
        let values = number.meant().into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.incr_by(name, number);
        Self::new(format!("incr_by({number:?})"), ("counters", "c"), values, emit)
    }

    pub(crate) fn count_down<N: Number + 'static>(number: N) -> Self {
        let values = number.meant().map(Meant::negated).into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.decr_by(name, number);
        Self::new(format!("decr_by({number:?})"), ("counters", "c"), values, emit)
    }

    pub(crate) fn gauge<N: Number + 'static>(number: N) -> Self {
        let reset = |meant: &Meant| meant.is_negative().then(|| Meant::Text("0".to_owned()));
        let lines = |meant: Meant| reset(&meant).into_iter().chain([meant]).collect();
        let values = number.meant().map_or(Vec::new(), lines);
        let emit = move |statsd: &Connector, name: &str| statsd.gauge(name, number);
        Self::new(format!("gauge({number:?})"), ("gauges", "g"), values, emit)
    }

    pub(crate) fn gauge_delta<N: Number + 'static>(number: N) -> Self {
        let change = |by: Meant| Meant::Change(Box::new(by));
        let values = number.meant().map(change).into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.gauge_delta(name, number);
        Self::new(format!("gauge_delta({number:?})"), ("gauges", "g"), values, emit)
    }

    pub(crate) fn timing(elapsed: Duration) -> Self {
        let emit = move |statsd: &Connector, name: &str| statsd.timing(name, elapsed);
        Self::new(
            format!("timing({elapsed:?})"),
            ("timers", "ms"),
            vec![Meant::Time(elapsed)],
            emit,
        )
    }

    pub(crate) fn timing_seconds(seconds: f64) -> Self {
        let is_time = seconds.is_finite() && seconds >= 0.0;
        let values = is_time.then_some(Meant::Seconds(seconds)).into_iter().collect();
        let emit = move |statsd: &Connector, name: &str| statsd.timing_seconds(name, seconds);
        Self::new(format!("timing_seconds({seconds:?})"), ("timers", "ms"), values, emit)
    }

    pub(crate) fn inject(value: String, code: String) -> Self {
        let is_line = !value.is_empty()
            && !value.contains(ends_field)
            && !code.is_empty()
            && !code.contains(char::is_control);
        let values = is_line.then(|| Meant::Text(value.clone())).into_iter().collect();
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

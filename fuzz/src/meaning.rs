//! Numbers that the fuzz targets emit, and their expected text, which the standard library formats.

use arbitrary::Arbitrary;
use freewheel::Connector;

/// Function that parses a number as a server does, and returns the bits of the floating-point
/// number.
type Parse = fn(&str) -> Option<u64>;

/// Expected text of the value in an emitted line.
#[derive(Clone, Debug)]
pub struct Value {
    pub text: String,
    /// Parser with which a different text of the same length is accepted if it parses to the same
    /// number, or `None` to accept only `text`. A number can have two shortest forms that are
    /// equally close to it.
    parse: Option<Parse>,
}

impl Value {
    pub fn exactly(text: impl Into<String>) -> Self {
        Self { text: text.into(), parse: None }
    }

    /// Returns true if `written`, the value in an emitted line, is the expected text or an accepted
    /// equivalent.
    pub fn is(&self, written: &str) -> bool {
        let is_equivalent = |parse: Parse| {
            let lengths = |text: &str| (text.len(), text.trim_end_matches('0').len());
            lengths(written) == lengths(&self.text) && parse(written) == parse(&self.text)
        };
        written == self.text || self.parse.is_some_and(is_equivalent)
    }

    pub fn is_negative(&self) -> bool {
        self.text.starts_with('-')
    }

    /// Returns the expected text of the negated number.
    pub fn negated(mut self) -> Self {
        self.text = match self.text.strip_prefix('-') {
            Some(magnitude) => magnitude.to_owned(),
            None if self.text == "0" => self.text,
            None => format!("-{}", self.text),
        };
        self
    }

    /// Returns the expected text of the number with an explicit sign, as in a change of a gauge
    /// (`+1` or `-1`).
    pub fn signed(mut self) -> Self {
        if !self.is_negative() {
            self.text.insert(0, '+');
        }
        self
    }
}

fn parse_double(text: &str) -> Option<u64> {
    text.parse().ok().map(f64::to_bits)
}

fn parse_single(text: &str) -> Option<u64> {
    text.parse().ok().map(|number: f32| number.to_bits().into())
}

/// Parses a number of milliseconds, and returns the bits of the number of seconds as an `f64`.
fn parse_seconds(text: &str) -> Option<u64> {
    parse_double(&format!("{text}e-3"))
}

/// Fuzzed floating-point number: arbitrary bits, a short decimal, or a neighbour of a power of two.
/// Formatting algorithms have special cases near powers of two.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Float {
    Bits(u64),
    Short { digits: i32, point: u8 },
    NearPower { exponent: i16, steps: i8 },
}

impl Float {
    pub fn double(self) -> f64 {
        match self {
            Self::Bits(bits) => f64::from_bits(bits),
            Self::Short { digits, point } => f64::from(digits) / 10_f64.powi((point % 12).into()),
            Self::NearPower { exponent, steps } => {
                let bits = 2_f64.powi((exponent % 130).into()).to_bits();
                f64::from_bits(bits.wrapping_add_signed((steps % 4).into()))
            }
        }
    }

    pub fn single(self) -> f32 {
        match self {
            Self::Bits(bits) => f32::from_bits(bits as u32),
            Self::Short { digits, point } => digits as f32 / 10_f32.powi((point % 12).into()),
            Self::NearPower { exponent, steps } => {
                let bits = 2_f32.powi((exponent % 130).into()).to_bits();
                f32::from_bits(bits.wrapping_add_signed((steps % 4).into()))
            }
        }
    }
}

/// Call of the client that accepts a number of any type, such as `gauge`.
#[derive(Clone, Copy)]
pub enum NumberCall {
    IncrBy,
    DecrBy,
    Gauge,
    GaugeDelta,
}

impl NumberCall {
    fn emit(self, statsd: &Connector, name: &str, number: impl freewheel::metric::Value) {
        match self {
            Self::IncrBy => statsd.incr_by(name, number),
            Self::DecrBy => statsd.decr_by(name, number),
            Self::Gauge => statsd.gauge(name, number),
            Self::GaugeDelta => statsd.gauge_delta(name, number),
        }
    }
}

macro_rules! numbers {
    ($($integer:ident($type:ty))*) => {
        #[derive(Arbitrary, Clone, Copy, Debug)]
        pub enum Number {
            $($integer($type),)*
            F32(Float),
            F64(Float),
        }

        impl Number {
            pub fn emit(self, call: NumberCall, statsd: &Connector, name: &str) {
                match self {
                    $(Self::$integer(number) => call.emit(statsd, name, number),)*
                    Self::F32(float) => call.emit(statsd, name, float.single()),
                    Self::F64(float) => call.emit(statsd, name, float.double()),
                }
            }

            /// Returns the expected text of the number, or `None` if the number is not finite.
            pub fn value(self) -> Option<Value> {
                match self {
                    $(Self::$integer(number) => Some(Value::exactly(number.to_string())),)*
                    Self::F32(float) => {
                        let number = float.single();
                        // The conversion is exact: each f32 is also an f64.
                        float_value(number.into(), number.abs().to_string(), parse_single)
                    }
                    Self::F64(float) => {
                        let number = float.double();
                        float_value(number, number.abs().to_string(), parse_double)
                    }
                }
            }
        }
    };
}

numbers! {
    U8(u8) U16(u16) U32(u32) U64(u64) U128(u128) Usize(usize)
    I8(i8) I16(i16) I32(i32) I64(i64) I128(i128) Isize(isize)
}

/// Returns the expected text of a float: an integer for whole numbers below 2^64, otherwise the
/// shortest decimal form that parses to the same number, without an exponent.
fn float_value(number: f64, shortest: String, parse: Parse) -> Option<Value> {
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    if !number.is_finite() {
        return None;
    }
    let magnitude = number.abs();
    let value = match magnitude < TWO_TO_64 && magnitude.trunc() == magnitude {
        true => Value::exactly((magnitude as u64).to_string()),
        false => Value { text: shortest, parse: Some(parse) },
    };
    Some(if number < 0.0 { value.negated() } else { value })
}

/// Returns the expected text of a time, given in nanoseconds and written in milliseconds.
pub fn milliseconds(nanoseconds: u128) -> Value {
    let text = format!("{}.{:06}", nanoseconds / 1_000_000, nanoseconds % 1_000_000);
    Value::exactly(trimmed(&text))
}

/// Returns the expected text of a time, given in seconds and written in milliseconds, or `None` if
/// the time is negative or not finite. The decimal point moves, and the digits stay the same.
pub fn seconds_as_milliseconds(seconds: f64) -> Option<Value> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    let shortest = seconds.abs().to_string();
    let (whole, fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
    let digits = format!("{whole}{fraction:0<3}");
    let point = whole.len() + 3;
    let text = trimmed(&format!("{}.{}", &digits[..point], &digits[point..]));
    Some(Value { text, parse: Some(parse_seconds) })
}

/// Removes redundant zeros at both ends of a decimal number.
fn trimmed(text: &str) -> String {
    let text = text.trim_end_matches('0').trim_end_matches('.').trim_start_matches('0');
    if text.is_empty() || text.starts_with('.') { format!("0{text}") } else { text.to_owned() }
}

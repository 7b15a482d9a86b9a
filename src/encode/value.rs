//! Numbers as values of metrics: all integer and float types, formatted without allocation.

use super::accepted_numbers::AcceptedNumbers;
use super::decimal::{Decimal, Digits, FloatDigits, scaled};
use super::line_writer::LineWriter;
use super::sign::Sign;
use std::time::Duration;

/// A number that can be emitted: every integer type, `f32` and `f64`.
///
/// Whole numbers are written as integers. Other numbers are written as the shortest plain decimal,
/// without an exponent, that reads back as the same number. NaN and the infinities have no such
/// form: their lines are dropped and counted as invalid.
///
/// This trait is sealed.
pub trait Value: sealed::Sealed {}

/// A whole number of up to 64 bits, which aggregated metrics add up exactly.
///
/// This trait is sealed.
pub trait Integer: Value + sealed::Integer {}

/// Buffers for the digits of a value while it is formatted. The buffers are initialized only when
/// used.
pub struct Scratch {
    integer: itoa::Buffer,
    fraction: itoa::Buffer,
    float: ryu::Buffer,
    float_digits: FloatDigits,
}

impl Scratch {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self {
            integer: itoa::Buffer::new(),
            fraction: itoa::Buffer::new(),
            float: ryu::Buffer::new(),
            // An `Option` here would make the compiler initialize all parts.
            float_digits: FloatDigits::default(),
        }
    }
}

/// A formatted number: the sign and the digits.
#[derive(Clone, Copy)]
pub struct Number<D> {
    pub(crate) sign: Sign,
    pub(crate) digits: D,
}

impl<D: Digits> Number<D> {
    #[inline(always)]
    pub(crate) fn is_negative(&self) -> bool {
        self.sign == Sign::Minus
    }

    #[inline(always)]
    pub(crate) fn is_accepted(&self, accepted: AcceptedNumbers) -> bool {
        match accepted {
            AcceptedNumbers::All => true,
            AcceptedNumbers::Integers => self.is_i64(),
            AcceptedNumbers::NonNegative => !self.is_negative(),
        }
    }

    /// Returns true for an integer from -2^63 to 2^63 - 1.
    fn is_i64(&self) -> bool {
        const MAX_LEN: usize = "9223372036854775808".len();
        let len = self.digits.len();
        if len > MAX_LEN {
            return false;
        }
        let mut space = [0; MAX_LEN];
        self.digits.write(&mut LineWriter::<true>::new(&mut space));
        let max_magnitude = i64::MAX.unsigned_abs() + u64::from(self.is_negative());
        let magnitude = str::from_utf8(&space[..len]).ok().and_then(|text| text.parse().ok());
        magnitude.is_some_and(|magnitude: u64| magnitude <= max_magnitude)
    }

    /// Returns the negated number. Zero stays without a sign.
    #[inline(always)]
    pub(crate) fn negated(self) -> Self {
        let is_negative = self.sign == Sign::None && !self.digits.is_zero();
        Self { sign: Sign::minus_if(is_negative), ..self }
    }

    /// Returns the number with an explicit sign, so that servers add the number to a gauge instead
    /// of setting the gauge.
    #[inline(always)]
    pub(crate) fn signed(self) -> Self {
        let sign = if self.is_negative() { Sign::Minus } else { Sign::Plus };
        Self { sign, ..self }
    }
}

pub(crate) mod sealed {
    use super::{Digits, Number, Scratch};

    /// Seals `Value`: this trait cannot be named outside the crate.
    pub trait Sealed: Copy {
        type Digits<'a>: Digits;
        /// Formats the number, or returns `None` if it is not finite.
        fn format(self, scratch: &mut Scratch) -> Option<Number<Self::Digits<'_>>>;
        /// Returns the nearest `f64`.
        fn to_f64(self) -> f64;
    }

    /// Seals `Integer`: this trait cannot be named outside the crate.
    pub trait Integer: Copy {
        /// Returns the number modulo 2^64.
        fn wrapped(self) -> u64;
    }
}

macro_rules! integers {
    ($($type:ident, $magnitude:ident;)*) => {$(
        impl Value for $type {}
        impl sealed::Sealed for $type {
            type Digits<'a> = &'a [u8];
            #[inline(always)]
            #[allow(unused_comparisons)]
            fn format(self, scratch: &mut Scratch) -> Option<Number<&[u8]>> {
                let digits = scratch.integer.format(self.$magnitude()).as_bytes();
                Some(Number { sign: Sign::minus_if(self < 0), digits })
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}

/// Adds the method `itself`, which returns its argument, to all types that are `Copy`. The macro
/// `integers` calls this method for unsigned integers, which have no `unsigned_abs`.
trait Magnitude: Copy {
    #[inline(always)]
    fn itself(self) -> Self {
        self
    }
}
impl<T: Copy> Magnitude for T {}

integers! {
    u8, itself; u16, itself; u32, itself; u64, itself; u128, itself; usize, itself;
    i8, unsigned_abs; i16, unsigned_abs; i32, unsigned_abs; i64, unsigned_abs;
    i128, unsigned_abs; isize, unsigned_abs;
}

macro_rules! summable {
    ($($type:ident)*) => {$(
        impl Integer for $type {}
        impl sealed::Integer for $type {
            #[inline(always)]
            fn wrapped(self) -> u64 {
                self as u64
            }
        }
    )*};
}

summable!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

macro_rules! floats {
    ($($type:ident)*) => {$(
        impl Value for $type {}
        impl sealed::Sealed for $type {
            type Digits<'a> = Decimal<'a>;
            #[inline(always)]
            fn format(self, scratch: &mut Scratch) -> Option<Number<Decimal<'_>>> {
                if !self.is_finite() {
                    return None;
                }
                let absolute = self.abs();
                let whole = absolute as u64;
                let digits = if whole as $type == absolute && whole < u64::MAX {
                    Decimal::Plain(scratch.integer.format(whole).as_bytes())
                } else {
                    let text = scratch.float.format_finite(absolute);
                    if text.bytes().any(|byte| byte == b'e') {
                        scaled(text, 0, &mut scratch.float_digits)
                    } else {
                        Decimal::Plain(text.as_bytes())
                    }
                };
                Some(Number { sign: Sign::minus_if(self < 0.0), digits })
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.into()
            }
        }
    )*};
}

floats!(f32 f64);

/// Formats a duration as fixed-point milliseconds, exact to the nanosecond.
#[inline(always)]
pub(crate) fn milliseconds(duration: Duration, scratch: &mut Scratch) -> Number<Decimal<'_>> {
    const NANOS_PER_MILLISECOND: u32 = 1_000_000;
    let nanos = duration.subsec_nanos();
    let below_second = u64::from(nanos / NANOS_PER_MILLISECOND);
    let seconds = duration.as_secs().checked_mul(1000);
    let whole = match seconds.and_then(|seconds| seconds.checked_add(below_second)) {
        Some(milliseconds) => scratch.integer.format(milliseconds),
        None => scratch.integer.format(duration.as_millis()),
    };
    let whole = whole.as_bytes();
    let digits = match nanos % NANOS_PER_MILLISECOND {
        0 => Decimal::Plain(whole),
        fraction => {
            // The sum begins with a 1, which keeps the zeros after the point.
            let padded = NANOS_PER_MILLISECOND + fraction;
            let mut fraction = &scratch.fraction.format(padded).as_bytes()[1..];
            while let [before @ .., b'0'] = fraction {
                fraction = before;
            }
            Decimal::Fixed { whole, fraction }
        }
    };
    Number { sign: Sign::None, digits }
}

/// Formats seconds as milliseconds by moving the decimal point, so that no digit is rounded.
///
/// Returns `None` for numbers that are negative or not finite, and for those whose milliseconds are
/// beyond the numbers that servers hold.
pub(crate) fn seconds_as_milliseconds(
    seconds: f64,
    scratch: &mut Scratch,
) -> Option<Number<Decimal<'_>>> {
    if seconds < 0.0 || !(seconds * 1e3).is_finite() {
        return None;
    }
    let text = scratch.float.format_finite(seconds.abs());
    let digits = scaled(text, 3, &mut scratch.float_digits);
    Some(Number { sign: Sign::None, digits })
}

//! Values: every number type, formatted without allocation.

use super::decimal::{Decimal, Digits, FloatDigits, scaled};
use super::dialect::AcceptedNumbers;
use super::line_writer::LineWriter;
use std::time::Duration;

/// A number that can be emitted: every integer type, `f32` and `f64`.
///
/// Whole numbers are written as integers, others in the shortest form that reads back as the
/// same number, always as plain decimals without an exponent. NaN and the infinities have no
/// such form: a line with one is dropped and counted as invalid.
///
/// This trait is sealed: it is implemented for the types above and for no others.
pub trait Value: sealed::Sealed {}

/// Where the digits of a value are put together. Its parts are written only when used.
pub struct Scratch {
    integer: itoa::Buffer,
    fraction: itoa::Buffer,
    float: ryu::Buffer,
    significant: FloatDigits,
}

impl Scratch {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self {
            integer: itoa::Buffer::new(),
            fraction: itoa::Buffer::new(),
            float: ryu::Buffer::new(),
            // Not an `Option`: with one, all parts would be zeroed.
            significant: FloatDigits::default(),
        }
    }
}

/// What stands before the digits; its byte, where it has one.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Sign {
    None = 0,
    Plus = b'+',
    Minus = b'-',
}

impl Sign {
    #[inline(always)]
    pub(super) fn len(self) -> usize {
        usize::from(self != Self::None)
    }

    #[inline(always)]
    fn of(negative: bool) -> Self {
        if negative { Self::Minus } else { Self::None }
    }
}

/// A formatted number.
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
    pub(crate) fn is_accepted(&self, numbers: AcceptedNumbers) -> bool {
        match numbers {
            AcceptedNumbers::All => true,
            AcceptedNumbers::Integers => self.is_i64(),
            AcceptedNumbers::NonNegative => !self.is_negative(),
        }
    }

    /// Whether it is a whole number of 64 bits, with a sign or without.
    fn is_i64(&self) -> bool {
        const LONGEST: usize = "9223372036854775808".len();
        let len = self.digits.len();
        if len > LONGEST {
            return false;
        }
        let mut space = [0; LONGEST];
        self.digits.write(&mut LineWriter::new(&mut space));
        let most = i64::MAX.unsigned_abs() + u64::from(self.is_negative());
        let magnitude = str::from_utf8(&space[..len]).ok().and_then(|text| text.parse().ok());
        magnitude.is_some_and(|magnitude: u64| magnitude <= most)
    }

    /// For counting down.
    #[inline(always)]
    pub(crate) fn negated(self) -> Self {
        let reversed = self.sign == Sign::None && !self.digits.is_zero();
        Self { sign: Sign::of(reversed), ..self }
    }

    /// With a sign in any case, which makes a gauge's value a delta.
    #[inline(always)]
    pub(crate) fn signed(self) -> Self {
        let sign = if self.is_negative() { Sign::Minus } else { Sign::Plus };
        Self { sign, ..self }
    }
}

pub(crate) mod sealed {
    use super::{Digits, Number, Scratch};

    /// Cannot be named outside, which is what seals `Value`.
    pub trait Sealed: Copy {
        type Digits<'a>: Digits;
        /// None for what is not a finite number.
        fn format(self, scratch: &mut Scratch) -> Option<Number<Self::Digits<'_>>>;
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
                Some(Number { sign: Sign::of(self < 0), digits })
            }
        }
    )*};
}

/// What signed integers have, for unsigned ones.
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
                        scaled(text, 0, &mut scratch.significant)
                    } else {
                        Decimal::Plain(text.as_bytes())
                    }
                };
                Some(Number { sign: Sign::of(self < 0.0), digits })
            }
        }
    )*};
}

floats!(f32 f64);

/// Exact to the nanosecond, as fixed-point milliseconds.
#[inline(always)]
pub(crate) fn milliseconds(duration: Duration, scratch: &mut Scratch) -> Number<Decimal<'_>> {
    const NANOS: u32 = 1_000_000;
    let nanos = duration.subsec_nanos();
    let below_second = u64::from(nanos / NANOS);
    let seconds = duration.as_secs().checked_mul(1000);
    let whole = match seconds.and_then(|seconds| seconds.checked_add(below_second)) {
        Some(milliseconds) => scratch.integer.format(milliseconds),
        None => scratch.integer.format(duration.as_millis()),
    };
    let whole = whole.as_bytes();
    let digits = match nanos % NANOS {
        0 => Decimal::Plain(whole),
        fraction => {
            // A leading 1 keeps the zeros after the point.
            let mut fraction = &scratch.fraction.format(NANOS + fraction).as_bytes()[1..];
            while let [others @ .., b'0'] = fraction {
                fraction = others;
            }
            Decimal::Fixed { whole, fraction }
        }
    };
    Number { sign: Sign::None, digits }
}

/// Seconds as milliseconds, by moving the point: no digit is rounded. None for what is
/// negative or not a finite number.
pub(crate) fn seconds_as_milliseconds(
    seconds: f64,
    scratch: &mut Scratch,
) -> Option<Number<Decimal<'_>>> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    let text = scratch.float.format_finite(seconds.abs());
    let digits = scaled(text, 3, &mut scratch.significant);
    Some(Number { sign: Sign::None, digits })
}

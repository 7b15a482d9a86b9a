//! Values: every number type, formatted without allocation.

use super::decimal::{Decimal, Digits, scaled};
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
pub(crate) struct Scratch {
    integer: itoa::Buffer,
    fraction: itoa::Buffer,
    float: ryu::Buffer,
    digits: Digits,
}

impl Scratch {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self {
            integer: itoa::Buffer::new(),
            fraction: itoa::Buffer::new(),
            float: ryu::Buffer::new(),
            digits: [0; 24],
        }
    }
}

/// A formatted number: whether it is below zero, and what remains without its sign.
pub(crate) struct Number<'a> {
    pub(crate) negative: bool,
    pub(crate) magnitude: Decimal<'a>,
}

pub(crate) mod sealed {
    use super::{Number, Scratch};

    /// Cannot be named outside, which is what seals `Value`.
    #[allow(unnameable_types)]
    pub trait Sealed: Copy {
        /// None for what is not a finite number.
        #[allow(private_interfaces)]
        fn format(self, scratch: &mut Scratch) -> Option<Number<'_>>;
    }
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl Value for $type {}
        impl sealed::Sealed for $type {
            #[inline(always)]
            #[allow(private_interfaces, unused_comparisons)]
            fn format(self, scratch: &mut Scratch) -> Option<Number<'_>> {
                let magnitude = magnitude!($type, self);
                let text = scratch.integer.format(magnitude);
                Some(Number { negative: self < 0, magnitude: Decimal::Plain(text.as_bytes()) })
            }
        }
    )*};
}

macro_rules! magnitude {
    (u8, $v:expr) => {
        $v
    };
    (u16, $v:expr) => {
        $v
    };
    (u32, $v:expr) => {
        $v
    };
    (u64, $v:expr) => {
        $v
    };
    (u128, $v:expr) => {
        $v
    };
    (usize, $v:expr) => {
        $v
    };
    ($signed:ident, $v:expr) => {
        $v.unsigned_abs()
    };
}

integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

macro_rules! floats {
    ($($type:ident)*) => {$(
        impl Value for $type {}
        impl sealed::Sealed for $type {
            #[inline]
            #[allow(private_interfaces)]
            fn format(self, scratch: &mut Scratch) -> Option<Number<'_>> {
                if !self.is_finite() {
                    return None;
                }
                let (negative, absolute) = (self < 0.0, self.abs());
                let whole = absolute as u64;
                let magnitude = if whole as $type == absolute && whole < u64::MAX {
                    Decimal::Plain(scratch.integer.format(whole).as_bytes())
                } else {
                    let text = scratch.float.format_finite(absolute);
                    if text.bytes().any(|byte| byte == b'e') {
                        scaled(text, 0, &mut scratch.digits)
                    } else {
                        Decimal::Plain(text.as_bytes())
                    }
                };
                Some(Number { negative, magnitude })
            }
        }
    )*};
}

floats!(f32 f64);

/// Exact to the nanosecond, as fixed-point milliseconds.
#[inline]
pub(crate) fn duration_in_milliseconds(duration: Duration, scratch: &mut Scratch) -> Decimal<'_> {
    const NANOS: u32 = 1_000_000;
    let nanos = duration.subsec_nanos();
    let below_second = u64::from(nanos / NANOS);
    let whole =
        match duration.as_secs().checked_mul(1000).and_then(|ms| ms.checked_add(below_second)) {
            Some(milliseconds) => scratch.integer.format(milliseconds),
            None => scratch.integer.format(duration.as_millis()),
        };
    match nanos % NANOS {
        0 => Decimal::Plain(whole.as_bytes()),
        fraction => {
            // A leading 1 keeps the zeros after the point.
            let text = &scratch.fraction.format(NANOS + fraction)[1..];
            let fraction = text.trim_end_matches('0');
            Decimal::Fixed { whole: whole.as_bytes(), fraction: fraction.as_bytes() }
        }
    }
}

/// Seconds as milliseconds, by moving the point: no digit is rounded. None for what is
/// negative or not a finite number.
pub(crate) fn seconds_in_milliseconds(seconds: f64, scratch: &mut Scratch) -> Option<Decimal<'_>> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Some(scaled(scratch.float.format_finite(seconds.abs()), 3, &mut scratch.digits))
}

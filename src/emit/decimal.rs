//! Plain decimals: no exponent, whatever the value. Servers disagree on `1e3`.

/// A number without its sign, formatted but for its zeros and its point.
pub(crate) enum Decimal<'a> {
    /// As it stands.
    Plain(&'a [u8]),
    /// `whole.fraction`; neither is empty.
    Fixed { whole: &'a [u8], fraction: &'a [u8] },
    /// `0.digits` times ten to the power of `point`; the first and last digit are not 0.
    Scaled { digits: &'a [u8], point: i32 },
}

impl Decimal<'_> {
    #[inline(always)]
    pub(super) fn is_zero(&self) -> bool {
        matches!(self, Self::Plain([b'0']))
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Fixed { whole, fraction } => whole.len() + 1 + fraction.len(),
            Self::Scaled { digits, point } => {
                let (zeros_before, zeros_after) = zeros(digits, *point);
                let point_and_zero = match *point {
                    ..=0 => 2,
                    point if point as usize >= digits.len() => 0,
                    _ => 1,
                };
                point_and_zero + zeros_before + digits.len() + zeros_after
            }
        }
    }

    /// Hands the pieces to `put`, in order.
    #[inline(always)]
    pub(super) fn write(&self, mut put: impl FnMut(&[u8])) {
        match self {
            Self::Plain(text) => put(text),
            Self::Fixed { whole, fraction } => {
                put(whole);
                put(b".");
                put(fraction);
            }
            Self::Scaled { digits, point } => write_scaled(digits, *point, &mut put),
        }
    }
}

/// The zeros between the point and the digits, and between the digits and the point.
fn zeros(digits: &[u8], point: i32) -> (usize, usize) {
    let before = if point < 0 { point.unsigned_abs() as usize } else { 0 };
    let after = (point.max(0) as usize).saturating_sub(digits.len());
    (before, after)
}

#[cold]
fn write_scaled(digits: &[u8], point: i32, put: &mut dyn FnMut(&[u8])) {
    let (before, after) = zeros(digits, point);
    if point <= 0 {
        put(b"0.");
        (0..before).for_each(|_| put(b"0"));
        put(digits);
    } else if point as usize >= digits.len() {
        put(digits);
        (0..after).for_each(|_| put(b"0"));
    } else {
        let (whole, fraction) = digits.split_at(point as usize);
        put(whole);
        put(b".");
        put(fraction);
    }
}

/// As many digits as the shortest form of an `f64` can have, and then some.
pub(super) type Digits = [u8; 24];

/// Reads a number as ryu writes it (`12.5`, `0.001`, `1e16`, `1.5e-7`), times ten to the
/// power of `shift`, exactly.
pub(super) fn scaled<'a>(text: &str, shift: i32, digits: &'a mut Digits) -> Decimal<'a> {
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(0)),
        None => (text, 0),
    };
    let whole = mantissa.find('.').unwrap_or(mantissa.len());
    let mut point = whole as i32 + exponent + shift;
    let mut count = 0;
    for &digit in mantissa.as_bytes().iter().filter(|digit| digit.is_ascii_digit()) {
        if count == 0 && digit == b'0' {
            point -= 1; // a leading zero
        } else {
            digits[count] = digit;
            count += 1;
        }
    }
    while count > 0 && digits[count - 1] == b'0' {
        count -= 1;
    }
    match count {
        0 => Decimal::Plain(b"0"),
        _ => Decimal::Scaled { digits: &digits[..count], point },
    }
}

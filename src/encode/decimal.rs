//! Numbers as plain decimals, without an exponent: servers disagree on `1e3`.

use super::line_writer::LineWriter;

/// Digits of a number on a line, without the sign.
pub trait Digits: Copy {
    fn len(&self) -> usize;
    fn is_zero(&self) -> bool;
    /// Writes the digits, which are exactly [`len`](Self::len) bytes.
    fn write<const SANITIZE: bool>(&self, writer: &mut LineWriter<'_, SANITIZE>);
}

impl Digits for &[u8] {
    #[inline(always)]
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }
    #[inline(always)]
    fn is_zero(&self) -> bool {
        **self == *b"0"
    }
    #[inline(always)]
    fn write<const SANITIZE: bool>(&self, writer: &mut LineWriter<'_, SANITIZE>) {
        writer.put(self);
    }
}

/// Digits of a constant number of one digit.
impl Digits for &'static [u8; 1] {
    #[inline(always)]
    fn len(&self) -> usize {
        1
    }
    #[inline(always)]
    fn is_zero(&self) -> bool {
        **self == *b"0"
    }
    #[inline(always)]
    fn write<const SANITIZE: bool>(&self, writer: &mut LineWriter<'_, SANITIZE>) {
        writer.put_constant(self);
    }
}

/// Digits of a number that may have a fraction.
#[derive(Clone, Copy)]
pub enum Decimal<'a> {
    /// Digits, and a decimal point if there is one, exactly as the line contains them.
    Plain(&'a [u8]),
    /// Number that is written as `whole.fraction`. Neither part is empty.
    Fixed { whole: &'a [u8], fraction: &'a [u8] },
    /// Number with an exponent: `0.digits` times ten to the power of `point`. Neither the first nor
    /// the last of the digits is 0.
    Scaled { digits: &'a [u8], point: i32 },
}

impl Digits for Decimal<'_> {
    #[inline(always)]
    fn is_zero(&self) -> bool {
        matches!(self, Self::Plain([b'0']))
    }

    #[inline(always)]
    fn len(&self) -> usize {
        match self {
            Self::Plain(digits) => digits.len(),
            Self::Fixed { whole, fraction } => whole.len() + ".".len() + fraction.len(),
            Self::Scaled { digits, point } => scaled_len(digits, *point),
        }
    }

    #[inline(always)]
    fn write<const SANITIZE: bool>(&self, writer: &mut LineWriter<'_, SANITIZE>) {
        match self {
            Self::Plain(digits) => writer.put(digits),
            Self::Fixed { whole, fraction } => {
                writer.put(whole);
                writer.put_byte(b'.');
                writer.put(fraction);
            }
            Self::Scaled { digits, point } => write_scaled(digits, *point, writer),
        }
    }
}

#[cold]
fn scaled_len(digits: &[u8], point: i32) -> usize {
    let size = point.unsigned_abs() as usize;
    match point {
        ..=0 => "0.".len() + size + digits.len(),
        _ if size >= digits.len() => size,
        _ => digits.len() + ".".len(),
    }
}

#[cold]
fn write_scaled<const SANITIZE: bool>(
    digits: &[u8],
    point: i32,
    writer: &mut LineWriter<'_, SANITIZE>,
) {
    let size = point.unsigned_abs() as usize;
    if point <= 0 {
        writer.put_constant(b"0.");
        (0..size).for_each(|_| writer.put_byte(b'0'));
        writer.put(digits);
    } else if size >= digits.len() {
        writer.put(digits);
        (digits.len()..size).for_each(|_| writer.put_byte(b'0'));
    } else {
        let (whole, fraction) = digits.split_at(size);
        writer.put(whole);
        writer.put_byte(b'.');
        writer.put(fraction);
    }
}

/// Buffer for the digits of an `f64` in its shortest decimal form, which has fewer than 24 digits.
pub(super) type FloatDigits = [u8; 24];

/// Parses a number in ryu's format (`12.5`, `0.001`, `1e16`, `1.5e-7`), and multiplies it by ten to
/// the power of `shift`. The result is exact.
#[cold]
pub(super) fn scaled<'a>(text: &str, shift: i32, digits: &'a mut FloatDigits) -> Decimal<'a> {
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(0)),
        None => (text, 0),
    };
    let whole = mantissa.find('.').unwrap_or(mantissa.len());
    let mut point = whole as i32 + exponent + shift;
    let mut count = 0;
    for &digit in mantissa.as_bytes().iter().filter(|digit| digit.is_ascii_digit()) {
        if count == 0 && digit == b'0' {
            point -= 1; // A leading zero.
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

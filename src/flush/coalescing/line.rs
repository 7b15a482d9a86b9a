//! Lines as coalescing reads them: which lines can be merged with others, and with which.

use memchr::memchr2;

/// Parts of a line of the form `name:value|type`, with a single value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// Text before the value, with the colon.
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    /// Text after the value, from the `|` before the type to the newline.
    pub(super) rest: &'a [u8],
}

/// Meaning of a line for the merger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Number of a counter, which can be added to others.
    Count(i64),
    /// Value of a gauge that replaces earlier ones.
    Absolute,
    /// Change of a gauge, or the second of the two lines that set a negative gauge.
    Signed,
    /// Any other line, which is passed on unchanged.
    Other,
}

impl<'a> Parts<'a> {
    /// Splits a line, with its newline, into its parts. Returns `None` for events, service checks,
    /// lines with several values, and all that is no metric.
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        let colon = memchr2(b':', b'|', line).filter(|&at| line[at] == b':' && at > 0)?;
        let (name, after) = line.split_at(colon + 1);
        let bar = memchr2(b':', b'|', after).filter(|&at| after[at] == b'|' && at > 0)?;
        let (value, rest) = after.split_at(bar);
        // The first fields of an event are lengths, a title and a text: `_e{1,1}:5|c`.
        let is_whole = rest.ends_with(b"\n") && !name.starts_with(b"_e{");
        is_whole.then_some(Self { name, value, rest })
    }

    pub(super) fn line_len(&self) -> usize {
        self.name.len() + self.value.len() + self.rest.len()
    }

    pub(super) fn meaning(&self, has_gauge_deltas: bool) -> Meaning {
        let is_counter = match self.rest {
            [b'|', b'c', b'\n' | b'|', ..] => true,
            [b'|', b'g', b'\n' | b'|', ..] => false,
            _ => return Meaning::Other,
        };
        if is_sampled_or_timed(&self.rest[2..]) {
            return Meaning::Other;
        }
        if is_counter {
            return whole_number(self.value).map_or(Meaning::Other, Meaning::Count);
        }
        match self.value {
            [b'+' | b'-', ..] if has_gauge_deltas => Meaning::Signed,
            [b'-', digits @ ..] | digits if is_plain_number(digits) => Meaning::Absolute,
            _ => Meaning::Other,
        }
    }
}

/// Returns true if one of the fields after the type is a sample rate (`|@0.5`) or a timestamp
/// (`|T1700000000`).
fn is_sampled_or_timed(fields: &[u8]) -> bool {
    // Most lines have no field, or one.
    let Some((_, fields)) = fields.split_first() else { return false };
    fields.split(|byte| *byte == b'|').any(|field| matches!(field, [b'@' | b'T', ..]))
}

/// Parses a whole decimal number with an optional `-`.
fn whole_number(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0_i64;
    for digit in digits {
        let digit = i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        number = number.checked_mul(10)?;
        // The lowest number has no positive counterpart.
        number =
            if is_negative { number.checked_sub(digit)? } else { number.checked_add(digit)? };
    }
    Some(number)
}

/// Returns true if the text is a decimal number without a sign or an exponent.
fn is_plain_number(text: &[u8]) -> bool {
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    parts.next().is_some_and(is_digits) && parts.next().is_none_or(is_digits)
}

#[cfg(test)]
mod tests {
    use super::Meaning::{Absolute, Count, Other, Signed};
    use super::*;

    #[track_caller]
    fn meaning(line: &str, has_gauge_deltas: bool) -> Meaning {
        let line = format!("{line}\n");
        Parts::of(line.as_bytes()).map_or(Other, |parts| parts.meaning(has_gauge_deltas))
    }

    #[test]
    fn lines_are_merged_only_if_their_value_alone_counts() {
        for (line, expected) in [
            ("a:1|c", Count(1)),
            ("a:-12|c", Count(-12)),
            ("a:007|c", Count(7)),
            ("a:-0|c", Count(0)),
            ("a:9223372036854775807|c", Count(i64::MAX)),
            ("a:-9223372036854775808|c", Count(i64::MIN)),
            ("a:9223372036854775808|c", Other),
            ("a:-9223372036854775809|c", Other),
            ("a:99999999999999999999999999|c", Other),
            ("a:1|c|#t:1,u", Count(1)),
            ("a:1|c|#t:1|c:ci-1|e:it-false|card:low", Count(1)),
            ("a,t=1:5|c", Count(5)),
            ("a[t=1]:5|c", Count(5)),
            ("a#t=1:5|c", Count(5)),
            ("a:1|c|@0.5", Other),
            ("a:1|c|@0.5|#t:1", Other),
            ("a:1|c|#t:1|@0.5", Other),
            ("a:1|c|T1700000000", Other),
            ("a:1|c|#t:1|T1700000000", Other),
            ("a:1|c|#T:1,@", Count(1)),
            ("a:1.5|c", Other),
            ("a:+1|c", Other),
            ("a:1e3|c", Other),
            ("a:|c", Other),
            ("a:-|c", Other),
            ("a:1 |c", Other),
            ("a:1:2|c", Other),
            ("a:b:1|c", Other),
            (":1|c", Other),
            ("a|1:1|c", Other),
            ("a:1|ct", Other),
            ("a:1|C", Other),
            ("a:1|", Other),
            ("a:1", Other),
            ("a", Other),
            ("", Other),
            ("a:1|ms", Other),
            ("a:1|h", Other),
            ("a:1|d", Other),
            ("a:1|m", Other),
            ("a:1|s", Other),
            ("_e{1,1}:5|c", Other),
            ("_e{1,1}:5|c|#t:1", Other),
            ("_sc|a|0|m:5|c", Other),
            ("_sc|a:5|c", Other),
        ] {
            for has_gauge_deltas in [false, true] {
                assert_eq!(meaning(line, has_gauge_deltas), expected, "{line}");
            }
        }
    }

    #[test]
    fn a_sign_is_a_change_of_a_gauge_only_where_servers_read_it_so() {
        for (line, with_deltas, without) in [
            ("a:1|g", Absolute, Absolute),
            ("a:1.25|g|#t:1", Absolute, Absolute),
            ("a:0|g", Absolute, Absolute),
            ("a:-1|g", Signed, Absolute),
            ("a:-1.5|g", Signed, Absolute),
            ("a:+1|g", Signed, Other),
            ("a:--1|g", Signed, Other),
            ("a:-|g", Signed, Other),
            ("a:1|g|@0.5", Other, Other),
            ("a:-1|g|T1700000000", Other, Other),
            ("a:1.|g", Other, Other),
            ("a:.5|g", Other, Other),
            ("a:1.2.3|g", Other, Other),
            ("a:1e3|g", Other, Other),
            ("a:x|g", Other, Other),
            ("a:1:2|g", Other, Other),
            ("a:1|gx", Other, Other),
        ] {
            assert_eq!(meaning(line, true), with_deltas, "{line}");
            assert_eq!(meaning(line, false), without, "{line}");
        }
    }

    #[test]
    fn a_line_without_its_newline_is_no_metric() {
        assert_eq!(Parts::of(b"a:1|c"), None);
        let parts = Parts { name: b"a:", value: b"1", rest: b"|c\n" };
        assert_eq!(Parts::of(b"a:1|c\n"), Some(parts));
    }
}

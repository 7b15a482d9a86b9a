//! Strict readers of StatsD's dialects, written from their documentation and knowing nothing of
//! freewheel: what is not exactly in the grammar is refused, with the reason.
//!
//! They are stricter than servers, which forgive much and each something else: what passes here is
//! what all of a dialect's servers read alike.

// Each test crate is compiled with all of this, and uses a part.
#![allow(dead_code)]

pub(crate) mod dogstatsd;
pub(crate) mod graphite;
pub(crate) mod influx;
pub(crate) mod librato;
pub(crate) mod plain;
pub(crate) mod signalfx;
mod tagged;

use std::fmt;

/// A line that holds a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) tags: Vec<Tag>,
    /// More than one where they are packed.
    pub(crate) values: Vec<String>,
    /// `c`, `g`, `ms` and so on.
    pub(crate) code: String,
    pub(crate) rate: Option<String>,
    pub(crate) timestamp: Option<u64>,
    pub(crate) origin: Origin,
}

/// A key, and a value if it has one.
pub(crate) type Tag = (String, Option<String>);

/// What DogStatsD's lines say of their sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) container: Option<String>,
    pub(crate) external_data: Option<String>,
    pub(crate) cardinality: Option<String>,
}

/// A line that is not in the grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) line: String,
    pub(crate) reason: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.reason, self.line)
    }
}

pub(crate) type Reason = &'static str;

/// Reads each line of a datagram, the last of which may end without a newline.
fn each_line<T>(
    datagram: &[u8],
    read: impl Fn(&str) -> Result<T, Reason>,
) -> Result<Vec<T>, Refused> {
    let refused = |line: &str, reason| Refused { line: line.to_owned(), reason };
    let text = str::from_utf8(datagram)
        .map_err(|_| refused(&String::from_utf8_lossy(datagram), "it is not UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').map(|line| read(line).map_err(|reason| refused(line, reason))).collect()
}

/// `{name}:{value}|{code}`, and what follows behind further bars.
struct Parts<'a> {
    name: &'a str,
    value: &'a str,
    code: &'a str,
    fields: std::str::Split<'a, char>,
}

impl<'a> Parts<'a> {
    fn of(line: &'a str) -> Result<Self, Reason> {
        require(!line.is_empty(), "an empty line")?;
        require(!line.contains(char::is_control), "a control character")?;
        let (metric, rest) = line.split_once('|').ok_or("no type")?;
        let (name, value) = metric.split_once(':').ok_or("no value")?;
        require(!name.is_empty(), "an empty name")?;
        let mut fields = rest.split('|');
        let code = fields.next().unwrap_or_default();
        Ok(Self { name, value, code, fields })
    }

    /// What is left must be a sample rate, or nothing.
    fn rate_alone(mut self, reader: &Reader) -> Result<Option<String>, Reason> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        let given = field.strip_prefix('@').ok_or("a field that is no sample rate")?;
        let read = reader.rate(self.code, given)?;
        require(self.fields.next().is_none(), "a field behind the sample rate")?;
        Ok(Some(read))
    }
}

/// What a dialect's servers make of names, values and rates: the strictest of them.
struct Reader {
    /// What ends a name at one of them, or begins tags in it.
    in_names: &'static [char],
    /// What ends a member, or is no longer the same member.
    in_members: &'static [char],
    /// Whether a gauge's value with a sign changes it.
    has_changes: bool,
    /// Whether a sign is read before numbers of gauges and counters alone, and before no member.
    refuses_signs: bool,
    /// Whether counters are cut to whole numbers of 64 bits.
    cuts_counters: bool,
    sampled: &'static [&'static str],
    /// For which types they make a whole number of lines of `1 / rate`, or of `value / rate`: they cut it.
    cut: &'static [&'static str],
}

impl Reader {
    fn name(&self, name: &str) -> Result<String, Reason> {
        require(!name.contains(self.in_names), "a separator in the name")?;
        Ok(name.to_owned())
    }

    /// One value, by its type.
    fn value(&self, text: &str, code: &str) -> Result<String, Reason> {
        let has_sign = text.starts_with(['-', '+']);
        require(
            !self.refuses_signs || !has_sign || matches!(code, "g" | "c"),
            "a sign that is not read",
        )?;
        let magnitude = match code {
            "s" => {
                require(!text.is_empty(), "an empty member")?;
                require(!text.contains(self.in_members), "a separator in a member")?;
                return Ok(text.to_owned());
            }
            "c" | "h" | "d" | "m" => text.strip_prefix('-').unwrap_or(text),
            "g" if self.has_changes => text.strip_prefix(['-', '+']).unwrap_or(text),
            "g" => text.strip_prefix('-').unwrap_or(text),
            _ => text,
        };
        require(is_plain_decimal(magnitude), "no plain decimal")?;
        require(code == "g" || text != "-0", "a zero below zero")?;
        let is_cut = code == "c" && self.cuts_counters;
        require(!is_cut || text.parse::<i64>().is_ok(), "a counter that is cut")?;
        Ok(text.to_owned())
    }

    /// More than 0, at most 1, of a type that is sampled, and weighed as it is meant.
    fn rate(&self, code: &str, text: &str) -> Result<String, Reason> {
        require(self.sampled.contains(&code), "a sample rate for a type that has none")?;
        require(is_plain_decimal(text), "a sample rate that is no plain decimal")?;
        let rate: f64 = text.parse().map_err(|_| "no number")?;
        require(rate > 0.0 && rate <= 1.0, "a sample rate outside (0, 1]")?;
        let is_whole = 1.0 / rate - (1.0 / rate).trunc() < 1e-9 / rate;
        require(is_whole || !self.cut.contains(&code), "a sample rate that is cut")?;
        Ok(text.to_owned())
    }
}

/// Digits, and perhaps a point and more digits. No exponent, and no zeros that say nothing.
fn is_plain_decimal(text: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_whole = is_digits(whole) && (whole == "0" || !whole.starts_with('0'));
    is_whole && fraction.is_none_or(|part| is_digits(part) && !part.ends_with('0'))
}

fn require(holds: bool, reason: Reason) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(reason) }
}

//! Strict parsers of the StatsD dialects for tests, written from the documentation of the dialects
//! and without freewheel's code.
//!
//! A line that is not exactly in the grammar is refused, with the reason. The parsers are stricter
//! than servers: each server tolerates other deviations. A line that passes here means the same to
//! every server of its dialect.

// Each test crate compiles all of the parsers and uses some of them.
#![allow(dead_code)]

pub(crate) mod dogstatsd;
pub(crate) mod graphite;
pub(crate) mod influx;
pub(crate) mod librato;
pub(crate) mod plain;
pub(crate) mod signalfx;
mod tagged;

use std::fmt;

/// Line of a metric after parsing: its name, tags, values, type and other fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) tags: Vec<Tag>,
    /// Values of the metric. A DogStatsD line can hold several values, separated by `:`.
    pub(crate) values: Vec<String>,
    /// Code of the metric's type: `c`, `g`, `ms` and so on.
    pub(crate) code: String,
    pub(crate) rate: Option<String>,
    pub(crate) timestamp: Option<u64>,
    pub(crate) origin: Origin,
}

/// Tag of a metric: its key, and its value if it has one.
pub(crate) type Tag = (String, Option<String>);

/// Fields of a DogStatsD line that identify the sender of the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) container: Option<String>,
    pub(crate) external_data: Option<String>,
    pub(crate) cardinality: Option<String>,
}

/// Error of a parser: a line that the dialect's grammar does not accept, and the reason.
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

/// Parses each line of a datagram with the function `read`, and returns the results or the first
/// refused line. The last line may end without a newline.
fn each_line<T>(
    datagram: &[u8],
    read: impl Fn(&str) -> Result<T, Reason>,
) -> Result<Vec<T>, Refused> {
    let refused = |line: &str, reason| Refused { line: line.to_owned(), reason };
    let text = str::from_utf8(datagram)
        .map_err(|_| refused(&String::from_utf8_lossy(datagram), "text that is not UTF-8"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').map(|line| read(line).map_err(|reason| refused(line, reason))).collect()
}

/// Parts of a line `{name}:{value}|{code}`, and the optional fields after further `|` characters.
struct Parts<'a> {
    name: &'a str,
    value: &'a str,
    code: &'a str,
    fields: std::str::Split<'a, char>,
}

impl<'a> Parts<'a> {
    /// Splits a line at its separators. Refuses an empty line, an empty name, a missing part and
    /// control characters, but does not check the syntax of the parts.
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

    /// Returns the sample rate of the line, if it has one, and refuses a line with any other field.
    fn only_rate(mut self, reader: &Reader) -> Result<Option<String>, Reason> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        let text = field.strip_prefix('@').ok_or("a field that is not a sample rate")?;
        let rate = reader.rate(self.code, text)?;
        require(self.fields.next().is_none(), "a field after the sample rate")?;
        Ok(Some(rate))
    }
}

/// Rules that the strictest servers of a dialect impose on names, values and sample rates.
struct Reader {
    /// Characters that a name must not contain, because a server would end the name or begin tags
    /// there.
    name_separators: &'static [char],
    /// Characters that a set member must not contain, because a server would end or alter the
    /// member there.
    member_separators: &'static [char],
    /// True if a value with a sign changes a gauge by that amount, instead of setting it.
    signs_change_gauges: bool,
    /// True if only the values of gauges and counters may begin with a sign. A set member must not
    /// begin with a sign then.
    refuses_signs: bool,
    /// True if the dialect's servers truncate counter values to 64-bit integers.
    truncates_counters: bool,
    /// Codes of the metric types that may have a sample rate.
    sampled: &'static [&'static str],
    /// Codes of the metric types for which a server rounds `1 / rate` or `value / rate` to an
    /// integer.
    rounds_rates: &'static [&'static str],
}

impl Reader {
    /// Returns the metric name, without tags, or an error if the name contains a separator.
    fn name(&self, name: &str) -> Result<String, Reason> {
        require(!name.contains(self.name_separators), "a separator in the name")?;
        Ok(name.to_owned())
    }

    /// Checks one value of a metric of the type `code`. Returns the value, or the reason why it is
    /// refused.
    fn value(&self, text: &str, code: &str) -> Result<String, Reason> {
        let has_sign = text.starts_with(['-', '+']);
        require(
            !self.refuses_signs || !has_sign || matches!(code, "g" | "c"),
            "a sign that the server does not accept",
        )?;
        let magnitude = match code {
            "s" => {
                require(!text.is_empty(), "an empty member")?;
                require(!text.contains(self.member_separators), "a separator in a member")?;
                return Ok(text.to_owned());
            }
            "c" | "h" | "d" | "m" => text.strip_prefix('-').unwrap_or(text),
            "g" if self.signs_change_gauges => text.strip_prefix(['-', '+']).unwrap_or(text),
            "g" => text.strip_prefix('-').unwrap_or(text),
            _ => text,
        };
        require(is_plain_decimal(magnitude), "not a plain decimal")?;
        require(code == "g" || text != "-0", "a negative zero")?;
        let is_truncated = code == "c" && self.truncates_counters;
        let is_exact = !is_truncated || text.parse::<i64>().is_ok();
        require(is_exact, "a counter that the server truncates")?;
        Ok(text.to_owned())
    }

    /// Checks a sample rate, and returns it or the reason why it is refused. The rate must be above
    /// 0 and at most 1, for a type that can be sampled, and not rounded by a server.
    fn rate(&self, code: &str, text: &str) -> Result<String, Reason> {
        require(self.sampled.contains(&code), "a sample rate for a type that is not sampled")?;
        require(is_plain_decimal(text), "a sample rate that is not a plain decimal")?;
        let rate: f64 = text.parse().map_err(|_| "not a number")?;
        require(rate > 0.0 && rate <= 1.0, "a sample rate outside (0, 1]")?;
        let is_whole = 1.0 / rate - (1.0 / rate).trunc() < 1e-9 / rate;
        let is_exact = is_whole || !self.rounds_rates.contains(&code);
        require(is_exact, "a sample rate that the server rounds")?;
        Ok(text.to_owned())
    }
}

/// Returns true if `text` consists of digits, optionally followed by a decimal point and more
/// digits.
///
/// An exponent or a redundant zero is not accepted.
fn is_plain_decimal(text: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_whole = is_digits(whole) && (whole == "0" || !whole.starts_with('0'));
    is_whole && fraction.is_none_or(|part| is_digits(part) && !part.ends_with('0'))
}

/// Returns `reason` as an error unless `holds` is true.
fn require(holds: bool, reason: Reason) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(reason) }
}

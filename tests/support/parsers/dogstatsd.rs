//! Parser of DogStatsD, versions 1.0 to 1.6, as the page "Datagram Format and Shell Usage"
//! documents the protocol:
//!
//! ```text
//! metric = name ":" value *( ":" value ) "|" code [ "|@" rate ] [ "|#" tags ] *field
//! field  = "|c:" container                     ; 1.2; "ci-" or "in-" before it from 1.4 on
//!        | "|T" seconds                        ; 1.3, only counts and gauges
//!        | "|e:" external                      ; 1.5
//!        | "|card:" cardinality                ; 1.6
//! event  = "_e{" length "," length "}:" title "|" text
//!          [ "|d:" seconds ] [ "|h:" host ] [ "|k:" key ] [ "|p:" priority ] [ "|s:" source ]
//!          [ "|t:" alert ] [ "|#" tags ] *field
//! check  = "_sc|" name "|" status [ "|d:" seconds ] [ "|h:" host ] [ "|#" tags ] *field
//!          [ "|m:" message ]
//! ```
//!
//! A name holds none of the characters that begin tags at other servers of this protocol. Nor does
//! it hold `@`, which the protocol's older text forbids. A set's member holds no `|`. The Agent
//! truncates `1 / rate`, except for counters.
//!
//! Values may be packed from version 1.1 on, except set members. A gauge's sign belongs to its
//! value. Lengths count the bytes of the escaped text. Each field occurs at most once.

use super::{Metric, Origin, Parts, Reader, Reason, Refused, Tag, each_line, require};
use std::str::Split;

const READER: Reader = Reader {
    name_separators: &['=', ',', ';', '#', '[', ']', '@'],
    member_separators: &['|'],
    signs_change_gauges: false,
    refuses_signs: false,
    truncates_counters: false,
    sampled: &["c", "ms", "h", "d"],
    rounds_rates: &["ms", "h", "d"],
};

/// Minor version of the DogStatsD protocol: `n` stands for version 1.`n`.
pub(crate) type Minor = u8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Metric(Metric),
    Event(Event),
    ServiceCheck(ServiceCheck),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Title of the event, with its line breaks unescaped.
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) timestamp: Option<u64>,
    pub(crate) hostname: Option<String>,
    pub(crate) aggregation_key: Option<String>,
    pub(crate) priority: Option<String>,
    pub(crate) source_type_name: Option<String>,
    pub(crate) alert_type: Option<String>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) origin: Origin,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServiceCheck {
    pub(crate) name: String,
    pub(crate) status: u8,
    pub(crate) timestamp: Option<u64>,
    pub(crate) hostname: Option<String>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) origin: Origin,
    /// Message of the service check, without escapes.
    pub(crate) message: Option<String>,
}

pub(crate) fn parse(datagram: &[u8], minor: Minor) -> Result<Vec<Line>, Refused> {
    each_line(datagram, |line| {
        if let Some(rest) = line.strip_prefix("_e{") {
            event(rest, minor).map(Line::Event)
        } else if let Some(rest) = line.strip_prefix("_sc") {
            service_check(rest, minor).map(Line::ServiceCheck)
        } else {
            metric(line, minor).map(Line::Metric)
        }
    })
}

fn metric(line: &str, minor: Minor) -> Result<Metric, Reason> {
    let mut parts = Parts::of(line)?;
    let code = parts.code;
    require(matches!(code, "c" | "g" | "ms" | "h" | "s" | "d"), "an unknown type")?;
    let values = match code {
        "s" => vec![READER.value(parts.value, code)?],
        _ => parts
            .value
            .split(':')
            .map(|value| READER.value(value, code))
            .collect::<Result<_, _>>()?,
    };
    require(values.len() == 1 || minor >= 1, "packed values before 1.1")?;
    let mut metric = Metric {
        name: READER.name(parts.name)?,
        values,
        code: code.to_owned(),
        ..Metric::default()
    };
    let mut fields = Fields::new(&mut parts.fields);
    if let Some(rate) = fields.take("@") {
        metric.rate = Some(READER.rate(code, rate)?);
    }
    metric.tags = fields.tags()?;
    let is_dated = matches!(code, "c" | "g") && minor >= 3;
    (metric.origin, metric.timestamp) = fields.origin(minor, is_dated)?;
    fields.end()?;
    Ok(metric)
}

fn event(rest: &str, minor: Minor) -> Result<Event, Reason> {
    let (lengths, rest) = rest.split_once("}:").ok_or("lengths that do not end")?;
    let (title, text) = lengths.split_once(',').ok_or("one length")?;
    let (title, text) = (length(title)?, length(text)?);
    require(title > 0, "an empty title")?;
    let (title, rest) = rest.split_at_checked(title).ok_or("a wrong length")?;
    let rest = rest.strip_prefix('|').ok_or("a wrong length")?;
    let (text, rest) = rest.split_at_checked(text).ok_or("a wrong length")?;
    require(rest.is_empty() || rest.starts_with('|'), "a wrong length")?;
    let mut event = Event { title: unescaped(title)?, text: unescaped(text)?, ..Event::default() };
    let mut split = rest.split('|');
    // The text before the first bar is empty.
    split.next();
    let mut fields = Fields::new(&mut split);
    event.timestamp = fields.take("d:").map(seconds).transpose()?;
    event.hostname = fields.text("h:")?;
    event.aggregation_key = fields.text("k:")?;
    event.priority = fields.one_of("p:", &["normal", "low"])?;
    event.source_type_name = fields.text("s:")?;
    event.alert_type = fields.one_of("t:", &["error", "warning", "info", "success"])?;
    event.tags = fields.tags()?;
    (event.origin, _) = fields.origin(minor, false)?;
    fields.end()?;
    Ok(event)
}

fn service_check(rest: &str, minor: Minor) -> Result<ServiceCheck, Reason> {
    let rest = rest.strip_prefix('|').ok_or("neither a service check nor a metric")?;
    let mut split = rest.split('|');
    let name = split.next().unwrap_or_default();
    require(!name.is_empty(), "an empty name")?;
    require(!name.contains(char::is_control), "a control character")?;
    let status = match split.next() {
        Some("0") => 0,
        Some("1") => 1,
        Some("2") => 2,
        Some("3") => 3,
        _ => return Err("no status from 0 to 3"),
    };
    let mut check = ServiceCheck { name: name.to_owned(), status, ..ServiceCheck::default() };
    let mut fields = Fields::new(&mut split);
    check.timestamp = fields.take("d:").map(seconds).transpose()?;
    check.hostname = fields.text("h:")?;
    check.tags = fields.tags()?;
    (check.origin, _) = fields.origin(minor, false)?;
    check.message = fields.take("m:").map(message).transpose()?;
    fields.end()?;
    Ok(check)
}

/// Optional fields of a DogStatsD line that are not parsed yet. They must be in the documented
/// order.
struct Fields<'a, 'f> {
    next: Option<&'a str>,
    rest: &'f mut Split<'a, char>,
}

impl<'a, 'f> Fields<'a, 'f> {
    fn new(rest: &'f mut Split<'a, char>) -> Self {
        Self { next: rest.next(), rest }
    }

    /// Consumes the next field of the line if the field begins with `prefix`, and returns the text
    /// after the prefix.
    fn take(&mut self, prefix: &str) -> Option<&'a str> {
        let field = self.next?.strip_prefix(prefix)?;
        self.next = self.rest.next();
        Some(field)
    }

    /// Consumes the next field of the line if the field begins with `prefix`. Returns the text
    /// after the prefix, or an error if the text is empty.
    fn text(&mut self, prefix: &str) -> Result<Option<String>, Reason> {
        let Some(text) = self.take(prefix) else { return Ok(None) };
        require(!text.is_empty(), "an empty field")?;
        require(!text.contains(char::is_control), "a control character")?;
        Ok(Some(text.to_owned()))
    }

    /// Consumes the next field of the line if the field begins with `prefix`. Returns the text
    /// after the prefix, or an error if it is not one of `known`.
    fn one_of(&mut self, prefix: &str, known: &[&str]) -> Result<Option<String>, Reason> {
        let text = self.text(prefix)?;
        require(text.as_deref().is_none_or(|text| known.contains(&text)), "an unknown word")?;
        Ok(text)
    }

    /// Consumes the field with the tags, if the line has one, and returns the tags.
    fn tags(&mut self) -> Result<Vec<Tag>, Reason> {
        let Some(text) = self.take("#") else { return Ok(Vec::new()) };
        require(!text.contains(char::is_control), "a control character")?;
        let tags = text.split(',').map(|tag| {
            let (key, value) = match tag.split_once(':') {
                Some((key, value)) => (key, Some(value)),
                None => (tag, None),
            };
            require(!key.is_empty(), "an empty key")?;
            require(value != Some(""), "an empty value")?;
            Ok((key.to_owned(), value.map(str::to_owned)))
        });
        tags.collect()
    }

    /// Consumes the fields of protocol version 1.2 and later, in any order. Returns the fields that
    /// identify the sender, and the timestamp.
    fn origin(&mut self, minor: Minor, is_dated: bool) -> Result<(Origin, Option<u64>), Reason> {
        let (mut origin, mut timestamp) = (Origin::default(), None);
        loop {
            let (is_known, target, field) = if let Some(text) = self.text("c:")? {
                let is_bare = !text.starts_with("ci-") && !text.starts_with("in-");
                require(is_bare == (minor < 4), "a container in the form of another version")?;
                let inode = text.strip_prefix("in-");
                require(inode.is_none_or(is_number), "an inode that is not a number")?;
                require(text != "ci-", "an empty field")?;
                (minor >= 2, &mut origin.container, text)
            } else if let Some(text) = self.text("e:")? {
                (minor >= 5, &mut origin.external_data, text)
            } else if let Some(text) =
                self.one_of("card:", &["none", "low", "orchestrator", "high"])?
            {
                (minor >= 6, &mut origin.cardinality, text)
            } else if let Some(text) = self.take("T") {
                require(is_dated, "a timestamp that this line cannot have")?;
                require(timestamp.replace(seconds(text)?).is_none(), "a repeated field")?;
                continue;
            } else {
                return Ok((origin, timestamp));
            };
            require(is_known, "a field of a later version")?;
            require(target.replace(field).is_none(), "a repeated field")?;
        }
    }

    /// Returns an error if the line has a field that is not parsed yet.
    fn end(&self) -> Result<(), Reason> {
        require(self.next.is_none(), "an unknown field or a wrong order of fields")
    }
}

fn length(text: &str) -> Result<usize, Reason> {
    require(is_number(text), "a length that is not a number")?;
    text.parse().map_err(|_| "a length that is not a number")
}

/// Parses a Unix timestamp in seconds, which must be above 0.
fn seconds(text: &str) -> Result<u64, Reason> {
    require(is_number(text), "a timestamp that is not a number")?;
    let seconds: i64 = text.parse().map_err(|_| "a timestamp that is not a number")?;
    require(seconds > 0, "a timestamp of 0")?;
    Ok(seconds.unsigned_abs())
}

fn is_number(text: &str) -> bool {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits && (text == "0" || !text.starts_with('0'))
}

/// Unescapes the title or text of an event: replaces each `\n` by a line break.
fn unescaped(text: &str) -> Result<String, Reason> {
    require(!text.contains(|c: char| c.is_control() && c != '\t'), "a control character")?;
    Ok(text.replace("\\n", "\n"))
}

/// Unescapes the message of a service check: replaces each `\n` by a line break, and each `m\:` by
/// `m:`.
fn message(text: &str) -> Result<String, Reason> {
    require(!text.is_empty(), "an empty message")?;
    require(!text.contains("m:"), "an `m:` in a message")?;
    unescaped(&text.replace("m\\:", "m:"))
}

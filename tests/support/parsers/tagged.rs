//! Shared parser of the dialects that append tags to the metric name: `name` + tags +
//! `:value|code[|@rate]`.
//!
//! Servers that read several of these dialects, such as statsd_exporter, refuse lines that mix
//! them. A separator of one dialect is therefore refused in the names, keys and values of all.

use super::{Metric, Parts, Reader, Reason, Tag, require};

/// Rules of Etsy's server for names, values and sample rates. This server does not round sample
/// rates.
pub(super) const READER: Reader = Reader {
    // `metric` checks the name without its tags.
    name_separators: &[],
    member_separators: &[':', '|'],
    signs_change_gauges: true,
    refuses_signs: false,
    truncates_counters: false,
    sampled: &["c", "ms", "h"],
    rounds_rates: &[],
};

/// Syntax of the tags that a dialect appends to the metric name, and the other rules of the
/// dialect.
pub(super) struct Syntax {
    pub(super) reader: Reader,
    /// Character before the first tag.
    pub(super) open: char,
    /// Character between two tags.
    pub(super) next: char,
    /// Character after the last tag, if the dialect has one.
    pub(super) close: Option<char>,
    /// Codes of the metric types that the dialect accepts.
    pub(super) codes: &'static [&'static str],
    /// Function that checks a tag's key and value by the additional rules in the dialect's
    /// documentation.
    pub(super) check_tag: fn(key: &str, value: &str) -> Result<(), Reason>,
}

pub(super) fn metric(line: &str, syntax: &Syntax) -> Result<Metric, Reason> {
    let parts = Parts::of(line)?;
    let code = parts.code.to_owned();
    require(syntax.codes.contains(&parts.code), "an unknown type")?;
    let values = vec![syntax.reader.value(parts.value, &code)?];
    let (name, tags) = match parts.name.split_once(syntax.open) {
        Some((name, tags)) => (name, read_tags(tags, syntax)?),
        None => (parts.name, Vec::new()),
    };
    require(!name.is_empty(), "an empty name")?;
    require(is_clean(name), "a separator in the name")?;
    let name = name.to_owned();
    let rate = parts.only_rate(&syntax.reader)?;
    Ok(Metric { name, tags, values, code, rate, ..Metric::default() })
}

fn read_tags(text: &str, syntax: &Syntax) -> Result<Vec<Tag>, Reason> {
    let text = match syntax.close {
        Some(close) => text.strip_suffix(close).ok_or("tags that do not end")?,
        None => text,
    };
    let tags = text.split(syntax.next).map(|tag| {
        let (key, value) = tag.split_once('=').ok_or("a tag without a value")?;
        require(!key.is_empty(), "an empty key")?;
        require(!value.is_empty(), "an empty value")?;
        require(is_clean(key) && is_clean(value), "a separator in a tag")?;
        (syntax.check_tag)(key, value)?;
        Ok((key.to_owned(), Some(value.to_owned())))
    });
    tags.collect()
}

/// Returns true if `text` contains no character that separates parts of a line in any of the
/// dialects.
fn is_clean(text: &str) -> bool {
    !text.contains([' ', ',', ';', '=', '#', '[', ']', ':', '|'])
}

//! What the dialects share whose tags stand in the name: `name` + tags + `:value|code[|@rate]`.
//!
//! Servers that read several of them, as statsd_exporter does, refuse lines that mix them: what
//! separates in one of them separates nothing in the others, and is in no name, key or value.

use super::{Metric, Parts, Reader, Reason, Tag, require};

/// Etsy's server weighs by any rate.
pub(super) const READER: Reader = Reader {
    // Looked at apart from the tags.
    in_names: &[],
    in_members: &[':', '|'],
    has_changes: true,
    refuses_signs: false,
    cuts_counters: false,
    sampled: &["c", "ms", "h"],
    cut: &[],
};

/// How a dialect writes its tags.
pub(super) struct Syntax {
    pub(super) reader: Reader,
    pub(super) open: char,
    pub(super) next: char,
    pub(super) close: Option<char>,
    pub(super) codes: &'static [&'static str],
    /// What the dialect's own documentation refuses in a key or a value.
    pub(super) check: fn(key: &str, value: &str) -> Result<(), Reason>,
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
    let rate = parts.rate_alone(&syntax.reader)?;
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
        (syntax.check)(key, value)?;
        Ok((key.to_owned(), Some(value.to_owned())))
    });
    tags.collect()
}

fn is_clean(text: &str) -> bool {
    !text.contains([' ', ',', ';', '=', '#', '[', ']', ':', '|'])
}

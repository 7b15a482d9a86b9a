//! Reference implementation of the line encoder, written from the documentation of `Dialect`: it
//! sanitizes texts and formats lines. The fuzz targets and `tests/hostile.rs` compare the encoder
//! with it.

use freewheel::Dialect;

/// Part of a metric line: name, tag key, tag value or set member. Each part has its own forbidden
/// characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LinePart {
    Name,
    Key,
    Value,
    Member,
}

pub const DIALECTS: [Dialect; 7] = [
    Dialect::StatsD,
    Dialect::Extended,
    Dialect::DogStatsD,
    Dialect::Graphite,
    Dialect::Influx,
    Dialect::Librato,
    Dialect::SignalFx,
];

/// Returns true if the StatsD dialect supports tags.
pub fn has_tags(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::StatsD | Dialect::Extended)
}

/// Returns true if the character is replaced by `_` in this part of a line.
pub fn is_forbidden(dialect: Dialect, part: LinePart, character: char) -> bool {
    let is_word = character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    let separates = match (dialect, part) {
        (Dialect::StatsD | Dialect::Extended | Dialect::DogStatsD, LinePart::Name) => {
            matches!(character, '#' | ',' | ':' | ';' | '=' | '@' | '[' | ']' | '|')
        }
        (Dialect::DogStatsD, LinePart::Member) => character == '|',
        (Dialect::StatsD | Dialect::Extended, LinePart::Member) => {
            matches!(character, ':' | '|' | '@' | '#')
        }
        (_, LinePart::Member) => matches!(character, ':' | '|'),
        (Dialect::DogStatsD, LinePart::Key) => matches!(character, ':' | '|' | ','),
        (Dialect::DogStatsD, LinePart::Value) => matches!(character, '|' | ','),
        (Dialect::Graphite, _) => !is_word,
        (Dialect::Influx | Dialect::Librato | Dialect::SignalFx, _) => matches!(
            character,
            ' ' | '!' | '#' | ',' | ':' | ';' | '=' | '[' | '\\' | ']' | '^' | '|' | '~'
        ),
        _ => matches!(character, ':' | '|'),
    };
    character.is_control() || separates
}

/// Returns `text` sanitized for a part of a line in the dialect, and true if sanitizing altered the
/// text.
pub fn clean(dialect: Dialect, part: LinePart, text: &str) -> (String, bool) {
    if text.is_empty() {
        return ("_".to_owned(), true);
    }
    let has_sign = text.starts_with(['+', '-'])
        && part == LinePart::Member
        && matches!(dialect, Dialect::StatsD | Dialect::Influx);
    let replace = |c| if is_forbidden(dialect, part, c) { '_' } else { c };
    let mut clean: String = text.chars().map(replace).collect();
    if has_sign {
        clean.replace_range(..1, "_");
    }
    let altered = clean != text;
    (clean, altered)
}

/// Returns the line that the encoder must write for a metric, without its newline, and true if the
/// name or a tag was altered. `field` (the value) is used unchanged.
pub fn line(
    dialect: Dialect,
    prefix: &str,
    name: &str,
    tags: &[(&str, &str)],
    field: &str,
    code: &str,
) -> (String, bool) {
    let (mut path, mut altered) = clean(dialect, LinePart::Name, name);
    if !prefix.is_empty() {
        path = format!("{prefix}.{path}");
    }
    let is_misread = path.starts_with("_sc") || path.starts_with("_e{");
    if dialect == Dialect::DogStatsD && is_misread {
        path.remove(0);
        altered = true;
    }
    let assignment = if dialect == Dialect::DogStatsD { ":" } else { "=" };
    let mut pairs = Vec::new();
    for (key, value) in tags {
        let (key, key_altered) = clean(dialect, LinePart::Key, key);
        let (value, value_altered) = clean(dialect, LinePart::Value, value);
        altered |= key_altered | value_altered;
        pairs.push(format!("{key}{assignment}{value}"));
    }
    let joined = |separator| pairs.join(separator);
    let line = match dialect {
        _ if tags.is_empty() => format!("{path}:{field}|{code}"),
        Dialect::DogStatsD => format!("{path}:{field}|{code}|#{}", joined(",")),
        Dialect::Graphite => format!("{path};{}:{field}|{code}", joined(";")),
        Dialect::Influx => format!("{path},{}:{field}|{code}", joined(",")),
        Dialect::Librato => format!("{path}#{}:{field}|{code}", joined(",")),
        Dialect::SignalFx => format!("{path}[{}]:{field}|{code}", joined(",")),
        _ => unreachable!("no tags in {dialect:?}"),
    };
    (line, altered)
}

//! A line put together piece by piece: nothing that a caller gives can end its field or its line.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What stands on each of a connector's lines, as it is rendered once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Surroundings<'a> {
    /// Tags that come before the line's own: `a:b,c:d`.
    pub(crate) tags: &'a str,
    /// Fields that say where the line is from, with their bars: `|c:ci-...|e:...|card:low`.
    pub(crate) origin: &'a str,
}

/// A whole line, with its newline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) line: String,
    /// Whether anything arrives otherwise than it was given.
    pub(crate) altered: bool,
}

impl Rendered {
    /// What is ours, and can be no other.
    pub(super) fn put(&mut self, piece: &str) -> &mut Self {
        self.line.push_str(piece);
        self
    }

    /// What is to fill a field: bars and control characters become `_`.
    pub(super) fn put_field(&mut self, given: &str) -> &mut Self {
        self.put_without(given, |character| character == '|')
    }

    /// A field that is left out where there is nothing to fill it.
    pub(super) fn put_optional(&mut self, name: &str, given: &str) -> &mut Self {
        if !given.is_empty() {
            self.put(name).put_field(given);
        }
        self
    }

    pub(super) fn put_timestamp(&mut self, timestamp: Option<SystemTime>) -> &mut Self {
        if let Some(timestamp) = timestamp {
            self.put("|d:").put(&unix_seconds(timestamp).to_string());
        }
        self
    }

    /// The connector's tags and then the line's own. A tag without a key is left out.
    pub(super) fn put_tags(&mut self, before: &str, own: &[(String, String)]) -> &mut Self {
        let mut separator = "|#";
        if !before.is_empty() {
            self.put(separator).put(before);
            separator = ",";
        }
        for (key, value) in own {
            if key.is_empty() {
                self.altered = true;
                continue;
            }
            self.put(separator);
            self.put_without(key, |character| matches!(character, '|' | ',' | ':'));
            if !value.is_empty() {
                self.put(":").put_without(value, |character| matches!(character, '|' | ','));
            }
            separator = ",";
        }
        self
    }

    /// Text that may be of several lines, whose breaks are escaped as `\n`. Other control characters
    /// become `_`, but for tabs, which nobody minds.
    ///
    /// Nothing escapes what looks like a break already: it goes as it is, is read as one, and counts
    /// as altered.
    pub(super) fn put_text(&mut self, given: &str) -> &mut Self {
        self.altered |= given.contains("\\n");
        let mut rest = given.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '\n' => self.line.push_str("\\n"),
                '\r' => {
                    self.altered = true;
                    rest.next_if_eq(&'\n');
                    self.line.push_str("\\n");
                }
                '\t' => self.line.push('\t'),
                _ if character.is_control() => {
                    self.altered = true;
                    self.line.push('_');
                }
                _ => self.line.push(character),
            }
        }
        self
    }

    fn put_without(&mut self, given: &str, is_separator: impl Fn(char) -> bool) -> &mut Self {
        let forbidden = |character: char| is_separator(character) || character.is_control();
        self.altered |= given.contains(forbidden);
        self.line.extend(given.chars().map(|c| if forbidden(c) { '_' } else { c }));
        self
    }
}

/// Whole seconds since 1970, rounded down; negative before.
fn unix_seconds(time: SystemTime) -> i64 {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => seconds(since),
        Err(before) => {
            let before = before.duration();
            -seconds(before) - i64::from(before.subsec_nanos() > 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(given: &str) -> Rendered {
        let mut rendered = Rendered::default();
        rendered.put_text(given);
        rendered
    }

    #[test]
    fn line_breaks_are_escaped_and_other_controls_replaced() {
        for (given, line, altered) in [
            ("one\ntwo\n", "one\\ntwo\\n", false),
            ("a|b:c,d#\ttab é", "a|b:c,d#\ttab é", false),
            ("dos\r\nmac\r", "dos\\nmac\\n", true),
            ("\r\r\n\n", "\\n\\n\\n", true),
            ("\0\x1b[31m\u{85}\x7f", "__[31m__", true),
            // Nothing escapes a backslash.
            ("C:\\new", "C:\\new", true),
            ("back\\slash\\", "back\\slash\\", false),
            ("\\\n", "\\\\n", false),
        ] {
            assert_eq!(text(given), Rendered { line: line.to_owned(), altered }, "{given:?}");
        }
    }

    #[test]
    fn tags_keep_to_themselves() {
        let tags = |before: &str, own: &[(&str, &str)]| {
            let own: Vec<_> = own.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            let mut rendered = Rendered::default();
            rendered.put_tags(before, &own);
            (rendered.line, rendered.altered)
        };
        for (before, own, line, altered) in [
            ("", &[][..], "", false),
            ("a:b,c", &[], "|#a:b,c", false),
            ("", &[("k", "v"), ("only", "")], "|#k:v,only", false),
            ("a:b", &[("url", "http://x:80/#y")], "|#a:b,url:http://x:80/#y", false),
            ("", &[("k", "v,forged:1|#x\n"), ("k:x", "v")], "|#k:v_forged:1_#x_,k_x:v", true),
            ("", &[("", "lost"), ("k", "v")], "|#k:v", true),
            ("", &[("", "lost")], "", true),
        ] {
            assert_eq!(tags(before, own), (line.to_owned(), altered), "{before:?} {own:?}");
        }
    }

    #[test]
    fn seconds_are_whole_and_never_later_than_the_time() {
        let at = |milliseconds: i64| {
            let distance = Duration::from_millis(milliseconds.unsigned_abs());
            let time = if milliseconds < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance };
            unix_seconds(time)
        };
        for (milliseconds, seconds) in [
            (0, 0),
            (999, 0),
            (1_656_581_400_500, 1_656_581_400),
            (-1, -1),
            (-1_000, -1),
            (-1_001, -2),
        ] {
            assert_eq!(at(milliseconds), seconds, "{milliseconds} ms");
        }
    }
}

//! A line put together piece by piece: nothing that a caller gives can end its field or its line.

use std::time::{SystemTime, UNIX_EPOCH};

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
pub(crate) struct Message {
    pub(crate) line: String,
    /// Whether anything arrives otherwise than it was given.
    pub(crate) altered: bool,
}

impl Message {
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

    /// Whole seconds after 1970 began. Servers have no others: those are left out.
    pub(super) fn put_timestamp(&mut self, timestamp: Option<SystemTime>) -> &mut Self {
        let seconds = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(since.as_secs()).ok().filter(|seconds| *seconds > 0)
        };
        match timestamp.map(seconds) {
            Some(Some(seconds)) => return self.put("|d:").put(&seconds.to_string()),
            Some(None) => self.altered = true,
            None => {}
        }
        self
    }

    /// The connector's tags and then the line's own.
    pub(super) fn put_tags(&mut self, before: &str, own: &[(String, String)]) -> &mut Self {
        let mut separator = "|#";
        if !before.is_empty() {
            self.put(separator).put(before);
            separator = ",";
        }
        for (key, value) in own {
            self.put(separator);
            self.put_part(key, |character| matches!(character, '|' | ',' | ':'));
            self.put(":").put_part(value, |character| matches!(character, '|' | ','));
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

    /// Half of a tag: `_` where it is empty.
    fn put_part(&mut self, given: &str, is_separator: impl Fn(char) -> bool) -> &mut Self {
        if given.is_empty() {
            self.altered = true;
            return self.put("_");
        }
        self.put_without(given, is_separator)
    }

    fn put_without(&mut self, given: &str, is_separator: impl Fn(char) -> bool) -> &mut Self {
        let forbidden = |character: char| is_separator(character) || character.is_control();
        self.altered |= given.contains(forbidden);
        self.line.extend(given.chars().map(|c| if forbidden(c) { '_' } else { c }));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn text(given: &str) -> Message {
        let mut rendered = Message::default();
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
            assert_eq!(text(given), Message { line: line.to_owned(), altered }, "{given:?}");
        }
    }

    #[test]
    fn tags_keep_to_themselves() {
        let tags = |before: &str, own: &[(&str, &str)]| {
            let own: Vec<_> = own.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            let mut rendered = Message::default();
            rendered.put_tags(before, &own);
            (rendered.line, rendered.altered)
        };
        for (before, own, line, altered) in [
            ("", &[][..], "", false),
            ("a:b,c", &[], "|#a:b,c", false),
            ("", &[("k", "v"), ("l", "w")], "|#k:v,l:w", false),
            ("a:b", &[("url", "http://x:80/#y")], "|#a:b,url:http://x:80/#y", false),
            ("", &[("k", "v,forged:1|#x\n"), ("k:x", "v")], "|#k:v_forged:1_#x_,k_x:v", true),
            ("", &[("", "v"), ("k", "")], "|#_:v,k:_", true),
        ] {
            assert_eq!(tags(before, own), (line.to_owned(), altered), "{before:?} {own:?}");
        }
    }

    #[test]
    fn times_are_whole_seconds_and_those_that_servers_do_not_have_are_left_out() {
        let at = |time: SystemTime| {
            let mut rendered = Message::default();
            rendered.put_timestamp(Some(time));
            (rendered.line, rendered.altered)
        };
        let after = |milliseconds| UNIX_EPOCH + Duration::from_millis(milliseconds);
        assert_eq!(at(after(1_656_581_400_999)), ("|d:1656581400".to_owned(), false));
        assert_eq!(at(after(1_000)), ("|d:1".to_owned(), false));
        assert_eq!(at(after(999)), (String::new(), true));
        assert_eq!(at(UNIX_EPOCH - Duration::from_secs(1)), (String::new(), true));
    }
}

//! Construction of lines for events and service checks, field by field. Sanitizing ensures that a
//! text of the caller can end neither its field nor the line.

use std::time::{SystemTime, UNIX_EPOCH};

/// Rendered tags and origin fields of a connector (the client handle), which each event and service
/// check contains.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConnectorFields<'a> {
    /// Tags of the connector, which precede the tags of the event or service check: `a:b,c:d`.
    pub(crate) tags: &'a str,
    /// Fields that identify the sender to the Datadog Agent, each with a leading bar:
    /// `|c:ci-...|e:...|card:low`.
    pub(crate) origin: &'a str,
}

/// Line of an event or a service check, complete or under construction. A complete line ends with a
/// newline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RenderedLine {
    pub(crate) line: String,
    /// True if the server will read a text or a time differently from what the caller gave.
    pub(crate) altered: bool,
}

impl RenderedLine {
    /// Appends the text `piece` to the line unchanged. The caller ensures that the text contains no
    /// forbidden character.
    pub(super) fn put(&mut self, piece: &str) -> &mut Self {
        self.line.push_str(piece);
        self
    }

    /// Appends the content of a field to the line. Bars (`|`) and control characters become `_`.
    pub(super) fn put_field(&mut self, given: &str) -> &mut Self {
        self.put_without(given, |character| character == '|')
    }

    /// Appends a field that consists of `name`, such as `|h:`, and the content `given`. Appends
    /// nothing if the content is empty.
    pub(super) fn put_optional(&mut self, name: &str, given: &str) -> &mut Self {
        if !given.is_empty() {
            self.put(name).put_field(given);
        }
        self
    }

    /// Appends a time to the line as Unix seconds. Omits times before 1970-01-01 00:00:01 UTC,
    /// which servers reject.
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

    /// Appends the tags of the connector to the line, followed by `own`, the tags of the event or
    /// service check.
    pub(super) fn put_tags(&mut self, connector: &str, own: &[(String, String)]) -> &mut Self {
        let mut separator = "|#";
        if !connector.is_empty() {
            self.put(separator).put(connector);
            separator = ",";
        }
        for (key, value) in own {
            self.put(separator);
            self.put_tag_part(key, |character| matches!(character, '|' | ',' | ':'));
            self.put(":").put_tag_part(value, |character| matches!(character, '|' | ','));
            separator = ",";
        }
        self
    }

    /// Appends a text that may have several lines. Line breaks are escaped as `\n`. Other control
    /// characters except tabs become `_`.
    ///
    /// The protocol has no escape for a backslash followed by an `n`. Such a text is sent unchanged,
    /// is read as a line break, and counts as altered.
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

    /// Appends a key or a value of a tag to the line, with `_` in place of each separator and
    /// control character. Appends `_` if the key or value is empty.
    fn put_tag_part(&mut self, given: &str, is_separator: impl Fn(char) -> bool) -> &mut Self {
        if given.is_empty() {
            self.altered = true;
            return self.put("_");
        }
        self.put_without(given, is_separator)
    }

    /// Appends a text to the line, with `_` in place of each control character and each character
    /// that `is_separator` selects.
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

    fn text(given: &str) -> RenderedLine {
        let mut rendered = RenderedLine::default();
        rendered.put_text(given);
        rendered
    }

    #[test]
    fn line_breaks_are_escaped_and_controls_replaced() {
        for (given, line, altered) in [
            ("one\ntwo\n", "one\\ntwo\\n", false),
            ("a|b:c,d#\ttab é", "a|b:c,d#\ttab é", false),
            ("dos\r\nmac\r", "dos\\nmac\\n", true),
            ("\r\r\n\n", "\\n\\n\\n", true),
            ("\0\x1b[31m\u{85}\x7f", "__[31m__", true),
            // The protocol has no escape for a backslash.
            ("C:\\new", "C:\\new", true),
            ("back\\slash\\", "back\\slash\\", false),
            ("\\\n", "\\\\n", false),
        ] {
            assert_eq!(text(given), RenderedLine { line: line.to_owned(), altered }, "{given:?}");
        }
    }

    #[test]
    fn tags_cannot_inject_fields() {
        let tags = |before: &str, own: &[(&str, &str)]| {
            let own: Vec<_> = own.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            let mut rendered = RenderedLine::default();
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
    fn times_are_seconds_and_rejected_ones_are_omitted() {
        let at = |time: SystemTime| {
            let mut rendered = RenderedLine::default();
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

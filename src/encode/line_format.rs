//! Precomputed text that all lines of one metric type share, such as prefixes, tags and the type
//! code.

use super::chunked_text::ChunkedText;
use super::line_writer::{LineWriter, Unclean};
use super::sanitize::CharacterRule;
use crate::options::Dialect;

/// Precomputed text and properties that all lines of one metric type share within one scope (the
/// dialect, prefixes and tags of a connector).
#[derive(Clone)]
pub(crate) struct LineFormat {
    /// Text before the name: the prefixes.
    pub(super) head: ChunkedText,
    /// Text between the metric name and the colon before the value: the tags of the connector, in
    /// dialects that put tags directly after the name.
    pub(super) after_name: ChunkedText,
    /// Text after the value: the type code, the tags of the connector in dialects that put tags at
    /// the end, the origin fields and the newline.
    pub(super) tail: ChunkedText,
    /// Total length in bytes of `head`, `after_name`, `tail` and the colon before the value.
    pub(super) len: usize,
    /// Rule that determines the characters that metric names must not contain.
    pub(super) rule: CharacterRule,
    /// True if a name must not begin with `_sc` or `_e{`. DogStatsD servers would read a line that
    /// begins with such a name as a service check or an event.
    pub(super) is_misreadable: bool,
    /// True if sanitizing altered a prefix or a tag of the connector. All lines then count as
    /// altered.
    pub(super) is_altered: bool,
    /// True if servers of the dialect add a signed value, such as `+1`, to a gauge instead of
    /// setting the gauge.
    pub(crate) has_deltas: bool,
    /// True if each call can use the fastest encoding: a [`Line`](super::Line) with the character
    /// rule `PlainName`, without sampling and without checks of the value.
    pub(crate) is_plain: bool,
    /// True if the dialect supports the metric type and no sampling is configured. All values that
    /// the dialect accepts can then be sent as a [`Line`](super::Line).
    pub(crate) is_direct: bool,
}

impl LineFormat {
    /// Creates the format of one metric type (the text that all its lines share) from the dialect
    /// and the text before the metric name. `Scope` fills in the other fields later.
    pub(super) fn new(head: ChunkedText, dialect: Dialect) -> Self {
        Self {
            head,
            after_name: ChunkedText::default(),
            tail: ChunkedText::default(),
            len: 0,
            rule: dialect.rules().name,
            is_misreadable: false,
            is_altered: false,
            has_deltas: dialect.has_gauge_deltas(),
            is_plain: false,
            is_direct: false,
        }
    }

    /// Returns the total length in bytes of all text that the lines share, and of the colon before
    /// the value.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the part of a metric name that can be written. Removes the `_` of a leading `_sc` or
    /// `_e{` if DogStatsD servers would read the line as a service check or an event.
    #[inline(always)]
    pub(super) fn leading_name<'n, const SANITIZE: bool>(
        &self,
        name: &'n str,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<&'n str, Unclean> {
        if !self.is_misreadable {
            return Ok(name);
        }
        if !SANITIZE {
            // Most names do not begin so, and the others are left to the sanitizing copy.
            return if name.as_bytes().first() == Some(&b'_') { Err(Unclean) } else { Ok(name) };
        }
        let leading = leading_text(name, self.rule);
        if leading.len() < name.len() {
            writer.mark_altered()?;
        }
        Ok(leading)
    }
}

/// Returns the text without its first character if servers would read the text as an event or a
/// service check. A forbidden first character counts as `_`, since sanitizing replaces it by `_`.
pub(super) fn leading_text(text: &str, rule: CharacterRule) -> &str {
    let mut characters = text.chars();
    let first = characters.next();
    let is_underscore = first.is_some_and(|c| c == '_' || rule.forbids(c));
    let rest = characters.as_str();
    if is_underscore && MISREAD.iter().any(|start| rest.starts_with(&start[1..])) {
        rest
    } else {
        text
    }
}

/// Texts at the beginning of a line by which DogStatsD servers recognize service checks and events.
const MISREAD: [&str; 2] = ["_sc", "_e{"];

/// Returns true if DogStatsD servers read a line with this beginning as a service check or an event.
pub(crate) fn is_misread(text: &[u8]) -> bool {
    MISREAD.iter().any(|start| text.starts_with(start.as_bytes()))
}

//! Format of the lines of one type: everything that is the same in all of them, rendered in advance.

use super::chunked_text::ChunkedText;
use super::dialect::Dialect;
use super::line_writer::{LineWriter, Unclean};
use super::sanitize::CharacterRule;

/// Constant parts of the lines of one type in one scope.
#[derive(Clone)]
pub(crate) struct LineFormat {
    /// Text before the name: the prefixes.
    pub(super) head: ChunkedText,
    /// Text between the name and the value's colon: the tags of the scope, in dialects with tags in
    /// the name.
    pub(super) after_name: ChunkedText,
    /// Text after the value: the type, the tags of the scope in other dialects, the origin fields and
    /// the newline.
    pub(super) tail: ChunkedText,
    /// Length of all these texts, and of the colon.
    pub(super) len: usize,
    /// Rule for names.
    pub(super) rule: CharacterRule,
    /// True if names need a check for `_sc` and `_e{`: they begin the line, in a dialect with events.
    pub(super) is_misreadable: bool,
    /// True if a text of the scope was altered.
    pub(super) is_altered: bool,
    /// True if a signed value changes a gauge instead of setting it.
    pub(crate) has_deltas: bool,
    /// True if all values can be sent as [`Line`](super::Line) with the usual rule for names, without
    /// sampling and further checks.
    pub(crate) is_plain: bool,
    /// True if the type is supported and not sampled: all values that the dialect accepts can be
    /// sent as [`Line`](super::Line).
    pub(crate) is_direct: bool,
}

impl LineFormat {
    /// Returns a format with this head, whose other parts are to be rendered.
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

    /// Returns the length of the constant parts, and of the colon.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the part of a name that can be written. In a dialect with events, servers would read
    /// a line that begins with `_sc` or `_e{` as something else: such a name loses its `_`.
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

/// Omits the first character of a text that servers would read as an event or a service check.
/// This includes a forbidden character, which sanitizing replaces by `_`.
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

/// Beginnings of service checks and events.
const MISREAD: [&str; 2] = ["_sc", "_e{"];

/// Returns true if DogStatsD servers read a line with this beginning as a service check or an event.
pub(crate) fn is_misread(text: &[u8]) -> bool {
    MISREAD.iter().any(|start| text.starts_with(start.as_bytes()))
}

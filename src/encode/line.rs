//! Lines for calls that give only a name and a value, without tags or other fields:
//! `{head}{name}{after_name}:{value}{tail}`.

use super::chunked_text::ChunkedText;
use super::encode_line::EncodeLine;
use super::line_format::LineFormat;
use super::line_writer::{LineWriter, Unclean};
use super::sanitize::CharacterRule;
use super::value_field::ValueField;

/// Line for a call that gives only a metric name and a value. The prefixes, the type and all other
/// text come from the precomputed `format`.
///
/// The constant `ANY_RULE` is false for lines whose format [is plain](LineFormat::is_plain), and true for
/// all others.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a, F, const ANY_RULE: bool = false> {
    pub(crate) format: &'a LineFormat,
    pub(crate) name: &'a str,
    pub(crate) field: F,
}

impl<F: ValueField, const ANY_RULE: bool> EncodeLine for Line<'_, F, ANY_RULE> {
    #[inline(always)]
    fn max_len(&self) -> usize {
        self.format.len() + self.name.len() + self.field.size()
    }

    fn is_nameless(&self) -> bool {
        self.name.is_empty()
    }

    #[inline(always)]
    fn is_altered(&self) -> bool {
        ANY_RULE && self.format.is_altered
    }

    #[inline(always)]
    fn encode<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        let Self { format, name, field } = *self;
        let mut name = name;
        if format.head.is_empty() {
            name = format.leading_name(name, writer)?;
        } else if ANY_RULE {
            writer.put_chunked(&format.head);
        } else {
            writer.put_short_chunked(&format.head);
        }
        if ANY_RULE {
            writer.put_text(name, format.rule)?;
            writer.put_chunked(&format.after_name);
        } else {
            writer.put_name(name, CharacterRule::PlainName)?;
        }
        field.put_after_colon(writer)?;
        if ANY_RULE {
            writer.put_chunked(&format.tail);
        } else {
            writer.put_tail(&format.tail);
        }
        Ok(())
    }
}

/// Line of `Connector::inject_metric`: the caller gives the metric's path, the value, and the type
/// code with any further fields, all as text.
#[derive(Clone, Copy)]
pub(crate) struct InjectedLine<'a> {
    head: &'a ChunkedText,
    path: &'a str,
    value: &'a str,
    code: &'a str,
    altered: bool,
}

impl<'a> InjectedLine<'a> {
    /// Creates a line from texts of the caller. Returns `None` if the value or the type code is
    /// empty or contains a control character, or if the value contains `:` or `|`.
    pub(crate) fn new(
        head: &'a ChunkedText,
        path: &'a str,
        value: &'a str,
        code: &'a str,
        altered: bool,
    ) -> Option<Self> {
        let is_value = !value.is_empty()
            && !value.chars().any(|character| CharacterRule::Field.forbids(character));
        let is_code = !code.is_empty() && !code.chars().any(char::is_control);
        (is_value && is_code).then_some(Self { head, path, value, code, altered })
    }
}

impl EncodeLine for InjectedLine<'_> {
    #[inline(always)]
    fn max_len(&self) -> usize {
        let fields = ":|\n".len() + self.value.len() + self.code.len();
        self.head.len() + self.path.len() + fields
    }

    fn is_nameless(&self) -> bool {
        self.path.is_empty()
    }

    #[inline(always)]
    fn is_altered(&self) -> bool {
        self.altered
    }

    #[inline(always)]
    fn encode<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        writer.put_chunked(self.head);
        writer.put_name(self.path, CharacterRule::Field)?;
        writer.put_byte(b':');
        writer.put(self.value.as_bytes());
        writer.put_byte(b'|');
        writer.put(self.code.as_bytes());
        writer.put_byte(b'\n');
        Ok(())
    }
}

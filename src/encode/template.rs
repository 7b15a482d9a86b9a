//! Prepared lines: everything except the value is rendered and sanitized in advance.

use super::chunked_text::ChunkedText;
use super::encode_line::EncodeLine;
use super::line_writer::{LineWriter, Unclean, render};
use super::tagged_line::LineSpec;
use super::tags::Tags;
use super::value_field::ValueField;
use std::fmt;

/// Template of a line: the text before and after the value, rendered and sanitized in advance.
pub(crate) struct LineTemplate {
    before_value: ChunkedText,
    after_value: ChunkedText,
    altered: bool,
}

impl LineTemplate {
    pub(crate) fn new<T: Tags>(spec: &LineSpec<'_, T>) -> Self {
        let (before_value, before_altered) =
            render(spec.size_before(), |writer| spec.put_before(writer));
        let (after_value, after_altered) =
            render(spec.size_after(), |writer| spec.put_after(writer));
        let altered = before_altered | after_altered | spec.scope.altered;
        Self { before_value, after_value, altered }
    }

    /// Returns true if sanitizing altered any text of the template.
    pub(crate) fn is_altered(&self) -> bool {
        self.altered
    }

    /// Renders the complete line of this template with the given value.
    pub(crate) fn with_value(&self, field: impl ValueField) -> ChunkedText {
        let (value, _) = render(field.size(), |writer| field.put(writer));
        ChunkedText::new(
            &[self.before_value.to_vec(), value.to_vec(), self.after_value.to_vec()].concat(),
        )
    }
}

impl fmt::Debug for LineTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = [&self.before_value, &self.after_value].map(ChunkedText::to_vec);
        let [before, after] = [&before, &after].map(|text| String::from_utf8_lossy(text));
        write!(f, "\"{before}…{}\"", after.trim_end())
    }
}

/// A complete line that consists of a template, rendered in advance, and a value.
///
/// The constant `MAY_BE_ALTERED` is false for lines whose template is not altered.
#[derive(Clone, Copy)]
pub(crate) struct PreparedLine<'a, F, const MAY_BE_ALTERED: bool> {
    pub(crate) template: &'a LineTemplate,
    pub(crate) field: F,
}

impl<F: ValueField, const MAY_BE_ALTERED: bool> EncodeLine for PreparedLine<'_, F, MAY_BE_ALTERED> {
    #[inline(always)]
    fn max_len(&self) -> usize {
        self.template.before_value.len() + self.field.size() + self.template.after_value.len()
    }

    #[inline(always)]
    fn is_altered(&self) -> bool {
        MAY_BE_ALTERED && self.template.altered
    }

    #[inline(always)]
    fn encode<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        writer.put_chunked(&self.template.before_value);
        self.field.put(writer)?;
        writer.put_chunked(&self.template.after_value);
        Ok(())
    }
}

/// A complete line that was rendered in advance, including its value.
#[derive(Clone, Copy)]
pub(crate) struct ConstantLine<'a> {
    pub(crate) text: &'a ChunkedText,
    pub(crate) altered: bool,
}

impl EncodeLine for ConstantLine<'_> {
    #[inline(always)]
    fn max_len(&self) -> usize {
        self.text.len()
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
        writer.put_chunked(self.text);
        Ok(())
    }
}

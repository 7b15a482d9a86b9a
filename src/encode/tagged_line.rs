//! Lines for calls that can add tags, a sample rate, a timestamp or a cardinality, in this form:
//!
//! ```text
//! {head}{name}{tags}:{value}|{type}{|@rate}{|#tags}{|Ttimestamp}{|card:}{end}
//! ```
//!
//! The dialect determines at which of the two places the tags are.

use super::chunked_text::ChunkedText;
use super::encode_line::EncodeLine;
use super::line_writer::{LineWriter, Unclean};
use super::metric_type::MetricType;
use super::sample::EffectiveRate;
use super::scope::Scope;
use super::tags::Tags;
use super::timestamp::Timestamp;
use super::value_field::ValueField;
use crate::options::Cardinality;

/// Parts of a line except its value: the connector's scope (its dialect, prefixes and tags), the
/// metric type, the name, the tags of the call, and further fields.
#[derive(Clone, Copy)]
pub(crate) struct LineSpec<'a, T> {
    pub(crate) scope: &'a Scope,
    pub(crate) metric_type: MetricType,
    pub(crate) name: &'a str,
    pub(crate) tags: T,
    pub(crate) rate: Option<&'a EffectiveRate>,
    pub(crate) optional: &'a OptionalFields,
}

/// Fields that a call may add to a line: a timestamp and a cardinality.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OptionalFields {
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) cardinality: Option<Cardinality>,
}

impl<T: Tags> LineSpec<'_, T> {
    #[inline(always)]
    fn head(&self) -> &ChunkedText {
        &self.scope.format(self.metric_type).head
    }

    /// Returns true if the line has at least one tag, either from the connector or from the call.
    #[inline(always)]
    fn has_tags(&self) -> bool {
        T::ANY || !self.scope.tags.is_empty()
    }

    #[inline(always)]
    fn tags_size(&self) -> usize {
        let Some(format) = &self.scope.tag_format else { return 0 };
        let closing = if self.has_tags() { format.syntax.closing.len() } else { 0 };
        self.scope.tags.len() + self.tags.size(format) + closing
    }

    #[inline(always)]
    fn put_tags<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        let Some(format) = &self.scope.tag_format else { return Ok(()) };
        writer.put_chunked(&self.scope.tags);
        self.tags.put(format, writer)?;
        if self.has_tags() {
            writer.put_short(format.syntax.closing);
        }
        Ok(())
    }

    /// Returns the maximum length in bytes of the text before the value. The maximum is the exact
    /// length if sanitizing alters no text.
    #[inline(always)]
    pub(super) fn size_before(&self) -> usize {
        self.head().len()
            + self.name.len().max("_".len())
            + ":".len()
            + if self.scope.tags_at_end { 0 } else { self.tags_size() }
    }

    /// Returns the maximum length in bytes of the text after the value. The maximum is the exact
    /// length if sanitizing alters no text.
    #[inline(always)]
    pub(super) fn size_after(&self) -> usize {
        let OptionalFields { timestamp, cardinality } = self.optional;
        self.metric_type.field().len()
            + self.rate.map_or(0, |rate| "|@".len() + rate.text().len())
            + if self.scope.tags_at_end { self.tags_size() } else { 0 }
            + timestamp.as_ref().map_or(0, |timestamp| "|T".len() + timestamp.text().len())
            + cardinality.map_or(0, |cardinality| "|card:".len() + cardinality.as_str().len())
            + self.end().len()
    }

    /// Returns the text at the end of the line: the origin fields and the newline. Omits the
    /// connector's cardinality if the call sets one.
    #[inline(always)]
    fn end(&self) -> &ChunkedText {
        match self.optional.cardinality {
            None => &self.scope.end,
            Some(_) => &self.scope.end_without_cardinality,
        }
    }

    /// Writes the part of the line before the value, including the colon, to `writer`.
    #[inline(always)]
    pub(super) fn put_before<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        let format = self.scope.format(self.metric_type);
        writer.put_chunked(&format.head);
        let name = format.leading_name(self.name, writer)?;
        writer.put_text(name, self.scope.rules.name)?;
        if !self.scope.tags_at_end {
            self.put_tags(writer)?;
        }
        writer.put_byte(b':');
        Ok(())
    }

    /// Writes the part of the line after the value to `writer`.
    #[inline(always)]
    pub(super) fn put_after<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        writer.put_short(self.metric_type.field());
        if let Some(rate) = self.rate {
            writer.put_constant(b"|@");
            writer.put(rate.text());
        }
        if self.scope.tags_at_end {
            self.put_tags(writer)?;
        }
        if let Some(timestamp) = &self.optional.timestamp {
            writer.put_constant(b"|T");
            writer.put(timestamp.text());
        }
        if let Some(cardinality) = self.optional.cardinality {
            writer.put_constant(b"|card:");
            writer.put(cardinality.as_str().as_bytes());
        }
        writer.put_chunked(self.end());
        Ok(())
    }
}

/// A complete line for a call that can add tags and further fields: a `LineSpec` and the value.
#[derive(Clone, Copy)]
pub(crate) struct TaggedLine<'a, T, F> {
    pub(crate) spec: LineSpec<'a, T>,
    pub(crate) field: F,
}

impl<T: Tags, F: ValueField> EncodeLine for TaggedLine<'_, T, F> {
    #[inline(always)]
    fn max_len(&self) -> usize {
        self.spec.size_before() + self.field.size() + self.spec.size_after()
    }

    fn is_nameless(&self) -> bool {
        self.spec.name.is_empty()
    }

    #[inline(always)]
    fn is_altered(&self) -> bool {
        self.spec.scope.altered
    }

    #[inline(always)]
    fn encode<const SANITIZE: bool>(
        &self,
        writer: &mut LineWriter<'_, SANITIZE>,
    ) -> Result<(), Unclean> {
        self.spec.put_before(writer)?;
        self.field.put(writer)?;
        self.spec.put_after(writer)
    }
}

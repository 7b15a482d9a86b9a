//! Lines with tags, sample rate and optional fields:
//!
//! ```text
//! {head}{name}{tags}:{value}|{type}{|@rate}{|#tags}{|Ttimestamp}{|card:}{end}
//! ```
//!
//! The dialect determines at which of the two places the tags are.

use super::cardinality::Cardinality;
use super::chunked_text::ChunkedText;
use super::line::SizedLine;
use super::line_writer::LineWriter;
use super::metric_type::MetricType;
use super::sample::EffectiveRate;
use super::scope::Scope;
use super::tags::Tags;
use super::timestamp::Timestamp;
use super::value_field::ValueField;
use crate::handoff::{EncodeLine, MARGIN, WriteOutcome};

/// Everything that a line contains except its value.
#[derive(Clone, Copy)]
pub(crate) struct LineSpec<'a, T> {
    pub(crate) scope: &'a Scope,
    pub(crate) metric_type: MetricType,
    pub(crate) name: &'a str,
    pub(crate) tags: T,
    pub(crate) rate: Option<&'a EffectiveRate>,
    pub(crate) optional: &'a OptionalFields,
}

/// Fields that only some lines have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OptionalFields {
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) cardinality: Option<Cardinality>,
}

impl<T: Tags> LineSpec<'_, T> {
    #[inline(always)]
    fn head(&self) -> &ChunkedText {
        self.scope.head(self.metric_type)
    }

    #[inline(always)]
    fn tags_size(&self) -> usize {
        let Some(format) = &self.scope.tag_format else { return 0 };
        let has_tags = T::ANY || !self.scope.tags.is_empty();
        let closing = if has_tags { format.syntax.closing.len() } else { 0 };
        self.scope.tags.len() + self.tags.size(format) + closing
    }

    /// Writes the tags. Returns true if they are certainly clean; otherwise they may be incomplete.
    #[inline(always)]
    fn put_tags(&self, writer: &mut LineWriter<'_>) -> bool {
        let Some(format) = &self.scope.tag_format else { return true };
        writer.put_chunked(&self.scope.tags);
        let is_clean = self.tags.put(format, writer);
        if T::ANY || !self.scope.tags.is_empty() {
            writer.put_short(format.syntax.closing);
        }
        is_clean
    }

    /// Writes the tags with each forbidden character replaced. Returns true if any was.
    fn put_sanitized_tags(&self, writer: &mut LineWriter<'_>) -> bool {
        let Some(format) = &self.scope.tag_format else { return false };
        writer.put_chunked(&self.scope.tags);
        let altered = self.tags.put_sanitized(format, writer);
        if T::ANY || !self.scope.tags.is_empty() {
            writer.put_short(format.syntax.closing);
        }
        altered
    }

    /// Returns the maximum length of the text before the value.
    #[inline(always)]
    pub(super) fn size_before(&self) -> usize {
        self.head().len()
            + self.name.len()
            + ":".len()
            + if self.scope.tags_at_end { 0 } else { self.tags_size() }
    }

    /// Returns the maximum length of the text after the value.
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

    /// Returns the origin fields and the newline.
    #[inline(always)]
    fn end(&self) -> &ChunkedText {
        match self.optional.cardinality {
            None => &self.scope.end,
            Some(_) => &self.scope.end_without_cardinality,
        }
    }

    /// Writes the text before the value. Returns true if it is certainly clean; otherwise it may be
    /// incomplete.
    #[inline(always)]
    fn put_before(&self, writer: &mut LineWriter<'_>) -> bool {
        let head = self.head();
        writer.put_chunked(head);
        if !writer.put_text(self.name, self.scope.rules.name)
            || (head.is_empty() && self.scope.misread_len(self.name) > 0)
            || !(self.scope.tags_at_end || self.put_tags(writer))
        {
            return false;
        }
        writer.put_byte(b':');
        true
    }

    /// Writes the text after the value. Returns true if it is certainly clean; otherwise it may be
    /// incomplete.
    #[inline(always)]
    fn put_after(&self, writer: &mut LineWriter<'_>) -> bool {
        self.put_type(writer);
        if self.scope.tags_at_end && !self.put_tags(writer) {
            return false;
        }
        self.put_end(writer);
        true
    }

    /// Writes the type and the rate.
    #[inline(always)]
    fn put_type(&self, writer: &mut LineWriter<'_>) {
        writer.put_short(self.metric_type.field());
        if let Some(rate) = self.rate {
            writer.put_constant(b"|@");
            writer.put(rate.text());
        }
    }

    /// Writes the fields after the tags.
    #[inline(always)]
    fn put_end(&self, writer: &mut LineWriter<'_>) {
        if let Some(timestamp) = &self.optional.timestamp {
            writer.put_constant(b"|T");
            writer.put(timestamp.text());
        }
        if let Some(cardinality) = self.optional.cardinality {
            writer.put_constant(b"|card:");
            writer.put(cardinality.as_str().as_bytes());
        }
        writer.put_chunked(self.end());
    }

    /// Writes the text before the value with each forbidden character replaced. Returns true if any
    /// was, here or in the scope.
    pub(super) fn put_sanitized_before(&self, writer: &mut LineWriter<'_>) -> bool {
        let head = self.head();
        writer.put_chunked(head);
        let mut altered = self.scope.altered;
        if head.is_empty() {
            altered |= self.put_leading_name(writer);
        } else {
            altered |= writer.put_sanitized_text(self.name, self.scope.rules.name);
        }
        if !self.scope.tags_at_end {
            altered |= self.put_sanitized_tags(writer);
        }
        writer.put_byte(b':');
        altered
    }

    /// Writes a name at the beginning of the line. Returns true if it was altered.
    fn put_leading_name(&self, writer: &mut LineWriter<'_>) -> bool {
        let name = self.scope.leading_name(self.name);
        let is_shorter = name.len() < self.name.len();
        writer.put_sanitized_text(name, self.scope.rules.name) | is_shorter
    }

    /// Writes the text after the value with each forbidden character replaced. Returns true if any
    /// was.
    pub(super) fn put_sanitized_after(&self, writer: &mut LineWriter<'_>) -> bool {
        self.put_type(writer);
        let altered = self.scope.tags_at_end && self.put_sanitized_tags(writer);
        self.put_end(writer);
        altered
    }
}

/// A line with its value.
pub(crate) struct TaggedLine<'a, T, F> {
    pub(crate) spec: LineSpec<'a, T>,
    pub(crate) field: F,
}

impl<T: Tags, F: ValueField> TaggedLine<'_, T, F> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.spec.size_before() + self.field.size() + self.spec.size_after()
    }
}

impl<T: Tags, F: ValueField> SizedLine for TaggedLine<'_, T, F> {
    #[inline(always)]
    fn size(&self) -> usize {
        Self::size(self)
    }
}

impl<T: Tags, F: ValueField> EncodeLine for TaggedLine<'_, T, F> {
    #[inline(always)]
    fn lines(&self) -> u64 {
        1
    }

    #[inline(always)]
    fn write_fast(&self, room: &mut [u8]) -> usize {
        let room_before = room.len();
        if self.size() + MARGIN > room_before || self.spec.scope.altered {
            return 0;
        }
        let mut writer = LineWriter::new(room);
        let is_clean = self.spec.put_before(&mut writer)
            && self.field.put(&mut writer)
            && self.spec.put_after(&mut writer);
        if is_clean { room_before - writer.remaining() } else { 0 }
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        if self.spec.name.is_empty() {
            return WriteOutcome::Invalid;
        }
        if self.size() + MARGIN > room.len() {
            return WriteOutcome::NoRoom(self.size());
        }
        let room_before = room.len();
        let mut writer = LineWriter::new(room);
        let altered_before = self.spec.put_sanitized_before(&mut writer);
        let altered_field = self.field.put_sanitized(&mut writer);
        let altered_after = self.spec.put_sanitized_after(&mut writer);
        let altered = altered_before | altered_field | altered_after;
        WriteOutcome::Line { bytes: room_before - writer.remaining(), altered }
    }
}

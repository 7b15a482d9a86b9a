//! Lines with all that a dialect offers:
//!
//! ```text
//! {head}{name}{tags}:{value}|{type}{|@rate}{|#tags}{|Ttimestamp}{|card:}{end}
//! ```
//!
//! with the tags in one of the two places, by dialect.

use super::chunked_text::ChunkedText;
use super::dialect::{Cardinality, MetricType};
use super::line::SizedLine;
use super::line_writer::LineWriter;
use super::sample::EffectiveRate;
use super::scope::Scope;
use super::tags::Tags;
use super::timestamp::Timestamp;
use super::value_field::ValueField;
use crate::handoff::{EncodeLine, MARGIN, WriteOutcome};

/// All that a line holds but for its value.
#[derive(Clone, Copy)]
pub(crate) struct LineSpec<'a, T> {
    pub(crate) scope: &'a Scope,
    pub(crate) metric_type: MetricType,
    pub(crate) name: &'a str,
    pub(crate) tags: T,
    pub(crate) rate: Option<&'a EffectiveRate>,
    pub(crate) optional: &'a OptionalFields,
}

/// What few lines have.
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
        let Some(writer) = &self.scope.writer else { return 0 };
        self.scope.tags.len() + self.tags.size(writer) + writer.syntax.close.len()
    }

    #[inline(always)]
    fn put_tags(&self, text: &mut LineWriter<'_>) -> bool {
        let Some(writer) = &self.scope.writer else { return true };
        text.put_rendered(&self.scope.tags);
        let is_clean = self.tags.put(writer, text);
        if T::ANY || !self.scope.tags.is_empty() {
            text.put_short(writer.syntax.close);
        }
        is_clean
    }

    fn put_cleaned_tags(&self, text: &mut LineWriter<'_>) -> bool {
        let Some(writer) = &self.scope.writer else { return false };
        text.put_rendered(&self.scope.tags);
        let altered = self.tags.put_cleaned(writer, text);
        if T::ANY || !self.scope.tags.is_empty() {
            text.put_short(writer.syntax.close);
        }
        altered
    }

    /// The size of what comes before the value, at most.
    #[inline(always)]
    pub(super) fn size_before(&self) -> usize {
        self.head().len()
            + self.name.len()
            + ":".len()
            + if self.scope.tags_last { 0 } else { self.tags_size() }
    }

    /// The size of what comes after it, at most.
    #[inline(always)]
    pub(super) fn size_after(&self) -> usize {
        let OptionalFields { timestamp, cardinality } = self.optional;
        self.metric_type.code().len()
            + self.rate.map_or(0, |rate| "|@".len() + rate.text().len())
            + if self.scope.tags_last { self.tags_size() } else { 0 }
            + timestamp.as_ref().map_or(0, |timestamp| "|T".len() + timestamp.text().len())
            + cardinality.map_or(0, |cardinality| "|card:".len() + cardinality.as_str().len())
            + self.end().len()
    }

    #[inline(always)]
    fn end(&self) -> &ChunkedText {
        match self.optional.cardinality {
            None => &self.scope.end,
            Some(_) => &self.scope.end_without_cardinality,
        }
    }

    /// Puts down what comes before the value; false, and perhaps not all of it, if that is not
    /// clean for sure.
    #[inline(always)]
    fn put_before(&self, text: &mut LineWriter<'_>) -> bool {
        let head = self.head();
        text.put_rendered(head);
        if !text.put_text(self.name, self.scope.rules.name)
            || (head.is_empty() && self.scope.skipped(self.name) > 0)
            || !(self.scope.tags_last || self.put_tags(text))
        {
            return false;
        }
        text.put_byte(b':');
        true
    }

    #[inline(always)]
    fn put_after(&self, text: &mut LineWriter<'_>) -> bool {
        self.put_type(text);
        if self.scope.tags_last && !self.put_tags(text) {
            return false;
        }
        self.put_end(text);
        true
    }

    /// The type and the rate.
    #[inline(always)]
    fn put_type(&self, text: &mut LineWriter<'_>) {
        text.put_short(self.metric_type.code());
        if let Some(rate) = self.rate {
            text.put_constant(b"|@");
            text.put(rate.text());
        }
    }

    /// All behind the tags.
    #[inline(always)]
    fn put_end(&self, text: &mut LineWriter<'_>) {
        if let Some(timestamp) = &self.optional.timestamp {
            text.put_constant(b"|T");
            text.put(timestamp.text());
        }
        if let Some(cardinality) = self.optional.cardinality {
            text.put_constant(b"|card:");
            text.put(cardinality.as_str().as_bytes());
        }
        text.put_rendered(self.end());
    }

    /// Puts down what comes before the value, made clean; whether anything was altered.
    pub(super) fn put_cleaned_before(&self, text: &mut LineWriter<'_>) -> bool {
        let head = self.head();
        text.put_rendered(head);
        let mut altered = self.scope.altered;
        if head.is_empty() {
            altered |= self.put_first_name(text);
        } else {
            altered |= text.put_cleaned_text(self.name, self.scope.rules.name);
        }
        if !self.scope.tags_last {
            altered |= self.put_cleaned_tags(text);
        }
        text.put_byte(b':');
        altered
    }

    /// A name that begins the line.
    fn put_first_name(&self, text: &mut LineWriter<'_>) -> bool {
        let name = self.scope.first_name(self.name);
        let is_shorter = name.len() < self.name.len();
        text.put_cleaned_text(name, self.scope.rules.name) | is_shorter
    }

    /// Puts down what comes after the value, made clean; whether anything was altered.
    pub(super) fn put_cleaned_after(&self, text: &mut LineWriter<'_>) -> bool {
        self.put_type(text);
        let altered = self.scope.tags_last && self.put_cleaned_tags(text);
        self.put_end(text);
        altered
    }
}

/// A line of that spec.
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
        let mut text = LineWriter::new(room);
        let is_clean = self.spec.put_before(&mut text)
            && self.field.put(&mut text)
            && self.spec.put_after(&mut text);
        if is_clean { room_before - text.left() } else { 0 }
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        if self.spec.name.is_empty() {
            return WriteOutcome::Invalid;
        }
        if self.size() + MARGIN > room.len() {
            return WriteOutcome::NoRoom(self.size());
        }
        let room_before = room.len();
        let mut text = LineWriter::new(room);
        let altered_before = self.spec.put_cleaned_before(&mut text);
        let altered_field = self.field.put_cleaned(&mut text);
        let altered_after = self.spec.put_cleaned_after(&mut text);
        let altered = altered_before | altered_field | altered_after;
        WriteOutcome::Line { bytes: room_before - text.left(), altered }
    }
}

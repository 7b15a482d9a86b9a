//! Prepared lines: everything except the value is rendered and sanitized in advance.

use super::chunked_text::ChunkedText;
use super::line::SizedLine;
use super::line_writer::LineWriter;
use super::tagged_line::LineSpec;
use super::tags::Tags;
use super::value_field::ValueField;
use crate::handoff::{EncodeLine, MARGIN, WriteOutcome};

/// A line without its value.
pub(crate) struct LineTemplate {
    before_value: ChunkedText,
    after_value: ChunkedText,
    altered: bool,
}

impl LineTemplate {
    pub(crate) fn new<T: Tags>(spec: &LineSpec<'_, T>) -> Self {
        let (before_value, before_altered) =
            render(spec.size_before(), |writer| spec.put_sanitized_before(writer));
        let (after_value, after_altered) =
            render(spec.size_after(), |writer| spec.put_sanitized_after(writer));
        Self { before_value, after_value, altered: before_altered | after_altered }
    }

    /// Returns true if any text of a caller was altered.
    pub(crate) fn is_altered(&self) -> bool {
        self.altered
    }

    /// Renders the whole line with this value.
    pub(crate) fn with_value(&self, field: impl ValueField) -> ChunkedText {
        let (value, _) = render(field.size(), |writer| field.put_sanitized(writer));
        let parts = [self.before_value.bytes(), value.bytes(), self.after_value.bytes()];
        ChunkedText::new(&parts.concat())
    }
}

/// Renders up to `size` bytes. Returns them and the result of `put`.
fn render(size: usize, put: impl FnOnce(&mut LineWriter<'_>) -> bool) -> (ChunkedText, bool) {
    let mut space = vec![0; size + MARGIN];
    let capacity = space.len();
    let mut writer = LineWriter::new(&mut space);
    let altered = put(&mut writer);
    let len = capacity - writer.remaining();
    (ChunkedText::new(&space[..len]), altered)
}

/// A prepared line with its value.
pub(crate) struct PreparedLine<'a, F> {
    pub(crate) template: &'a LineTemplate,
    pub(crate) field: F,
}

impl<F: ValueField> PreparedLine<'_, F> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.template.before_value.len() + self.field.size() + self.template.after_value.len()
    }
}

impl<F: ValueField> SizedLine for PreparedLine<'_, F> {
    #[inline(always)]
    fn size(&self) -> usize {
        Self::size(self)
    }
}

impl<F: ValueField> EncodeLine for PreparedLine<'_, F> {
    #[inline(always)]
    fn lines(&self) -> u64 {
        1
    }

    #[inline(always)]
    fn write_fast(&self, room: &mut [u8]) -> usize {
        if self.size() + MARGIN > room.len() {
            return 0;
        }
        let mut writer = LineWriter::new(room);
        writer.put_chunked(&self.template.before_value);
        if !self.field.put(&mut writer) {
            return 0;
        }
        writer.put_chunked(&self.template.after_value);
        self.size()
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        if self.size() + MARGIN > room.len() {
            return WriteOutcome::NoRoom(self.size());
        }
        let room_before = room.len();
        let mut writer = LineWriter::new(room);
        writer.put_chunked(&self.template.before_value);
        let altered = self.field.put_sanitized(&mut writer);
        writer.put_chunked(&self.template.after_value);
        WriteOutcome::Line { bytes: room_before - writer.remaining(), altered }
    }
}

/// A prepared line whose value is a constant too.
pub(crate) struct ConstantLine<'a>(pub(crate) &'a ChunkedText);

impl EncodeLine for ConstantLine<'_> {
    #[inline(always)]
    fn lines(&self) -> u64 {
        1
    }

    #[inline(always)]
    fn write_fast(&self, room: &mut [u8]) -> usize {
        if self.0.len() + MARGIN > room.len() {
            return 0;
        }
        LineWriter::new(room).put_chunked(self.0);
        self.0.len()
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        match self.write_fast(room) {
            0 => WriteOutcome::NoRoom(self.0.len()),
            bytes => WriteOutcome::Line { bytes, altered: false },
        }
    }
}

/// A line whose scope or name was altered in advance. It always takes the slow path, which counts
/// it as altered.
pub(crate) struct AlteredLine<L>(pub(crate) L);

impl<L: EncodeLine> EncodeLine for AlteredLine<L> {
    fn lines(&self) -> u64 {
        self.0.lines()
    }
    fn write_fast(&self, _room: &mut [u8]) -> usize {
        0
    }
    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        match self.0.write(room) {
            WriteOutcome::Line { bytes, .. } => WriteOutcome::Line { bytes, altered: true },
            other => other,
        }
    }
}

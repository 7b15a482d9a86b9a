//! LineTemplate lines: all but the value is rendered and made clean beforehand.

use super::chunked_text::ChunkedText;
use super::line::SizedLine;
use super::line_writer::LineWriter;
use super::tagged_line::LineSpec;
use super::tags::Tags;
use super::value_field::ValueField;
use crate::handoff::{EncodeLine, MARGIN, WriteOutcome};

/// A line without its value.
pub(crate) struct LineTemplate {
    before: ChunkedText,
    after: ChunkedText,
    altered: bool,
}

impl LineTemplate {
    pub(crate) fn new<T: Tags>(spec: &LineSpec<'_, T>) -> Self {
        let (before, begin_altered) =
            render(spec.size_before(), |text| spec.put_cleaned_before(text));
        let (after, end_altered) = render(spec.size_after(), |text| spec.put_cleaned_after(text));
        Self { before, after, altered: begin_altered | end_altered }
    }

    /// Whether anything was altered to be safe.
    pub(crate) fn is_altered(&self) -> bool {
        self.altered
    }

    /// The whole line with this value.
    pub(crate) fn whole(&self, field: impl ValueField) -> ChunkedText {
        let (value, _) = render(field.size(), |text| field.put_cleaned(text));
        ChunkedText::new(&[self.before.bytes(), value.bytes(), self.after.bytes()].concat())
    }
}

fn render(size: usize, put: impl FnOnce(&mut LineWriter<'_>) -> bool) -> (ChunkedText, bool) {
    let mut space = vec![0; size + MARGIN];
    let room = space.len();
    let mut text = LineWriter::new(&mut space);
    let altered = put(&mut text);
    let used = room - text.left();
    (ChunkedText::new(&space[..used]), altered)
}

/// A prepared line with its value.
pub(crate) struct PreparedLine<'a, F> {
    pub(crate) template: &'a LineTemplate,
    pub(crate) field: F,
}

impl<F: ValueField> PreparedLine<'_, F> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.template.before.len() + self.field.size() + self.template.after.len()
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
        let mut text = LineWriter::new(room);
        text.put_rendered(&self.template.before);
        if !self.field.put(&mut text) {
            return 0;
        }
        text.put_rendered(&self.template.after);
        self.size()
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        if self.size() + MARGIN > room.len() {
            return WriteOutcome::NoRoom(self.size());
        }
        let room_before = room.len();
        let mut text = LineWriter::new(room);
        text.put_rendered(&self.template.before);
        let altered = self.field.put_cleaned(&mut text);
        text.put_rendered(&self.template.after);
        WriteOutcome::Line { bytes: room_before - text.left(), altered }
    }
}

/// A prepared line whose value never changes.
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
        LineWriter::new(room).put_rendered(self.0);
        self.0.len()
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        match self.write_fast(room) {
            0 => WriteOutcome::NoRoom(self.0.len()),
            bytes => WriteOutcome::Line { bytes, altered: false },
        }
    }
}

/// Lines of a scope or name that had to be altered: each is counted as such, which takes the
/// unusual way.
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

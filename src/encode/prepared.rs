//! Prepared lines: all but the value is rendered and made clean beforehand.

use super::field::Field;
use super::line::OneLine;
use super::rendered::Rendered;
use super::tagged_line::LineSpec;
use super::tags::Tags;
use super::text::Text;
use crate::handoff::{EncodeLine, MARGIN, WriteOutcome};

/// A line without its value.
pub(crate) struct Prepared {
    before: Rendered,
    after: Rendered,
    altered: bool,
}

impl Prepared {
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
    pub(crate) fn whole(&self, field: impl Field) -> Rendered {
        let (value, _) = render(field.size(), |text| field.put_cleaned(text));
        Rendered::new(&[self.before.bytes(), value.bytes(), self.after.bytes()].concat())
    }
}

fn render(size: usize, put: impl FnOnce(&mut Text<'_>) -> bool) -> (Rendered, bool) {
    let mut space = vec![0; size + MARGIN];
    let room = space.len();
    let mut text = Text::new(&mut space);
    let altered = put(&mut text);
    let used = room - text.left();
    (Rendered::new(&space[..used]), altered)
}

/// A prepared line with its value.
pub(crate) struct PreparedLine<'a, F> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) field: F,
}

impl<F: Field> PreparedLine<'_, F> {
    #[inline(always)]
    fn size(&self) -> usize {
        self.prepared.before.len() + self.field.size() + self.prepared.after.len()
    }
}

impl<F: Field> OneLine for PreparedLine<'_, F> {
    #[inline(always)]
    fn size(&self) -> usize {
        Self::size(self)
    }
}

impl<F: Field> EncodeLine for PreparedLine<'_, F> {
    #[inline(always)]
    fn lines(&self) -> u64 {
        1
    }

    #[inline(always)]
    fn write_fast(&self, room: &mut [u8]) -> usize {
        if self.size() + MARGIN > room.len() {
            return 0;
        }
        let mut text = Text::new(room);
        text.put_rendered(&self.prepared.before);
        if !self.field.put(&mut text) {
            return 0;
        }
        text.put_rendered(&self.prepared.after);
        self.size()
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        if self.size() + MARGIN > room.len() {
            return WriteOutcome::NoRoom(self.size());
        }
        let room_before = room.len();
        let mut text = Text::new(room);
        text.put_rendered(&self.prepared.before);
        let altered = self.field.put_cleaned(&mut text);
        text.put_rendered(&self.prepared.after);
        WriteOutcome::Line { bytes: room_before - text.left(), altered }
    }
}

/// A prepared line whose value never changes.
pub(crate) struct Whole<'a>(pub(crate) &'a Rendered);

impl EncodeLine for Whole<'_> {
    #[inline(always)]
    fn lines(&self) -> u64 {
        1
    }

    #[inline(always)]
    fn write_fast(&self, room: &mut [u8]) -> usize {
        if self.0.len() + MARGIN > room.len() {
            return 0;
        }
        Text::new(room).put_rendered(self.0);
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
pub(crate) struct Altered<L>(pub(crate) L);

impl<L: EncodeLine> EncodeLine for Altered<L> {
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

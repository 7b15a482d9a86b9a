//! Counters of lines and of their bytes, which one thread updates and any thread reads.

use crate::tally::Tally;
use freewheel_handoff::SingleWriterTally;

// The hand-off's type is no part of the public interface, so there is no `From`.
impl Tally {
    /// Returns the tally of lines that are the records of the hand-off.
    pub(crate) fn of_records(tally: freewheel_handoff::Tally) -> Self {
        Self { lines: tally.records, bytes: tally.bytes }
    }

    fn as_records(self) -> freewheel_handoff::Tally {
        freewheel_handoff::Tally { records: self.lines, bytes: self.bytes }
    }
}

/// Counter of lines and their bytes, which one thread adds to and any thread may read.
#[derive(Default)]
pub(crate) struct LineTally(SingleWriterTally);

impl LineTally {
    /// Adds lines to a counter that the flusher task updates: see [`SingleWriterTally::add`].
    pub(crate) fn add(&self, more: Tally) {
        self.0.add(more.as_records());
    }

    /// Adds lines to a counter that a producer thread updates before it publishes the lines: see
    /// [`SingleWriterTally::count`].
    pub(crate) fn count(&self, more: Tally) {
        self.0.count(more.as_records());
    }

    pub(crate) fn read(&self) -> Tally {
        Tally::of_records(self.0.read())
    }
}

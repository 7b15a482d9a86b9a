//! Counters of lines and of their bytes, which one thread updates and any thread reads.

use crate::tally::Tally;
use freewheel_handoff::SingleWriterTally;

impl From<freewheel_handoff::Tally> for Tally {
    fn from(freewheel_handoff::Tally { records, bytes }: freewheel_handoff::Tally) -> Self {
        Self { lines: records, bytes }
    }
}

impl From<Tally> for freewheel_handoff::Tally {
    fn from(Tally { lines, bytes }: Tally) -> Self {
        Self { records: lines, bytes }
    }
}

/// Counter of lines and their bytes, which one thread adds to and any thread may read.
#[derive(Default)]
pub(crate) struct LineTally(SingleWriterTally);

impl LineTally {
    /// Adds lines to a counter that the flusher task updates: see [`SingleWriterTally::add`].
    pub(crate) fn add(&self, more: Tally) {
        self.0.add(more.into());
    }

    /// Adds lines to a counter that a producer thread updates before it publishes the lines: see
    /// [`SingleWriterTally::count`].
    pub(crate) fn count(&self, more: Tally) {
        self.0.count(more.into());
    }

    pub(crate) fn read(&self) -> Tally {
        self.0.read().into()
    }
}

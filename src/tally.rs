//! Tallies: counts of lines and of their bytes.

use freewheel_handoff::SingleWriterTally;
use std::ops::{Add, AddAssign};

/// Number of lines, and the number of their bytes including newlines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Tally {
    /// Number of counted lines.
    pub lines: u64,
    /// Number of bytes of all counted lines, including their newlines.
    pub bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

impl Add for Tally {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

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

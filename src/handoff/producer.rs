//! A producer: what one emitting thread shows to the others.

use super::block::{CurrentBlock, WriterCell};
use crate::sync::AtomicU64;
use std::ops::AddAssign;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A number of lines, and of their bytes, newlines included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines.
    pub lines: u64,
    /// Bytes of these lines, each with its newline.
    pub bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

impl std::ops::Add for Tally {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Tally {
    /// Without those, or nothing where they are more.
    pub(super) fn less(self, those: Self) -> Self {
        let lines = self.lines.saturating_sub(those.lines);
        Self { lines, bytes: self.bytes.saturating_sub(those.bytes) }
    }
}

/// A tally that one thread adds to and any may read; on an emitting thread without a
/// read-modify-write.
#[derive(Default)]
pub(crate) struct SingleWriterTally {
    lines: AtomicU64,
    bytes: AtomicU64,
}

impl SingleWriterTally {
    /// For the flusher: what it sent is in here after what was emitted is in the producers.
    pub(crate) fn add(&self, more: Tally) {
        // ORDERING: Release, both, pair with the Acquire loads in `read`: who reads that a line
        // was sent, and then the producers, reads there that it was emitted, as the flusher
        // learned from its publishing. Model: sent_is_not_before_emitted.
        self.bytes.fetch_add(more.bytes, Release);
        // ORDERING: Release, as above. Model: sent_is_not_before_emitted.
        self.lines.fetch_add(more.lines, Release);
    }

    /// For emitting threads, whose lines are published after this.
    #[inline(always)]
    pub(super) fn count(&self, more: Tally) {
        // ORDERING: Relaxed, both. Published with the line; and exact for whoever is ordered after
        // the thread by other means (a join, a message, a flush).
        self.lines.store(self.lines.load(Relaxed) + more.lines, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed) + more.bytes, Relaxed);
    }

    pub(crate) fn read(&self) -> Tally {
        // ORDERING: Acquire, both, pair with the Release stores in `add`.
        // Model: sent_is_not_before_emitted.
        let lines = self.lines.load(Acquire);
        // ORDERING: Acquire, as above. Model: sent_is_not_before_emitted.
        let bytes = self.bytes.load(Acquire);
        Tally { lines, bytes }
    }
}

/// What one thread, and after its end the next in its place, has emitted.
#[derive(Default)]
pub(super) struct Producer {
    /// The thread's own.
    pub(super) rest: WriterCell,
    pub(super) window: CurrentBlock,
    pub(super) accepted: SingleWriterTally,
    pub(super) full: SingleWriterTally,
    pub(super) oversize: SingleWriterTally,
    pub(super) invalid: SingleWriterTally,
    pub(super) unsupported: SingleWriterTally,
    /// Lines that are in `accepted` too, and found the ordered queue full after that.
    pub(super) rejected_late: SingleWriterTally,
    /// Lines of which something was altered to be safe; a tally of accepted ones.
    pub(super) altered: SingleWriterTally,
}

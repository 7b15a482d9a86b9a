//! Writer cell: place where a producer thread keeps the writer of its current block between two
//! records.

use super::{Block, BlockWriter, Handle};
use crate::sync::{AccessTracker, ThreadGuard};
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

/// Storage for the `BlockWriter` of a producer thread while the thread is not writing a record.
///
/// Only the thread itself uses the fields. They are not loom's atomics, so that loom has less to
/// explore.
#[derive(Default)]
pub(crate) struct WriterCell {
    block: std::sync::atomic::AtomicPtr<Block>,
    published: std::sync::atomic::AtomicUsize,
    size: std::sync::atomic::AtomicUsize,
    /// Detects, only in loom's build, two threads that use this `WriterCell` at the same time.
    tracker: AccessTracker,
}

/// Writer of a producer thread, borrowed from its `WriterCell` to write one record. It holds the
/// `ThreadGuard`, so that the thread cannot start another record meanwhile.
pub(crate) struct LentWriter<'a> {
    cell: &'a WriterCell,
    writer: BlockWriter,
    /// Guard that keeps the thread from starting another record. Dropping it allows the thread to
    /// write again.
    _guard: ThreadGuard,
}

impl WriterCell {
    /// Borrows the writer of the current thread for one record. Returns `None` if the thread has no
    /// block yet.
    #[inline(always)]
    pub(crate) fn lend(&self, guard: ThreadGuard) -> Option<LentWriter<'_>> {
        Some(LentWriter { cell: self, writer: self.load()?, _guard: guard })
    }

    #[inline(always)]
    fn load(&self) -> Option<BlockWriter> {
        self.tracker.track_write(0, 1);
        // ORDERING: Relaxed, both. Only this thread uses them. The release of its ID orders them
        // before the next owner's accesses.
        let block = NonNull::new(self.block.load(Relaxed))?;
        let (published, size) = (self.published.load(Relaxed), self.size.load(Relaxed));
        Some(BlockWriter { block: Handle(block), published, size })
    }

    /// Returns the number of bytes that can still be appended to the thread's block, or `None` if
    /// the thread has no block yet.
    pub(crate) fn available(&self, _guard: &ThreadGuard) -> Option<usize> {
        self.load().map(|writer| writer.available())
    }

    /// Stores the writer of the first block of the current thread. All blocks of the thread have the
    /// same size.
    pub(crate) fn begin(&self, _guard: &mut ThreadGuard, first: BlockWriter) {
        // ORDERING: Relaxed. As in `load`.
        self.size.store(first.size, Relaxed);
        self.store(&first);
    }

    /// Stores the writer of the first block of a thread that does not exist yet.
    pub(crate) fn begin_early(&mut self, first: BlockWriter) {
        *self.block.get_mut() = first.block.0.as_ptr();
        *self.published.get_mut() = first.published;
        *self.size.get_mut() = first.size;
    }

    /// Moves the current thread to the spare block behind its current block, which becomes full.
    /// Returns false if there is no spare block.
    #[inline]
    pub(crate) fn advance(&self, _guard: &mut ThreadGuard) -> bool {
        let Some(mut writer) = self.load() else { return false };
        let advanced = writer.advance();
        if advanced {
            self.store(&writer);
        }
        advanced
    }

    /// Moves the current thread to the block `empty`. The thread's current block becomes full.
    ///
    /// # Panics
    /// If the thread has no block yet.
    pub(crate) fn advance_to(&self, _guard: &mut ThreadGuard, empty: BlockWriter) {
        let mut writer = self.load().expect("the thread has a block");
        writer.advance_to(empty);
        self.store(&writer);
    }

    #[inline]
    fn store(&self, writer: &BlockWriter) {
        // ORDERING: Relaxed, both. As in `load`.
        self.block.store(writer.block.0.as_ptr(), Relaxed);
        self.published.store(writer.published, Relaxed);
    }
}

impl LentWriter<'_> {
    /// Writes to all unpublished bytes of the thread's block, so that their pages are in memory.
    pub(crate) fn touch(&mut self) {
        self.writer.touch();
    }

    /// Returns the number of bytes that still fit into the thread's block.
    #[inline(always)]
    pub(crate) fn available(&self) -> usize {
        self.writer.available()
    }

    /// Returns the first `len` unpublished bytes of the thread's block for writing, and [`MARGIN`]
    /// spare bytes after them.
    #[inline(always)]
    pub(crate) fn unpublished(&mut self, len: usize) -> &mut [u8] {
        self.writer.unpublished(len)
    }

    /// Makes the next `len` bytes of the thread's block readable for the consumer.
    #[inline(always)]
    pub(crate) fn publish(&mut self, len: usize) {
        self.writer.publish(len);
        // ORDERING: Relaxed. As in `WriterCell::load`.
        self.cell.published.store(self.writer.published, Relaxed);
    }
}

//! BlockPool: the memory that two threads touch, and all the `unsafe` of the crate.
//!
//! A block is filled by one thread and read by the flusher, at the same time:
//!
//! ```text
//!   bytes   | lines the flusher may read | the writer's alone |
//!           0                        published              len
//! ```
//!
//! Rights are values. A [`BlockWriter`] is the right to append to a block, a [`SealedBlock`] the
//! right to hand it on when all was read; each block has exactly one of the two, so
//! moving it is the hand-off. A [`BlockView`] may be held by many: it gives access to
//! published bytes alone, and only against the [`ReadPermit`], of which there is one.
//!
//! The invariants that every `unsafe` below rests on:
//!
//! 1. **Alive.** A block is freed when its [`BlockPool`] is dropped, and not before. Every
//!    handle is kept in the `Exchange` that owns the `BlockPool`, or in the `Consumer`
//!    that keeps that `Exchange` alive.
//! 2. **One writer.** Bytes from `published` on are touched by the holder of the block's
//!    `BlockWriter` alone. `BlockWriter` is not `Clone`, and appending takes `&mut BlockWriter`. Between two lines it lies in
//!    the [`WriterCell`] of its thread's place, which lends it for a [`ThreadGuard`] of that thread.
//! 3. **Published bytes are frozen.** `published` only grows while a `BlockWriter` exists. It goes
//!    back to 0 in [`SealedBlock::recycle`] alone, which takes `&mut ReadPermit`: then no slice
//!    read through `&ReadPermit` is alive. Both check that it is the block's own `ReadPermit`.
//!
//! The types keep 2 and 3, and an assertion where they cannot; but that a thread uses the `WriterCell` of its
//! own place is up to `ThreadSlots`. They do not keep 1: that would cost every line a reference count, or
//! `unsafe` a place outside of this file.

#![allow(unsafe_code)]

use crate::sync::{AccessTracker, AtomicPtr, AtomicUsize, ThreadGuard};
use crossbeam_queue::SegQueue;
use crossbeam_utils::CachePadded;
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::panic::RefUnwindSafe;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// How much longer a block is than what it can publish, so that short pieces can be copied in
/// whole chunks up to its end.
pub(crate) const MARGIN: usize = 64;

struct Block {
    /// Whose `ReadPermit` may read it.
    of: u64,
    /// How many bytes the flusher may read: whole lines.
    published: AtomicUsize,
    bytes: Box<[UnsafeCell<u8>]>,
    watch: AccessTracker,
    /// How many of them the flusher has taken. Only the flusher touches it: on a cache line of
    /// its own, away from what the writer uses at every line.
    flushed: CachePadded<AtomicUsize>,
}

/// A panic while a line is written publishes nothing of it.
impl RefUnwindSafe for Block {}

/// A pointer to a block: what all handles are made of.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Handle(NonNull<Block>);

// SAFETY: a `Block` is shared by design: its atomics are `Sync`, its bytes are
// governed by invariants 2 and 3.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Deref for Handle {
    type Target = Block;
    #[inline(always)]
    fn deref(&self) -> &Block {
        // SAFETY: made from a leaked box in `BlockPool::make`, and alive by invariant 1.
        unsafe { self.0.as_ref() }
    }
}

/// All blocks of one exchange, the one place that makes and frees them.
pub(crate) struct BlockPool {
    id: u64,
    block_size: usize,
    /// How many more may be made for all threads together.
    budget: AtomicUsize,
    made: SegQueue<Handle>,
}

/// The right to read published bytes and to recycle blocks. One for each `BlockPool`.
pub(crate) struct ReadPermit {
    of: u64,
}

impl BlockPool {
    pub(crate) fn new(block_size: usize, budget: usize) -> (Self, ReadPermit) {
        static IDS: AtomicU64 = AtomicU64::new(0);
        // ORDERING: Relaxed. A read-modify-write gives each number out once.
        let id = IDS.fetch_add(1, Relaxed);
        let budget = AtomicUsize::new(budget);
        (Self { id, block_size, budget, made: SegQueue::new() }, ReadPermit { of: id })
    }

    pub(crate) fn block_size(&self) -> usize {
        self.block_size
    }

    /// A block outside the budget: the one that a thread brings.
    pub(crate) fn make(&self) -> BlockWriter {
        let block = Box::new(Block {
            of: self.id,
            published: AtomicUsize::new(0),
            bytes: (0..self.block_size + MARGIN).map(|_| UnsafeCell::new(0)).collect(),
            watch: AccessTracker::new(self.block_size),
            flushed: CachePadded::new(AtomicUsize::new(0)),
        });
        let handle = Handle(NonNull::from(Box::leak(block)));
        self.made.push(handle);
        BlockWriter { block: handle, published: 0 }
    }

    /// A block within the budget, made when it is first needed.
    pub(crate) fn allocate_within_budget(&self) -> Option<BlockWriter> {
        // ORDERING: Relaxed. Nothing is read on the strength of this number; a
        // read-modify-write gives each unit of it out once.
        let take_one = |left: usize| left.checked_sub(1);
        self.budget.fetch_update(Relaxed, Relaxed, take_one).ok()?;
        Some(self.make())
    }
}

impl Drop for BlockPool {
    fn drop(&mut self) {
        while let Some(handle) = self.made.pop() {
            // SAFETY: leaked in `make` and in `made` once; by invariant 1 no handle is
            // used after this.
            drop(unsafe { Box::from_raw(handle.0.as_ptr()) });
        }
    }
}

/// The right to append to a block.
///
/// It keeps its own copy of the length: faster than to load what it stored itself, and
/// loom, which remembers only the last access to an atomic, would forget the flusher's
/// loads if the writer's came between them and its store, and not reorder them.
pub(crate) struct BlockWriter {
    block: Handle,
    published: usize,
}

impl BlockWriter {
    /// Lets `fill` write into the unpublished rest of the block, [`MARGIN`] included, and
    /// publishes as much as it says that it wrote: whole lines, or nothing.
    #[inline(always)]
    pub(crate) fn append<R>(&mut self, fill: impl FnOnce(&mut [u8]) -> (usize, R)) -> R {
        let block: &Block = &self.block;
        let room = block.bytes.len() - self.published;
        let start = UnsafeCell::raw_get(block.bytes.as_ptr());
        // SAFETY: `self.published < bytes.len()`, kept by the assertion below. The range is
        // this pen's alone (invariant 2), which is borrowed mutably for as long; the flusher
        // reads below `published` only (invariant 3). Bytes are initialised in `make`.
        let rest = unsafe { std::slice::from_raw_parts_mut(start.add(self.published), room) };
        let (written, result) = fill(rest);
        assert!(written <= room - MARGIN, "more written than there was room for");
        block.watch.writes(self.published, self.published + written);
        self.published += written;
        // ORDERING: Release, pairs with the Acquire load in `BlockView::published`: who sees
        // the length sees the bytes. Model: publish_and_read.
        block.published.store(self.published, Release);
        result
    }

    /// How many bytes it can still append.
    pub(super) fn room(&self) -> usize {
        self.block.bytes.len() - MARGIN - self.published
    }

    /// What it has appended, to be read.
    pub(crate) fn view(&self) -> BlockView {
        BlockView(self.block)
    }

    /// Ends the block: from here on it is the flusher's.
    pub(crate) fn seal(self) -> SealedBlock {
        SealedBlock(self.block)
    }
}

/// Where a thread's pen lies while it emits nothing.
///
/// Its words are the thread's alone, and no atomics of loom's, which would have more to explore.
#[derive(Default)]
pub(crate) struct WriterCell {
    block: std::sync::atomic::AtomicPtr<Block>,
    published: std::sync::atomic::AtomicUsize,
    /// Of the whole of it: one thread at a time has it.
    watch: AccessTracker,
}

/// The pen, lent until this is dropped.
pub(crate) struct WriterGuard<'a> {
    rest: &'a WriterCell,
    pen: BlockWriter,
}

impl WriterCell {
    /// The thread's pen. None before it has one.
    #[inline(always)]
    pub(super) fn lend<'a>(&'a self, _turn: &'a mut ThreadGuard) -> Option<WriterGuard<'a>> {
        self.watch.writes(0, 1);
        // ORDERING: Relaxed, both. This thread's alone; its number orders them before the next
        // thread's.
        let block = NonNull::new(self.block.load(Relaxed))?;
        let published = self.published.load(Relaxed);
        Some(WriterGuard { rest: self, pen: BlockWriter { block: Handle(block), published } })
    }

    /// Lays down a pen in the place of the one that lay there, which is returned.
    pub(super) fn replace(&self, turn: &mut ThreadGuard, pen: BlockWriter) -> Option<BlockWriter> {
        let before = self.lend(turn).map(|lent| BlockWriter { ..lent.pen });
        // ORDERING: Relaxed, both. As in `lend`.
        self.block.store(pen.block.0.as_ptr(), Relaxed);
        self.published.store(pen.published, Relaxed);
        before
    }
}

impl Deref for WriterGuard<'_> {
    type Target = BlockWriter;
    fn deref(&self) -> &BlockWriter {
        &self.pen
    }
}

impl DerefMut for WriterGuard<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut BlockWriter {
        &mut self.pen
    }
}

impl Drop for WriterGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // ORDERING: Relaxed. As in `lend`.
        self.rest.published.store(self.pen.published, Relaxed);
    }
}

/// The right to a block that nobody appends to.
pub(crate) struct SealedBlock(Handle);

impl SealedBlock {
    pub(crate) fn view(&self) -> BlockView {
        BlockView(self.0)
    }

    /// Empties the block for its next writer.
    ///
    /// # Panics
    /// If it is not the reader of this block.
    pub(crate) fn recycle(self, reader: &mut ReadPermit) -> BlockWriter {
        reader.check(&self.0);
        self.0.watch.writes(0, self.0.bytes.len() - MARGIN);
        // ORDERING: Relaxed, both. The next writer gets the pen through a queue, which
        // orders these before it; a stale view is the flusher's own, this thread's.
        self.0.flushed.store(0, Relaxed);
        self.0.published.store(0, Relaxed);
        BlockWriter { block: self.0, published: 0 }
    }
}

/// A look at a block that another thread may be appending to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockView(Handle);

impl BlockView {
    /// How many bytes are published by now.
    pub(crate) fn published(&self) -> usize {
        // ORDERING: Acquire, pairs with the Release store in `BlockWriter::append`.
        // Model: publish_and_read.
        self.0.published.load(Acquire)
    }

    /// Published bytes, from and to these places.
    ///
    /// # Panics
    /// If bytes beyond what is published are asked for, or it is not the reader of this block.
    pub(crate) fn bytes<'r>(&self, reader: &'r ReadPermit, from: usize, to: usize) -> &'r [u8] {
        reader.check(&self.0);
        assert!(from <= to && to <= self.published(), "read beyond what is published");
        self.0.watch.reads(from, to);
        let start = UnsafeCell::raw_get(self.0.bytes.as_ptr());
        // SAFETY: within the block and published, by the assertion: nobody writes there
        // until `recycle` (invariant 3), which needs the `ReadPermit` that `'r` borrows. The block
        // outlives `'r`: the `ReadPermit` is kept where the handles are (invariant 1).
        unsafe { std::slice::from_raw_parts(start.add(from), to - from) }
    }

    /// Whether bytes are published that the flusher did not take.
    pub(crate) fn has_untaken(&self) -> bool {
        // ORDERING: Relaxed. The flusher's alone, as in `take_up_to`.
        self.0.flushed.load(Relaxed) < self.published()
    }

    /// Takes the published bytes up to `to` that were not taken before; says from where.
    ///
    /// # Panics
    /// If it is not the reader of this block.
    pub(crate) fn take_up_to(&self, reader: &mut ReadPermit, to: usize) -> usize {
        reader.check(&self.0);
        // ORDERING: Relaxed, both. The flusher's alone; the flusher moves between threads
        // through a mutex.
        let from = self.0.flushed.load(Relaxed);
        if from < to {
            self.0.flushed.store(to, Relaxed);
        }
        from.min(to)
    }
}

impl ReadPermit {
    fn check(&self, block: &Block) {
        assert_eq!(self.of, block.of, "another exchange's reader");
    }
}

/// Where a thread shows which block it is appending to.
#[derive(Default)]
pub(crate) struct CurrentBlock(AtomicPtr<Block>);

impl CurrentBlock {
    pub(crate) fn show(&self, block: BlockView) {
        // ORDERING: Release, pairs with the Acquire load in `look`: who sees the next block
        // in the window sees that the one before was pushed to `sealed`, and so cannot
        // deliver the newer lines first; and that it was made. Model: a_place_is_reused.
        self.0.store(block.0.0.as_ptr(), Release);
    }

    /// None before the thread's first line.
    pub(crate) fn look(&self) -> Option<BlockView> {
        // ORDERING: Acquire, pairs with the Release store in `show`.
        // Model: a_place_is_reused.
        let shown = self.0.load(Acquire);
        // A block of this exchange: `show` is given no other. So what `Deref` rests on holds
        // here too.
        NonNull::new(shown).map(|block| BlockView(Handle(block)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "another exchange's reader")]
    fn a_block_is_not_read_by_another_exchange() {
        let ((blocks, _), (_others, reader)) = (BlockPool::new(8, 0), BlockPool::new(8, 0));
        blocks.make().seal().view().bytes(&reader, 0, 0);
    }

    #[test]
    #[should_panic(expected = "another exchange's reader")]
    fn a_block_is_not_recycled_by_another_exchange() {
        let ((blocks, _), (_others, mut reader)) = (BlockPool::new(8, 0), BlockPool::new(8, 0));
        blocks.make().seal().recycle(&mut reader);
    }

    #[test]
    #[should_panic(expected = "another exchange's reader")]
    fn a_block_is_not_taken_by_another_exchange() {
        let ((blocks, _), (_others, mut reader)) = (BlockPool::new(8, 0), BlockPool::new(8, 0));
        blocks.make().seal().view().take_up_to(&mut reader, 0);
    }

    /// Into the margin: what is there is for nobody to read.
    #[test]
    #[should_panic(expected = "more written than there was room for")]
    fn no_more_is_published_than_there_is_room_for() {
        let (blocks, _) = BlockPool::new(8, 0);
        let mut pen = blocks.make();
        pen.append(|_| (8, ()));
        pen.append(|_| (1, ()));
    }

    #[test]
    #[should_panic(expected = "read beyond what is published")]
    fn nothing_is_read_that_is_not_published() {
        let (blocks, reader) = BlockPool::new(8, 0);
        let mut pen = blocks.make();
        pen.append(|_| (2, ()));
        pen.seal().view().bytes(&reader, 0, 3);
    }

    #[test]
    #[should_panic(expected = "read beyond what is published")]
    fn nothing_is_read_that_ends_before_it_begins() {
        let (blocks, reader) = BlockPool::new(8, 0);
        let mut pen = blocks.make();
        pen.append(|_| (2, ()));
        pen.seal().view().bytes(&reader, 2, 1);
    }
}

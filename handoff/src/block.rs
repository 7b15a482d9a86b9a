//! Blocks: buffers of records that a producer thread fills while the consumer thread reads them.
//! All `unsafe` code that shares memory between threads is in this file.
//!
//! One thread fills a block while the consumer reads it:
//!
//! ```text
//!   bytes   | records the consumer may read | the writer's alone |
//!           0                        published              len
//! ```
//!
//! The blocks of a thread form a chain. Each block has a link to the next one, which is *open* until
//! the thread leaves the block, and *taken* afterwards:
//!
//! ```text
//!   full --taken--> full --taken--> current --open--> spare --open--> spare
//!   ^ the consumer follows          ^ the thread appends              ^ the consumer adds spares
//! ```
//!
//! A thread that leaves its block marks the link as taken. The consumer adds empty blocks, the
//! spares, behind the thread's current block, and removes them again from a thread that is idle. A
//! compare-and-exchange of the open link decides who gets the spares.
//!
//! Rights are values. A [`BlockWriter`] is the right to append to a block. A [`SealedBlock`] is
//! the right to recycle it. Each block has exactly one of the two, or a link: the taken link of a
//! full block, which the consumer turns into a `SealedBlock`, or the open link to a spare. Views are
//! copies: a [`BlockView`] gives access to published bytes only, together with the pool's single
//! [`ReadPermit`].
//!
//! Every `unsafe` below rests on these invariants:
//!
//! 1. **Alive.** A block is freed when its [`BlockPool`] is dropped, and not before. Every handle
//!    is kept in the `Exchange` that owns the `BlockPool`, or in the `Consumer` that keeps that
//!    `Exchange` alive.
//! 2. **One writer.** The holder of the block's `BlockWriter` alone touches bytes from `published`
//!    on. `BlockWriter` is not `Clone`, and appending takes `&mut BlockWriter`. Between two records
//!    the writer is stored in the [`WriterCell`] of its thread's slot, which lends it for a
//!    [`ThreadGuard`] of that thread.
//! 3. **Published bytes are frozen.** `published` only grows while a `BlockWriter` exists. Only
//!    [`SealedBlock::recycle`] resets it to 0, and takes `&mut ReadPermit`: no slice read through
//!    `&ReadPermit` is alive then. Reads and recycling check that the permit belongs to the
//!    block's pool.
//!
//! The types keep 2 and 3, with assertions where types cannot. `ThreadSlots` ensures that each
//! thread uses the `WriterCell` of its own slot. The types do not keep 1: it would cost a
//! reference count for every record, or `unsafe` outside this file.

#![allow(unsafe_code)]

use crate::sync::{AccessTracker, AtomicPtr, AtomicUsize, ThreadGuard};
use crossbeam_queue::SegQueue;
use crossbeam_utils::CachePadded;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::Deref;
use std::panic::RefUnwindSafe;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Number of extra writable bytes after the space that is reserved for a record. An encoder can
/// copy short texts in fixed-size chunks that run over the end; the extra bytes are never
/// published.
pub const MARGIN: usize = 64;

/// Header of a block. The memory of the block follows it: `size` bytes for records, and [`MARGIN`]
/// spare bytes after them. So the first records share a cache line with `published`.
#[repr(C)]
struct Block {
    /// Number of bytes at the start of the block that the consumer has already taken (swept). Only
    /// the consumer uses this field.
    swept: AtomicUsize,
    /// Keeps `swept` away from the cache lines that the writer uses for every record.
    _padding: [u8; SEPARATION],
    /// Number of bytes at the start of the block that the consumer may read. They hold whole
    /// records.
    published: AtomicUsize,
    /// Link to the next block of the same thread: null, open (to a spare block), or taken (the writer
    /// has left this block for the next one). A taken link has the bit [`TAKEN`] set.
    next: AtomicPtr<Block>,
    /// ID of the `BlockPool` that allocated the block. Only the `ReadPermit` with the same ID gives
    /// access to the bytes of the block.
    pool_id: u64,
    /// Capacity of the block in bytes, without the `MARGIN` spare bytes at its end.
    size: usize,
    tracker: AccessTracker,
}

/// Number of bytes between the parts of a block that the consumer and the writer use.
const SEPARATION: usize = align_of::<CachePadded<u8>>().saturating_sub(size_of::<AtomicUsize>());

impl Block {
    /// Returns the layout of a block of `size` bytes: its header, its bytes and the `MARGIN`.
    fn layout(size: usize) -> Layout {
        let header = Layout::new::<Self>().align_to(align_of::<CachePadded<u8>>());
        let bytes = Layout::array::<u8>(size + MARGIN);
        let joined = header.and_then(|header| Ok(header.extend(bytes?)?.0));
        joined.expect("a block is smaller than the address space")
    }
}

/// Bit of a link to the next block: the writer has left the block. Addresses of blocks do not have it.
const TAKEN: usize = 1;

/// Returns the taken link to a block.
fn taken(block: *mut Block) -> *mut Block {
    block.map_addr(|address| address | TAKEN)
}

/// Returns the block to which a taken link leads, or `None` if the link is null or open.
fn target_of_taken(link: *mut Block) -> Option<NonNull<Block>> {
    let is_taken = link.addr() & TAKEN != 0;
    NonNull::new(link.map_addr(|address| address & !TAKEN)).filter(|_| is_taken)
}

/// Declares that a block stays valid if its writer panics: a partly written record is never
/// published.
impl RefUnwindSafe for Block {}

/// Pointer to a block. `BlockWriter`, `SealedBlock` and `BlockView`, the types that give access to
/// the block, each contain this pointer.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Handle(NonNull<Block>);

// SAFETY: a `Block` is shared by design: its atomics are `Sync`, its bytes are
// governed by invariants 2 and 3.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Returns the address of the block's bytes, which follow the header.
    #[inline(always)]
    fn bytes(self) -> *mut u8 {
        // SAFETY: `Block::layout` has the bytes at this offset of the same allocation, for which the
        // pointer is valid. The header's size is a multiple of the alignment of bytes.
        unsafe { self.0.as_ptr().add(1).cast() }
    }
}

impl Deref for Handle {
    type Target = Block;
    #[inline(always)]
    fn deref(&self) -> &Block {
        // SAFETY: initialised in `BlockPool::allocate`, and alive by invariant 1. The reference covers
        // the header only.
        unsafe { self.0.as_ref() }
    }
}

/// Owner of all blocks (buffers of records) of one `Exchange`. It allocates them on demand, and
/// frees them when it is dropped.
pub(crate) struct BlockPool {
    id: u64,
    block_size: usize,
    /// Number of blocks that may still be allocated for shared use by all threads. The first block
    /// of each thread is not counted.
    budget: AtomicUsize,
    allocated: SegQueue<Handle>,
}

/// Permission to read the published bytes of blocks, and to empty blocks for reuse. Each
/// `BlockPool` has exactly one, which the consumer uses.
pub(crate) struct ReadPermit {
    pool_id: u64,
}

impl BlockPool {
    pub(crate) fn new(block_size: usize, budget: usize) -> (Self, ReadPermit) {
        static IDS: AtomicU64 = AtomicU64::new(0);
        // ORDERING: Relaxed. A read-modify-write gives each ID out once.
        let id = IDS.fetch_add(1, Relaxed);
        let budget = AtomicUsize::new(budget);
        (Self { id, block_size, budget, allocated: SegQueue::new() }, ReadPermit { pool_id: id })
    }

    pub(crate) fn block_size(&self) -> usize {
        self.block_size
    }

    /// Allocates a block and returns its writer. The block does not count against the limit on
    /// shared blocks (`budget`).
    pub(crate) fn allocate(&self) -> BlockWriter {
        let size = self.block_size;
        let layout = Block::layout(size);
        // SAFETY: the layout is not empty.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        let handle = Handle(block.cast());
        let header = Block {
            swept: AtomicUsize::new(0),
            _padding: [0; SEPARATION],
            published: AtomicUsize::new(0),
            next: AtomicPtr::new(null_mut()),
            pool_id: self.id,
            size,
            tracker: AccessTracker::new(size),
        };
        // SAFETY: the allocation has space for the header and the bytes, and no one else has it. All
        // bytes are written, so that they are initialised, and so that their pages are in memory.
        unsafe {
            handle.0.write(header);
            handle.bytes().write_bytes(0, size + MARGIN);
        }
        self.allocated.push(handle);
        BlockWriter { block: handle, published: 0, size }
    }

    /// Allocates a block that counts against the limit on shared blocks (`budget`). Returns `None`
    /// if the limit is reached.
    pub(crate) fn allocate_within_budget(&self) -> Option<BlockWriter> {
        // ORDERING: Relaxed. No other memory depends on this number. A read-modify-write gives each
        // unit of it out once.
        let take_one = |budget: usize| budget.checked_sub(1);
        self.budget.fetch_update(Relaxed, Relaxed, take_one).ok()?;
        Some(self.allocate())
    }
}

impl Drop for BlockPool {
    fn drop(&mut self) {
        while let Some(handle) = self.allocated.pop() {
            let layout = Block::layout(handle.size);
            // SAFETY: from `allocate`, and in `allocated` once. By invariant 1 no handle is used
            // after this.
            unsafe {
                handle.0.drop_in_place();
                dealloc(handle.0.as_ptr().cast(), layout);
            }
        }
    }
}

/// Exclusive permission to append records to a block.
///
/// The writer keeps a copy of the length, which is faster than loading it. The copy also serves
/// loom, which remembers only the last access to an atomic: a load by the writer before each store
/// would hide the consumer's loads, and loom would not reorder them.
pub(crate) struct BlockWriter {
    block: Handle,
    published: usize,
    /// Capacity of the block in bytes. The writer has a copy, since a load from the header of an
    /// empty block would wait for the consumer's cache.
    size: usize,
}

impl BlockWriter {
    /// Returns the first `len` unpublished bytes of the block for writing, and [`MARGIN`] spare
    /// bytes after them.
    ///
    /// # Panics
    /// If fewer than `len` bytes are available.
    #[inline(always)]
    pub(crate) fn unpublished(&mut self, len: usize) -> &mut [u8] {
        let available = self.available();
        self.unpublished_of(len, available)
    }

    /// Makes the next `len` bytes of the block readable for the consumer. They must be whole
    /// records.
    ///
    /// # Panics
    /// If fewer than `len` bytes are available.
    #[inline(always)]
    pub(crate) fn publish(&mut self, len: usize) {
        let available = self.available();
        self.publish_of(len, available);
    }

    /// Returns the first `len` unpublished bytes of the block, as
    /// [`unpublished`](Self::unpublished) does. The caller passes the result of
    /// [`available`](Self::available), which it may have cached.
    #[inline(always)]
    fn unpublished_of(&mut self, len: usize, available: usize) -> &mut [u8] {
        if len > available {
            no_space();
        }
        let start = self.block.bytes();
        // SAFETY: by the check, the range is within the block. It belongs to this writer alone
        // (invariant 2), which is borrowed mutably for as long. The consumer reads below
        // `published` only (invariant 3). Bytes are initialised in `allocate`.
        unsafe { std::slice::from_raw_parts_mut(start.add(self.published), len + MARGIN) }
    }

    /// Makes the next `len` bytes of the block readable for the consumer, as
    /// [`publish`](Self::publish) does. The caller passes the result of
    /// [`available`](Self::available), which it may have cached.
    #[inline(always)]
    fn publish_of(&mut self, len: usize, available: usize) {
        if len > available {
            no_space();
        }
        self.block.tracker.track_write(self.published, self.published + len);
        self.published += len;
        // ORDERING: Release, pairs with the Acquire load in `BlockView::published`: a thread that
        // sees the length sees the bytes. Model: publish_and_read.
        self.block.published.store(self.published, Release);
    }

    /// Returns the number of bytes that can still be appended to the block.
    #[inline(always)]
    pub(crate) fn available(&self) -> usize {
        self.size - self.published
    }

    /// Returns a `BlockView`: a read-only handle to the published bytes of the block.
    pub(crate) fn view(&self) -> BlockView {
        BlockView(self.block)
    }

    /// Leaves the block for the spare block behind it. Returns false if there is none.
    #[inline]
    fn advance(&mut self) -> bool {
        // ORDERING: Relaxed. The exchange below orders what it finds.
        let spare = self.block.next.load(Relaxed);
        let Some(handle) = NonNull::new(spare).map(Handle) else { return false };
        // ORDERING: AcqRel. Release pairs with the Acquire load in `BlockView::follow`: a consumer that
        // sees the taken link sees all bytes of this block. Acquire pairs with the Release in
        // `BlockView::append_spare`: the writer sees the spare's allocation or reset.
        // Model: spare_blocks_keep_the_order_of_lines.
        let exchanged = self.block.next.compare_exchange(spare, taken(spare), AcqRel, Relaxed);
        if exchanged.is_ok() {
            *self = Self { block: handle, published: 0, size: self.size };
        }
        exchanged.is_ok()
    }

    /// Leaves the block for `empty`, and puts `empty` before the spare blocks of the chain.
    fn advance_to(&mut self, empty: BlockWriter) {
        // ORDERING: Acquire, here and in a failing exchange, pairs with the Release in
        // `BlockView::append_spare`: the writer can advance to this spare later.
        // Model: spare_blocks_keep_the_order_of_lines.
        let mut spare = self.block.next.load(Acquire);
        loop {
            // ORDERING: Relaxed. The exchange publishes it.
            empty.block.next.store(spare, Relaxed);
            let link = taken(empty.block.0.as_ptr());
            // ORDERING: Release, pairs with the Acquire load in `BlockView::follow`, as in `advance`.
            // The consumer also sees the allocation or reset of `empty`.
            // Model: spare_blocks_keep_the_order_of_lines.
            match self.block.next.compare_exchange(spare, link, Release, Acquire) {
                Ok(_) => break,
                // The consumer has added or removed spares.
                Err(changed) => spare = changed,
            }
        }
        *self = empty;
    }

    /// Consumes the writer, so that nothing more can be appended to the block. Returns the block as
    /// a `SealedBlock`, which can be passed to the consumer.
    pub(crate) fn seal(self) -> SealedBlock {
        SealedBlock(self.block)
    }
}

/// Panics because more bytes were requested than the block has space for. The function has no
/// parameters, so that the fast path need not pass any.
#[cold]
#[inline(never)]
fn no_space() -> ! {
    panic!("more bytes than the block has space for")
}

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
    /// Number of bytes that still fit into the thread's block.
    available: usize,
    /// Guard that keeps the thread from starting another record. Dropping it allows the thread to
    /// write again.
    _guard: ThreadGuard,
}

impl WriterCell {
    /// Borrows the writer of the current thread for one record. Returns `None` if the thread has no
    /// block yet.
    #[inline(always)]
    pub(crate) fn lend(&self, guard: ThreadGuard) -> Option<LentWriter<'_>> {
        let writer = self.load()?;
        let available = writer.available();
        Some(LentWriter { cell: self, writer, available, _guard: guard })
    }

    #[inline(always)]
    fn load(&self) -> Option<BlockWriter> {
        self.tracker.track_write(0, 1);
        // ORDERING: Relaxed, all. Only this thread uses them. The release of its ID orders them
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
    /// Returns the number of bytes that still fit into the thread's block.
    #[inline(always)]
    pub(crate) fn available(&self) -> usize {
        self.available
    }

    /// Returns the first `len` unpublished bytes of the thread's block for writing, and [`MARGIN`]
    /// spare bytes after them.
    #[inline(always)]
    pub(crate) fn unpublished(&mut self, len: usize) -> &mut [u8] {
        self.writer.unpublished_of(len, self.available)
    }

    /// Makes the next `len` bytes of the thread's block readable for the consumer.
    #[inline(always)]
    pub(crate) fn publish(&mut self, len: usize) {
        self.writer.publish_of(len, self.available);
        self.available -= len;
        // ORDERING: Relaxed. As in `WriterCell::load`.
        self.cell.published.store(self.writer.published, Relaxed);
    }
}

/// Block that is no longer written to, on its way to the consumer or held by it. The holder of this
/// value has the exclusive right to empty the block for reuse.
pub(crate) struct SealedBlock(Handle);

impl SealedBlock {
    /// Returns a `BlockView`: a read-only handle to the published bytes of the block.
    pub(crate) fn view(&self) -> BlockView {
        BlockView(self.0)
    }

    /// Empties the block for reuse, and returns a new writer for it.
    ///
    /// # Panics
    /// If the permit belongs to another pool.
    pub(crate) fn recycle(self, permit: &mut ReadPermit) -> BlockWriter {
        permit.check(&self.0);
        self.0.tracker.track_write(0, self.0.size);
        // ORDERING: Relaxed, both. The next thread gets the writer through a queue, which orders
        // these stores before its own. Only this thread, the consumer, still has views.
        self.0.swept.store(0, Relaxed);
        self.0.published.store(0, Relaxed);
        BlockWriter { block: self.0, published: 0, size: self.0.size }
    }
}

/// Read-only handle to the published bytes of a block. Another thread may append to the block at
/// the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockView(Handle);

impl BlockView {
    /// Returns the number of bytes that the writer of the block has published so far.
    pub(crate) fn published(&self) -> usize {
        // ORDERING: Acquire, pairs with the Release store in `BlockWriter::publish_of`.
        // Model: publish_and_read.
        self.0.published.load(Acquire)
    }

    /// Returns the published bytes from the offset `from` to the offset `to`.
    ///
    /// # Panics
    /// If the range is invalid or not published, or the permit belongs to another pool.
    pub(crate) fn bytes<'r>(&self, permit: &'r ReadPermit, from: usize, to: usize) -> &'r [u8] {
        permit.check(&self.0);
        assert!(from <= to && to <= self.published(), "read beyond the published bytes");
        self.0.tracker.track_read(from, to);
        let start = self.0.bytes();
        // SAFETY: by the assertion, the range is within the block and published. No thread writes
        // there until `recycle` (invariant 3), which needs the `ReadPermit` that `'r` borrows. The
        // block outlives `'r`: the `ReadPermit` is kept where the handles are (invariant 1).
        unsafe { std::slice::from_raw_parts(start.add(from), to - from) }
    }

    /// Follows the taken link to the next block of the same thread. Returns the right to recycle this
    /// block, which is full, and a read-only handle to the next one. Returns `None` if the thread has
    /// not left this block.
    ///
    /// # Panics
    /// If the permit belongs to another pool.
    pub(crate) fn follow(&self, permit: &mut ReadPermit) -> Option<(SealedBlock, BlockView)> {
        permit.check(&self.0);
        // ORDERING: Acquire, pairs with the Release in `BlockWriter::advance` and `advance_to`.
        // Model: rotation_keeps_the_order_of_lines.
        let next = target_of_taken(self.0.next.load(Acquire))?;
        // ORDERING: Relaxed. The writer has left the block, and only the consumer uses the link.
        self.0.next.store(null_mut(), Relaxed);
        // Links lead only to blocks of this exchange, so the next block is alive by invariant 1.
        Some((SealedBlock(self.0), BlockView(Handle(next))))
    }

    /// Adds a spare block behind this block, which is the last of its thread. Returns the spare if the
    /// thread has meanwhile left this block for another one.
    pub(crate) fn append_spare(&self, spare: BlockWriter) -> Result<(), BlockWriter> {
        debug_assert_eq!(self.0.pool_id, spare.block.pool_id, "a spare of another pool");
        let link = spare.block.0.as_ptr();
        // ORDERING: Release, pairs with the Acquire in `BlockWriter::advance` and `advance_to`: the
        // thread sees the spare's allocation or reset. Model: spare_blocks_keep_the_order_of_lines.
        let exchanged = self.0.next.compare_exchange(null_mut(), link, Release, Relaxed);
        exchanged.map(drop).map_err(|_| spare)
    }

    /// Removes all spare blocks behind this block, the current block of its thread, and passes them to
    /// `give_back`. Returns false if there are none, or if the thread has left this block.
    ///
    /// # Panics
    /// If the permit belongs to another pool.
    pub(crate) fn remove_spares(
        &self,
        permit: &mut ReadPermit,
        mut give_back: impl FnMut(BlockWriter),
    ) -> bool {
        permit.check(&self.0);
        // ORDERING: Relaxed, all. The thread has not touched the spares that the exchange takes from
        // it: only the consumer has. Model: spare_is_taken_or_removed.
        let first = self.0.next.load(Relaxed);
        let is_open = !first.is_null() && target_of_taken(first).is_none();
        if !is_open || self.0.next.compare_exchange(first, null_mut(), Relaxed, Relaxed).is_err() {
            return false;
        }
        let mut next = first;
        while let Some(spare) = NonNull::new(next).map(Handle) {
            // ORDERING: Relaxed, both. As above.
            next = spare.next.load(Relaxed);
            spare.next.store(null_mut(), Relaxed);
            give_back(BlockWriter { block: spare, published: 0, size: spare.size });
        }
        true
    }

    /// Returns true if the consumer has something to take from the block: published bytes, or the
    /// full block itself.
    pub(crate) fn has_unswept(&self) -> bool {
        // ORDERING: Relaxed, both. Only the consumer uses `swept`, as in `mark_swept`. A missed link
        // belongs to a producer that sees the dormancy, for which the consumer calls this.
        let is_left = target_of_taken(self.0.next.load(Relaxed)).is_some();
        is_left || self.0.swept.load(Relaxed) < self.published()
    }

    /// Notes that the consumer has taken (swept) the published bytes of the block up to the offset
    /// `to`, which never decreases. Returns the offset of the first byte that it had not taken before.
    ///
    /// # Panics
    /// If the permit belongs to another pool.
    pub(crate) fn mark_swept(&self, permit: &mut ReadPermit, to: usize) -> usize {
        permit.check(&self.0);
        // ORDERING: Relaxed, both. Only the consumer uses it. The consumer moves between threads
        // through a mutex.
        let from = self.0.swept.load(Relaxed);
        self.0.swept.store(to, Relaxed);
        from
    }
}

impl ReadPermit {
    fn check(&self, block: &Block) {
        assert_eq!(self.pool_id, block.pool_id, "the permit belongs to another pool");
    }
}

/// Chain of the blocks of one producer thread, from the oldest that the consumer has not taken whole.
/// The thread sets the first block, and appends further blocks by links. The consumer moves on.
#[derive(Default)]
pub(crate) struct Chain(AtomicPtr<Block>);

impl Chain {
    /// Begins the chain with the first block of the thread, and shows it to the consumer.
    pub(crate) fn begin(&self, first: BlockView) {
        // ORDERING: Release, pairs with the Acquire load in `oldest`. A consumer that sees the block
        // sees its allocation. Model: part_filled_block_is_swept_in_order.
        self.0.store(first.0.0.as_ptr(), Release);
    }

    /// Returns a read-only handle to the oldest block that the consumer has not taken whole, or
    /// `None` if the thread has not written a record yet.
    pub(crate) fn oldest(&self) -> Option<BlockView> {
        // ORDERING: Acquire, pairs with the Release store in `begin`.
        // Model: part_filled_block_is_swept_in_order.
        let oldest = self.0.load(Acquire);
        // The chain has only blocks of this exchange, so the block is alive by invariant 1.
        NonNull::new(oldest).map(|block| BlockView(Handle(block)))
    }

    /// Notes that the consumer has taken all blocks before `block` whole. Only the consumer calls
    /// this: it has the permit.
    pub(crate) fn advance_to(&self, block: BlockView, permit: &mut ReadPermit) {
        permit.check(&block.0);
        // ORDERING: Relaxed. The producer never reads it. The consumer moves between threads through
        // a mutex.
        self.0.store(block.0.0.as_ptr(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the permit belongs to another pool")]
    fn read_by_another_exchange_panics() {
        let ((pool, _), (_others, permit)) = (BlockPool::new(8, 0), BlockPool::new(8, 0));
        pool.allocate().seal().view().bytes(&permit, 0, 0);
    }

    #[test]
    #[should_panic(expected = "the permit belongs to another pool")]
    fn recycling_by_another_exchange_panics() {
        let ((pool, _), (_others, mut permit)) = (BlockPool::new(8, 0), BlockPool::new(8, 0));
        pool.allocate().seal().recycle(&mut permit);
    }

    #[test]
    #[should_panic(expected = "the permit belongs to another pool")]
    fn sweep_by_another_exchange_panics() {
        let ((pool, _), (_others, mut permit)) = (BlockPool::new(8, 0), BlockPool::new(8, 0));
        pool.allocate().seal().view().mark_swept(&mut permit, 0);
    }

    /// Checks that a writer panics if it publishes more bytes than the block has space for. The
    /// spare bytes at the end of the block (`MARGIN`) can be written to, but not published.
    #[test]
    #[should_panic(expected = "more bytes than the block has space for")]
    fn publishing_beyond_the_block_panics() {
        let (pool, _) = BlockPool::new(8, 0);
        let mut writer = pool.allocate();
        writer.publish(8);
        writer.publish(1);
    }

    #[test]
    #[should_panic(expected = "read beyond the published bytes")]
    fn read_of_unpublished_bytes_panics() {
        let (pool, permit) = BlockPool::new(8, 0);
        let mut writer = pool.allocate();
        writer.publish(2);
        writer.seal().view().bytes(&permit, 0, 3);
    }

    #[test]
    #[should_panic(expected = "read beyond the published bytes")]
    fn read_of_a_reversed_range_panics() {
        let (pool, permit) = BlockPool::new(8, 0);
        let mut writer = pool.allocate();
        writer.publish(2);
        writer.seal().view().bytes(&permit, 2, 1);
    }
}

//! Blocks: buffers of records that a producer thread fills while the consumer thread reads them.
//! All `unsafe` code that shares memory between threads is in this file, and none in those below it.
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

mod chain;
#[cfg(test)]
mod tests;
mod writer_cell;

pub(crate) use chain::Chain;
pub(crate) use writer_cell::{LentWriter, WriterCell};

use crate::sync::{AccessTracker, AtomicPtr, AtomicUsize};
use crossbeam_queue::SegQueue;
use crossbeam_utils::CachePadded;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::hint::black_box;
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
        // bytes are initialised.
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
        if len > self.available() {
            no_space();
        }
        let start = self.block.bytes();
        // SAFETY: by the check, the range is within the block. It belongs to this writer alone
        // (invariant 2), which is borrowed mutably for as long. The consumer reads below
        // `published` only (invariant 3). Bytes are initialised in `allocate`.
        unsafe { std::slice::from_raw_parts_mut(start.add(self.published), len + MARGIN) }
    }

    /// Makes the next `len` bytes of the block readable for the consumer. They must be whole
    /// records.
    ///
    /// # Panics
    /// If fewer than `len` bytes are available.
    #[inline(always)]
    pub(crate) fn publish(&mut self, len: usize) {
        if len > self.available() {
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

    /// Writes to all unpublished bytes of the block, so that their pages are in memory.
    pub(crate) fn touch(&mut self) {
        let available = self.available();
        // The compiler must not know that a new block holds zeros already.
        black_box(self.unpublished(available)).fill(0);
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
            // The consumer also sees the allocation or reset of `empty`. A removed spare is not added
            // here again, which would need Acquire: an idle thread gets none before it leaves its block.
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
        // ORDERING: Acquire, pairs with the Release store in `BlockWriter::publish`.
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
        // ORDERING: Relaxed. The exchange below decides.
        let first = self.0.next.load(Relaxed);
        if first.is_null() || target_of_taken(first).is_some() {
            return false;
        }
        // ORDERING: Relaxed, both. The thread has not touched the spares that the exchange takes from
        // it: only the consumer has. Model: spare_block_is_taken_or_removed.
        let removed = self.0.next.compare_exchange(first, null_mut(), Relaxed, Relaxed);
        let mut next = removed.unwrap_or(null_mut());
        let has_removed = !next.is_null();
        while let Some(spare) = NonNull::new(next).map(Handle) {
            // ORDERING: Relaxed, both. As above.
            next = spare.next.load(Relaxed);
            spare.next.store(null_mut(), Relaxed);
            give_back(BlockWriter { block: spare, published: 0, size: spare.size });
        }
        has_removed
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

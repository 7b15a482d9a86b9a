//! Types of loom's build: replacements for the real types, with the same contracts and the same
//! memory orderings.

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize};
pub(crate) use loom::sync::{Arc, Mutex};

use super::id_set::IdSet;
use super::thread_guard::{self, NONE};
use crate::sums::{Chunk, Sums, new_chunk};
use concurrent_queue::ConcurrentQueue;
use loom::alloc::Track;
use loom::cell::UnsafeCell;
use loom::sync::atomic::fence;
use std::cell::RefCell;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// Callback that wakes the consumer thread. It need not be unwind-safe, since loom's types are not.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// Replacement for crossbeam's `ArrayQueue` in loom's build, because loom cannot see the atomics of
/// the real queue.
///
/// `ConcurrentQueue::bounded` is the same algorithm with loom's atomics.
pub(crate) struct ArrayQueue<T> {
    queue: ConcurrentQueue<T>,
    /// Atomic that each queue operation modifies first, so that loom tries all orders of the
    /// operations. It orders no memory.
    ///
    /// The queue loads an atomic before it changes it, and loom remembers only the last access to
    /// an atomic. Without this, loom would forget another thread's earlier operation, and would
    /// never try the opposite order.
    turnstile: AtomicUsize,
}

impl<T> ArrayQueue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        // With one slot, concurrent-queue uses another algorithm.
        let queue = ConcurrentQueue::bounded(capacity.max(2));
        Self { queue, turnstile: AtomicUsize::new(0) }
    }
    fn enter(&self) -> &ConcurrentQueue<T> {
        self.turnstile.fetch_add(1, Relaxed);
        &self.queue
    }
    pub(crate) fn push(&self, value: T) -> Result<(), T> {
        self.enter().push(value).map_err(|rejected| rejected.into_inner())
    }
    pub(crate) fn pop(&self) -> Option<T> {
        self.enter().pop().ok()
    }
    pub(crate) fn len(&self) -> usize {
        self.enter().len()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.enter().is_empty()
    }
}

/// Replacement for the asymmetric memory barrier in loom's build. Both sides of it are full fences.
///
/// It is active only in the models of dormancy. In other models the producers' fence would hide a
/// missing ordering.
pub struct Barrier {
    is_active: bool,
}

impl Barrier {
    pub(crate) fn none() -> Self {
        Self { is_active: false }
    }
    pub(crate) fn active() -> Self {
        Self { is_active: true }
    }
    pub(crate) fn light(&self) {
        if self.is_active {
            fence(SeqCst);
        }
    }
    pub(crate) fn heavy(&self) -> bool {
        if self.is_active {
            fence(SeqCst);
        }
        self.is_active
    }
}

/// Detector of data races and leaks in loom's build: reports conflicting accesses to a byte, and
/// bytes that are never freed.
///
/// Each byte has a cell, so that the published start of a block may be read while its end is
/// written.
pub(crate) struct AccessTracker(Track<Box<[UnsafeCell<()>]>>);

impl Default for AccessTracker {
    fn default() -> Self {
        Self::new(1)
    }
}

impl AccessTracker {
    pub(crate) fn new(len: usize) -> Self {
        Self(Track::new((0..len).map(|_| UnsafeCell::new(())).collect()))
    }
    pub(crate) fn track_read(&self, from: usize, to: usize) {
        for cell in &self.0.get_ref()[from..to] {
            cell.with(|_| ());
        }
    }
    pub(crate) fn track_write(&self, from: usize, to: usize) {
        for cell in &self.0.get_ref()[from..to] {
            cell.with_mut(|_| ());
        }
    }
}

/// Minimum capacity of the ordered queue in loom's build, in records. It is so small that a model
/// can fill the queue.
pub(crate) const MIN_RECORDS: usize = 4;

/// Returns the number of extra slots of the ordered queue. It is 0 in loom's build, so that loom
/// has fewer interleavings to explore.
pub(crate) fn spare_slots(_records: usize) -> usize {
    0
}

/// Number of blocks that threads leave in the queue of empty blocks. It is 0 in loom's build, so
/// that loom has fewer interleavings to explore.
pub(crate) const KEPT_BLOCKS: usize = 0;

/// Number of thread slots (one value for each thread ID) that are stored in one array in loom's
/// build. Models have few threads, and loom explores each slot.
pub(crate) const INLINE_SLOTS: usize = 2;

/// Number of sums whose cells are in one array of each thread in loom's build. It is so small that a
/// model can need a second array.
pub(crate) const CHUNK_LEN: usize = 1;

/// Number of unused cells at both ends of an array of cells. Loom has no caches.
pub(crate) const PADDING: usize = 0;

/// Number of words of the set of sums' IDs in loom's build.
pub(crate) const SUM_WORDS: usize = 1;

/// Shared reference to cells of a thread in loom's build, which are freed after each interleaving.
#[derive(Clone)]
pub(crate) struct ChunkRef(std::sync::Arc<(Box<Chunk>, AtomicUsize)>);

impl Default for ChunkRef {
    fn default() -> Self {
        Self(std::sync::Arc::new((new_chunk(), AtomicUsize::new(0))))
    }
}

impl std::ops::Deref for ChunkRef {
    type Target = Chunk;
    fn deref(&self) -> &Chunk {
        let (chunk, turnstile) = &*self.0;
        // As in `ArrayQueue`: loom then tries all orders of the accesses to the cells.
        turnstile.fetch_add(1, Relaxed);
        chunk
    }
}

pub(crate) fn with_sums<R>(task: impl FnOnce(&Sums) -> R) -> R {
    task(&SUMS)
}

pub(crate) fn with_first_chunk<R>(task: impl FnOnce(Option<&Chunk>) -> R) -> R {
    FIRST_CHUNK.with(|first| task(first.borrow().as_deref()))
}

pub(crate) fn set_first_chunk(chunk: &ChunkRef) {
    FIRST_CHUNK.with(|first| *first.borrow_mut() = Some(chunk.clone()));
}

const WORDS: usize = 1;

impl<const WORDS: usize> IdSet<WORDS> {
    fn new() -> Self {
        Self { allocated: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

loom::lazy_static! {
    /// Allocator of thread IDs. Loom creates a new one for each interleaving.
    static ref THREAD_IDS: std::sync::Arc<IdSet<WORDS>> = std::sync::Arc::new(IdSet::new());

    /// State of all sums. Loom creates a new one for each interleaving.
    static ref SUMS: Sums = {
        let sums = Sums::new(IdSet::new());
        // Loom does not see that std's `OnceLock` publishes the cells, so they exist from the start.
        sums.allocate_cells(3, 2);
        sums
    };
}

loom::thread_local! {
    static THREAD_STATE: ThreadState = ThreadState::new();
    static FIRST_CHUNK: RefCell<Option<ChunkRef>> = RefCell::new(None);
}

/// State of one thread in loom's build, in one integer: the thread's ID, or a mark that the thread
/// is inside a call or has exited. Only this thread uses the integer, so it is not one of loom's
/// atomics.
struct ThreadState {
    word: AtomicU32,
    /// Reference that keeps the ID allocator alive, since loom drops its statics before the thread
    /// releases its ID.
    ids: std::sync::Arc<IdSet<WORDS>>,
}

impl ThreadState {
    fn new() -> Self {
        Self { word: AtomicU32::new(NONE), ids: std::sync::Arc::clone(&THREAD_IDS) }
    }
}

impl Drop for ThreadState {
    fn drop(&mut self) {
        thread_guard::on_thread_exit(&self.word, |id| self.ids.release(id));
    }
}

pub(super) fn with_thread_ids<R>(task: impl FnOnce(&IdSet<WORDS>) -> R) -> R {
    THREAD_STATE.with(|state| task(&state.ids))
}

pub(super) fn with_thread_state<R>(task: impl FnOnce(&AtomicU32) -> R) -> R {
    THREAD_STATE.with(|state| task(&state.word))
}

/// Does nothing in loom's build. In the normal build it keeps signal handlers from emitting
/// records, but models have no signals.
pub(crate) fn forbid_reentry() {}

/// Does nothing and returns true, which means that the thread is not exiting. In loom's build,
/// dropping `ThreadState` releases the thread's ID.
pub(super) fn register_exit_hook() -> bool {
    true
}

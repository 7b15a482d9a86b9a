//! Types of loom's build: stand-ins with the same contracts and the same orderings.

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize};
pub(crate) use loom::sync::{Arc, Mutex};

use super::thread_guard::{self, NONE};
use super::thread_ids::ThreadIds;
use concurrent_queue::ConcurrentQueue;
use loom::alloc::Track;
use loom::cell::UnsafeCell;
use loom::sync::atomic::fence;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// Callback that wakes the consumer. Not unwind-safe, since loom's types are not.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// Stand-in for crossbeam's `ArrayQueue`, whose core atomics loom cannot see.
///
/// `ConcurrentQueue::bounded` is the same algorithm with loom's atomics.
pub(crate) struct ArrayQueue<T> {
    queue: ConcurrentQueue<T>,
    /// Modified before each operation; it orders no memory.
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

/// Asymmetric barrier, made of two full fences.
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

/// Reports races on bytes, and bytes that are never freed.
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

/// Minimum capacity of the ordered queue, in records: so few that a model can fill the queue.
pub(crate) const MIN_RECORDS: usize = 4;

/// Returns 0: loom has fewer interleavings to explore without spare slots.
pub(crate) fn spare_slots(_records: usize) -> usize {
    0
}

/// No spare: loom has fewer interleavings to explore.
pub(crate) const SPARE_BLOCKS: usize = 0;

/// Number of thread slots without indirection. Models have few threads, and loom explores each
/// slot.
pub(crate) const INLINE_SLOTS: usize = 2;

const WORDS: usize = 1;

impl<const WORDS: usize> ThreadIds<WORDS> {
    fn new() -> Self {
        Self { allocated: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

loom::lazy_static! {
    /// Created for each interleaving.
    static ref THREAD_IDS: std::sync::Arc<ThreadIds<WORDS>> = std::sync::Arc::new(ThreadIds::new());
}

loom::thread_local! {
    static THREAD_STATE: ThreadState = ThreadState::new();
}

/// State word of a thread. Only that thread uses it, so it is not one of loom's atomics.
struct ThreadState {
    word: AtomicU32,
    /// Kept alive here, since the thread's ID is released after loom drops its statics.
    ids: std::sync::Arc<ThreadIds<WORDS>>,
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

pub(super) fn with_thread_ids<R>(task: impl FnOnce(&ThreadIds<WORDS>) -> R) -> R {
    THREAD_STATE.with(|state| task(&state.ids))
}

pub(super) fn with_thread_state<R>(task: impl FnOnce(&AtomicU32) -> R) -> R {
    THREAD_STATE.with(|state| task(&state.word))
}

/// Does nothing: models have no signals.
pub(crate) fn forbid_reentry() {}

/// Returns true: in a model no thread emits while it exits.
pub(super) fn register_exit_hook() -> bool {
    true
}

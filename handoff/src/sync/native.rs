//! Types of the normal build: real atomics, locks, queues and thread-local state. Models use loom's
//! types instead.

use super::id_set::IdSet;
use super::thread_guard::{self, MAX_THREADS, NONE, ThreadGuard};
use crate::sums::{Chunk, Sums, new_chunk};
pub(crate) use crossbeam_queue::ArrayQueue;
use std::cell::Cell;
use std::panic::{RefUnwindSafe, UnwindSafe};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst, compiler_fence};
pub(crate) use std::sync::{Arc, Mutex};

/// Callback that wakes the consumer thread. It must be unwind-safe, so that the client that owns it
/// is unwind-safe too.
pub type Wake = Box<dyn Fn() + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// Keeps signal handlers on the current thread from emitting records until the returned guard is
/// dropped.
///
/// The consumer calls this before it uses the queues. Records that a handler emits meanwhile are
/// counted as reentrant.
pub(crate) fn forbid_reentry() -> Option<ThreadGuard> {
    ThreadGuard::enter_or_register().ok()
}

/// Minimum capacity of the ordered queue, in records. They take 4 KiB of memory.
pub(crate) const MIN_RECORDS: usize = 16;

/// Returns the number of extra slots of the ordered queue: one for a record that is being taken
/// out, and some for threads that find the last free slot at the same time.
pub(crate) fn spare_slots(records: usize) -> usize {
    records / 16 + 1
}

/// Number of blocks that threads leave in the queue of empty blocks, because the consumer may still
/// be pushing the last block.
pub(crate) const KEPT_BLOCKS: usize = 1;

/// Number of thread slots (one value for each thread ID) that are stored in one array. Few
/// processes have more threads that emit at the same time.
pub(crate) const INLINE_SLOTS: usize = 64;

/// Number of sums whose cells are in one array of each thread. Few processes have more, and their
/// cells take 8 KiB for each thread.
pub(crate) const CHUNK_LEN: usize = 1024;

/// Number of unused cells at both ends of an array of cells: two cache lines, which processors fetch
/// together.
pub(crate) const PADDING: usize = 16;

/// Number of words of the set of sums' IDs, with 64 IDs in each.
pub(crate) const SUM_WORDS: usize = 1024;

/// Shared reference to cells of a thread, which stay until the process ends.
pub(crate) struct ChunkRef(&'static Chunk);

impl Default for ChunkRef {
    fn default() -> Self {
        Self(Box::leak(new_chunk()))
    }
}

impl std::ops::Deref for ChunkRef {
    type Target = Chunk;
    fn deref(&self) -> &Chunk {
        self.0
    }
}

static SUMS: Sums = Sums::new(IdSet::new());

pub(crate) fn with_sums<R>(task: impl FnOnce(&Sums) -> R) -> R {
    task(&SUMS)
}

/// Calls `task` with the first chunk of the current thread's cells, or with `None` if the thread has
/// none yet, or is exiting.
#[inline(always)]
pub(crate) fn with_first_chunk<R>(task: impl FnOnce(Option<&Chunk>) -> R) -> R {
    FIRST_CHUNK.with(|chunk| task(chunk.get()))
}

pub(crate) fn set_first_chunk(chunk: &ChunkRef) {
    FIRST_CHUNK.set(Some(chunk.0));
}

const WORDS: usize = MAX_THREADS as usize / 64;

static THREAD_IDS: IdSet<WORDS> = IdSet::new();

impl<const WORDS: usize> IdSet<WORDS> {
    pub(super) const fn new() -> Self {
        Self { allocated: [const { AtomicU64::new(0) }; WORDS] }
    }
}

pub(super) fn with_thread_ids<R>(task: impl FnOnce(&IdSet<WORDS>) -> R) -> R {
    task(&THREAD_IDS)
}

thread_local! {
    /// State of the current thread: its ID, or that it has no ID, is busy or has ended. It has no
    /// destructor, so it is usable until the thread is gone.
    static THREAD_STATE: AtomicU32 = const { AtomicU32::new(NONE) };
    /// First chunk of the thread's cells. It is a single word, which no signal handler finds half
    /// written, and has no destructor.
    static FIRST_CHUNK: Cell<Option<&'static Chunk>> = const { Cell::new(None) };
    static RELEASE_ID: ReleaseId = const { ReleaseId };
}

#[inline(always)]
pub(super) fn with_thread_state<R>(task: impl FnOnce(&AtomicU32) -> R) -> R {
    THREAD_STATE.with(task)
}

/// Arranges for the thread's ID to be released when the thread exits. Returns false if this was
/// arranged before, and the thread-local destructor that releases the ID has already run.
///
/// On Linux, destructors of pthread keys run after those of thread-locals. A hook that is registered
/// there for the first time is never called, and the ID is never released.
pub(super) fn register_exit_hook() -> bool {
    RELEASE_ID.try_with(|_| ()).is_ok()
}

struct ReleaseId;

impl Drop for ReleaseId {
    fn drop(&mut self) {
        // Before the ID, since the next owner of the ID is the only writer of its cells.
        FIRST_CHUNK.set(None);
        THREAD_STATE.with(|state| thread_guard::on_thread_exit(state, |id| THREAD_IDS.release(id)));
    }
}

/// Asymmetric memory barrier: acts as a full fence between two threads, at no run-time cost for one
/// of them.
///
/// The *light* side is free at run time. The *heavy* side makes every thread of the process execute
/// a full fence.
pub struct Barrier(Option<Heavy>);

type Heavy = Box<dyn Fn() -> bool + Send + Sync + UnwindSafe + RefUnwindSafe>;

impl Barrier {
    /// Creates a barrier. `heavy` must make every thread of the process execute a full fence, as
    /// the expedited private `membarrier(2)` does on Linux, or return false if the platform cannot.
    ///
    /// A function that returns true without a fence can leave the consumer asleep while records
    /// wait. It cannot corrupt them.
    pub fn new(
        heavy: impl Fn() -> bool + Send + Sync + UnwindSafe + RefUnwindSafe + 'static,
    ) -> Self {
        Self(Some(Box::new(heavy)))
    }

    /// Creates a barrier that orders nothing. A consumer with this barrier never becomes dormant
    /// (sleeps without a timeout).
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Executes the cheap side of the barrier: only a compiler fence, which costs nothing at run
    /// time.
    #[inline(always)]
    pub(crate) fn light(&self) {
        // ORDERING: SeqCst, for the compiler only. `heavy` makes the processor's fence.
        // No model: loom's build has another barrier. The stress test
        // `every_line_wakes_a_dormant_flusher` covers this one.
        compiler_fence(SeqCst);
    }

    /// Executes the expensive side of the barrier: a full fence on every thread of the process.
    /// Returns false, with nothing ordered, if the barrier lacks this side.
    pub(crate) fn heavy(&self) -> bool {
        self.0.as_ref().is_some_and(|heavy| heavy())
    }
}

/// Empty type that does nothing. In loom's build, the type of the same name reports races on the
/// bytes of a block, or on data that one thread owns.
#[derive(Default)]
pub(crate) struct AccessTracker;

impl AccessTracker {
    #[inline(always)]
    pub(crate) fn new(_len: usize) -> Self {
        Self
    }
    #[inline(always)]
    pub(crate) fn track_read(&self, _from: usize, _to: usize) {}
    #[inline(always)]
    pub(crate) fn track_write(&self, _from: usize, _to: usize) {}
}

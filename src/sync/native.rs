//! What is used in earnest.

use super::thread_guard::{self, MAX_THREADS, NONE, ThreadGuard};
use super::thread_ids::ThreadIds;
pub(crate) use crossbeam_queue::ArrayQueue;
use std::panic::{RefUnwindSafe, UnwindSafe};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst, compiler_fence};
pub(crate) use std::sync::{Arc, Mutex};

/// Wakes the flusher. Safe to unwind past, so that a connector is.
pub(crate) type Wake = Box<dyn Fn() + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// Keeps handlers that interrupt this thread from emitting until it is dropped: for the flusher, which
/// uses the same queues. Such lines are counted as of a call within a call.
pub(crate) fn forbid_reentry() -> Option<ThreadGuard> {
    ThreadGuard::enter_or_register().ok()
}

/// Below a capacity of a few blocks, the ordered queue takes this much beside it: 4 KiB.
pub(crate) const MIN_RECORDS: usize = 16;

/// More threads than these emit at a time only in few processes.
pub(crate) const INLINE_SLOTS: usize = 64;

const WORDS: usize = MAX_THREADS as usize / 64;

static THREAD_IDS: ThreadIds<WORDS> = ThreadIds::new();

impl<const WORDS: usize> ThreadIds<WORDS> {
    pub(super) const fn new() -> Self {
        Self { taken: [const { AtomicU64::new(0) }; WORDS] }
    }
}

pub(super) fn with_thread_ids<R>(task: impl FnOnce(&ThreadIds<WORDS>) -> R) -> R {
    task(&THREAD_IDS)
}

thread_local! {
    /// Without a destructor: it is there until the thread is gone.
    static THREAD_STATE: AtomicU32 = const { AtomicU32::new(NONE) };
    static RELEASE_ID: ReleaseId = const { ReleaseId };
}

#[inline(always)]
pub(super) fn with_thread_state<R>(task: impl FnOnce(&AtomicU32) -> R) -> R {
    THREAD_STATE.with(task)
}

/// Has the thread's number given back at its end. False for a thread that is past that.
pub(super) fn register_exit_hook() -> bool {
    RELEASE_ID.try_with(|_| ()).is_ok()
}

struct ReleaseId;

impl Drop for ReleaseId {
    fn drop(&mut self) {
        THREAD_STATE.with(|seat| thread_guard::leave(seat, |number| THREAD_IDS.give_back(number)));
    }
}

/// A full fence on both sides of a pair of threads, of which the *light* one costs nothing: the
/// *heavy* one has the operating system make every thread of the process pass a full fence
/// (`membarrier`, private and expedited: see membarrier(2)).
pub(crate) struct Barrier;

impl Barrier {
    pub(crate) fn new() -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn light(&self) {
        // ORDERING: SeqCst, for the compiler alone; the processor's fence is in `heavy`.
        // No model: loom's build has another barrier. The stress test
        // `every_line_wakes_the_dormant` tries this one.
        compiler_fence(SeqCst);
    }

    /// False where there is none, and nothing was ordered.
    pub(crate) fn heavy(&self) -> bool {
        #[cfg(all(target_os = "linux", feature = "tokio", not(miri)))]
        {
            use rustix::io::Errno;
            use rustix::thread::{MembarrierCommand, membarrier};
            match membarrier(MembarrierCommand::PrivateExpedited) {
                // Once in a process's life.
                Err(Errno::PERM) => {
                    membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
                        && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
                }
                result => result.is_ok(),
            }
        }
        #[cfg(not(all(target_os = "linux", feature = "tokio", not(miri))))]
        false
    }
}

/// Stands where loom's build watches the bytes of a block, or what one thread has to itself, for
/// races.
#[derive(Default)]
pub(crate) struct AccessTracker;

impl AccessTracker {
    #[inline(always)]
    pub(crate) fn new(_len: usize) -> Self {
        Self
    }
    #[inline(always)]
    pub(crate) fn reads(&self, _from: usize, _to: usize) {}
    #[inline(always)]
    pub(crate) fn writes(&self, _from: usize, _to: usize) {}
}

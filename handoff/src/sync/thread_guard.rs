//! Reentry guard: makes sure that a thread emits only one record at a time, even if a signal
//! handler interrupts it.
//!
//! A signal handler, or an allocator that emits, can call while its thread is already emitting.
//! Each thread has one state word, in storage that needs no initialisation:
//!
//! ```text
//!           first guard             enter
//!   NONE -----------------> ID <--------------> BUSY
//!     |    (BUSY meanwhile)  |   guard dropped
//!     |                      | the thread exits
//!     +----------------------+-------------------> ENDED
//! ```
//!
//! Only its own thread uses the word. It is atomic because signal handlers must see each store
//! whole. Compiler fences keep the work done under a guard between its two stores.

use super::{register_exit_hook, with_thread_ids, with_thread_state};
use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, compiler_fence};

/// Maximum number of threads that have an ID at the same time. All IDs are less than this number.
pub(super) const MAX_THREADS: u32 = 1 << 16;
/// Value of a thread's state word: the thread has no ID yet.
pub(super) const NONE: u32 = u32::MAX;
/// Value of a thread's state word: the thread holds its guard, because it is emitting a record.
const BUSY: u32 = NONE - 1;
/// Value of a thread's state word: the thread is exiting, and its thread-local destructors have
/// run.
const ENDED: u32 = NONE - 2;

/// Permission to use the data that the current thread owns, such as its block. A thread holds at
/// most one guard at a time.
pub(crate) struct ThreadGuard {
    id: u32,
    /// Marker that makes the guard `!Send`, so that no other thread can use or drop the guard.
    is_not_send: PhantomData<*const ()>,
}

/// Reason for which a thread cannot get its guard, the permission to emit a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuardError {
    /// Error: the thread already holds its guard, because it is emitting a record.
    Reentrant,
    /// Error: the thread is exiting, so that it cannot emit any more.
    ThreadExiting,
    /// Error: no thread ID is free for the thread.
    TooManyThreads,
}

impl ThreadGuard {
    /// Takes the guard of the current thread, which keeps the thread from starting a second record.
    /// Returns the guard and the value that `lookup` finds for the thread's ID, or `None` if
    /// `lookup` finds none.
    ///
    /// A thread without an ID, or one that holds a guard, passes a word to `lookup` that is no ID.
    /// `lookup` must return `None` for it.
    #[inline(always)]
    pub(crate) fn enter<T>(lookup: impl FnOnce(u32) -> Option<T>) -> Option<(Self, T)> {
        with_thread_state(|state| {
            // ORDERING: Relaxed, both. Only this thread uses the word. A handler that runs between
            // the two has dropped its guard by then, and restored the ID.
            let id = state.load(Relaxed);
            let found = lookup(id)?;
            // ORDERING: Relaxed. As above.
            state.store(BUSY, Relaxed);
            // ORDERING: SeqCst, for the compiler only: a handler sees the store before any work
            // done under the guard. No model: handlers run on the same thread. The tests that
            // single-step a call cover this one.
            compiler_fence(SeqCst);
            Some((Self { id, is_not_send: PhantomData }, found))
        })
    }

    /// Takes the guard of the current thread, which keeps the thread from starting a second record.
    /// First allocates an ID if the thread has none.
    #[cold]
    pub(crate) fn enter_or_register() -> Result<Self, GuardError> {
        loop {
            let is_id = |word| (word < MAX_THREADS).then_some(());
            if let Some((guard, ())) = Self::enter(is_id) {
                return Ok(guard);
            }
            // ORDERING: Relaxed. Only this thread uses the word.
            match with_thread_state(|state| state.load(Relaxed)) {
                NONE => {}
                ENDED => return Err(GuardError::ThreadExiting),
                BUSY => return Err(GuardError::Reentrant),
                // A handler has registered the thread in between.
                _ => continue,
            }
            // ORDERING: Relaxed, both. Only this thread uses the word. A read-modify-write keeps
            // handlers from running in between.
            let claimed =
                with_thread_state(|state| state.compare_exchange(NONE, BUSY, Relaxed, Relaxed));
            if claimed.is_ok() {
                return Self::register();
            }
        }
    }

    /// Allocates an ID for the current thread, and returns the thread's guard (permission to emit a
    /// record). The state of the thread is already `BUSY`.
    fn register() -> Result<Self, GuardError> {
        let id = if register_exit_hook() {
            with_thread_ids(|ids| ids.allocate()).ok_or(GuardError::TooManyThreads)
        } else {
            Err(GuardError::ThreadExiting)
        };
        let next = match id {
            Ok(_) => BUSY,
            Err(GuardError::ThreadExiting) => ENDED,
            Err(_) => NONE,
        };
        // ORDERING: Relaxed. Only this thread uses the word.
        with_thread_state(|state| state.store(next, Relaxed));
        id.map(|id| Self { id, is_not_send: PhantomData })
    }

    /// Returns the thread's ID, which no other living thread has.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }
}

impl Drop for ThreadGuard {
    #[inline(always)]
    fn drop(&mut self) {
        // ORDERING: SeqCst, for the compiler only: a handler that finds the guard dropped sees all
        // the work done under it. No model: as in `enter`.
        compiler_fence(SeqCst);
        // ORDERING: Relaxed. Only this thread uses the word.
        with_thread_state(|state| state.store(self.id, Relaxed));
    }
}

/// Marks an exiting thread as ended. Calls `release` with the thread's ID, if the thread has an ID
/// and is not emitting a record.
pub(super) fn on_thread_exit(state: &AtomicU32, release: impl FnOnce(u32)) {
    // ORDERING: Relaxed, both. Only this thread uses the word.
    let id = state.load(Relaxed);
    state.store(ENDED, Relaxed);
    // A handler can end its thread while a guard is held. The ID is kept then, since the work done
    // under the guard is incomplete.
    if id < MAX_THREADS {
        release(id);
    }
}

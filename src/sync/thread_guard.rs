//! Turns: a thread emits one line at a time.
//!
//! A signal handler, or an allocator that emits, can call while its thread is already emitting. One
//! word of each thread, in storage that needs no initialisation, tells:
//!
//! ```text
//!              first turn                 begin
//!   NONE ---------------------> number <---------> BUSY
//!     |    (BUSY meanwhile)        |       end
//!     |                            | the thread ends
//!     +----------------------------+----------------> ENDED
//! ```
//!
//! The word is only used by its thread. It is atomic for the sake of signal handlers, which see each
//! store whole; and fences for the compiler keep what a turn does between its begin and its end.

use super::{register_exit_hook, with_thread_ids, with_thread_state};
use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, compiler_fence};

/// So many threads can have a number: all numbers are below.
pub(super) const MAX_THREADS: u32 = 1 << 16;
/// The thread has no number yet.
pub(super) const NONE: u32 = u32::MAX;
/// The thread is in the midst of a turn.
const BUSY: u32 = NONE - 1;
/// The destructors of the thread's storage have run.
const ENDED: u32 = NONE - 2;

/// The right to use what the thread has to itself, until it is dropped.
pub(crate) struct ThreadGuard {
    number: u32,
    /// It stays on its thread.
    is_not_send: PhantomData<*const ()>,
}

/// Why a thread has no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuardError {
    /// It is in the midst of one.
    Reentrant,
    /// It is ending.
    ThreadExiting,
    /// As many threads as there can be have numbers.
    TooManyThreads,
}

impl ThreadGuard {
    /// Begins a turn of a thread for whose number `find` finds something. That finds nothing for what
    /// is no number: where the thread has none yet, or is in the midst of a turn.
    #[inline(always)]
    pub(crate) fn begin<T>(find: impl FnOnce(u32) -> Option<T>) -> Option<(Self, T)> {
        with_thread_state(|seat| {
            // ORDERING: Relaxed, both. This thread's alone; a handler that runs between the two has
            // ended its turn, and left the number as it was.
            let number = seat.load(Relaxed);
            let found = find(number)?;
            // ORDERING: Relaxed. As above.
            seat.store(BUSY, Relaxed);
            // ORDERING: SeqCst, for the compiler alone: a handler sees the store before anything that
            // the turn does. No model: handlers run on the same thread; the tests that single-step
            // a call try this one.
            compiler_fence(SeqCst);
            Some((Self { number, is_not_send: PhantomData }, found))
        })
    }

    /// Begins a turn, and gives the thread a number if it has none.
    #[cold]
    pub(crate) fn enter_or_register() -> Result<Self, GuardError> {
        loop {
            let is_number = |number| (number < MAX_THREADS).then_some(());
            if let Some((turn, ())) = Self::begin(is_number) {
                return Ok(turn);
            }
            // ORDERING: Relaxed. This thread's alone.
            match with_thread_state(|seat| seat.load(Relaxed)) {
                NONE => {}
                ENDED => return Err(GuardError::ThreadExiting),
                BUSY => return Err(GuardError::Reentrant),
                // A handler ran meanwhile, and was the first.
                _ => continue,
            }
            // ORDERING: Relaxed, both. This thread's alone: a read-modify-write, so that no handler
            // comes between.
            let joins =
                with_thread_state(|seat| seat.compare_exchange(NONE, BUSY, Relaxed, Relaxed));
            if joins.is_ok() {
                return Self::join();
            }
        }
    }

    /// The thread's first turn: it is busy already.
    fn join() -> Result<Self, GuardError> {
        let number = if register_exit_hook() {
            with_thread_ids(|numbers| numbers.take()).ok_or(GuardError::TooManyThreads)
        } else {
            Err(GuardError::ThreadExiting)
        };
        let seat = match number {
            Ok(_) => BUSY,
            Err(GuardError::ThreadExiting) => ENDED,
            Err(_) => NONE,
        };
        // ORDERING: Relaxed. This thread's alone.
        with_thread_state(|its| its.store(seat, Relaxed));
        number.map(|number| Self { number, is_not_send: PhantomData })
    }

    /// The thread's number, which no other living thread has.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for ThreadGuard {
    #[inline(always)]
    fn drop(&mut self) {
        // ORDERING: SeqCst, for the compiler alone: a handler that finds the turn over sees all that
        // it did. No model: as in `begin`.
        compiler_fence(SeqCst);
        // ORDERING: Relaxed. This thread's alone.
        with_thread_state(|seat| seat.store(self.number, Relaxed));
    }
}

/// The thread ends: its number is given back, and it has no more turns.
pub(super) fn leave(seat: &AtomicU32, give_back: impl FnOnce(u32)) {
    // ORDERING: Relaxed, both. This thread's alone.
    let number = seat.load(Relaxed);
    seat.store(ENDED, Relaxed);
    // Not from within a turn, as of a handler that ends its thread: what it was about is half done.
    if number < MAX_THREADS {
        give_back(number);
    }
}

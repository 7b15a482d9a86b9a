//! Bell: wake-up flag of the consumer thread. Producer threads ring it when enough records wait,
//! which wakes a parked consumer at most once per sleep.
//!
//! ```text
//!              ring                     ring: wakes
//!   QUIET ------------> RUNG <----------------------- PARKED
//!   ^ ^ |    clear       |                             |  ^
//!   | +-|----------------+                             |  |
//!   |   |    clear, where the consumer's tick woke it  |  |
//!   +---|----------------------------------------------+  |
//!       |    prepare_park                                 |
//!       +-------------------------------------------------+
//! ```
//!
//! Both sides change the one state only by read-modify-writes, so one of them comes first. Either
//! the consumer finds RUNG and stays awake, or the ringing thread finds PARKED and wakes it. A fence
//! would work too, but not every tool that checks this crate understands fences.

use crate::sync::{AtomicU8, Wake};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// State of the bell (the consumer's wake-up flag): the consumer is awake, and no producer thread
/// has rung since the consumer last cleared the bell.
const QUIET: u8 = 0;
/// State of the bell (the consumer's wake-up flag): a producer thread has announced work, and the
/// consumer has not cleared the bell since.
const RUNG: u8 = 1;
/// State of the bell (the consumer's wake-up flag): the consumer is parked or about to park, and
/// the next ring must wake it.
const PARKED: u8 = 2;

pub(crate) struct Bell {
    state: AtomicU8,
    wake: Wake,
}

impl Bell {
    /// Creates a bell (wake-up flag) in the quiet state: no work is announced. `wake` must unpark
    /// the consumer thread, or make its next park return at once.
    pub(crate) fn new(wake: Wake) -> Self {
        Self { state: AtomicU8::new(QUIET), wake }
    }

    /// Announces work to the consumer, and wakes it if it is parked.
    pub(crate) fn ring(&self) {
        // ORDERING: Release, pairs with the Acquire in `clear` (or the failing exchange in
        // `prepare_park` that leads there): a consumer that clears the ring sees the announced work.
        // Model: ring_and_clear.
        if self.state.swap(RUNG, Release) == PARKED {
            (self.wake)();
        }
    }

    /// Wakes the consumer thread, whether it is parked or not. The state of the bell (the
    /// consumer's wake-up flag) stays unchanged.
    pub(crate) fn wake(&self) {
        (self.wake)();
    }

    /// Resets the bell (the consumer's wake-up flag) to its quiet state. The consumer calls this
    /// before it looks for work, so that no later announcement is lost.
    pub(crate) fn clear(&self) {
        // ORDERING: Acquire, pairs with the Release in `ring`. Model: ring_and_clear.
        self.state.swap(QUIET, Acquire);
    }

    /// Marks the consumer as parked and returns true. Returns false instead if a thread has
    /// announced work since the consumer last called `clear`. The consumer may park only after a
    /// return of true.
    pub(crate) fn prepare_park(&self) -> bool {
        // ORDERING: Relaxed. Nothing is handed over here: the consumer takes the announced work
        // after `clear`.
        match self.state.compare_exchange(QUIET, PARKED, Relaxed, Relaxed) {
            Ok(_) | Err(PARKED) => true,
            Err(_) => false,
        }
    }
}

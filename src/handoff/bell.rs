//! The bell: how a thread that seals a block wakes the flusher, at most once a cycle.
//!
//! ```text
//!              ring                      ring: wakes
//!   QUIET ------------> RUNG <------------------------ PARKED
//!   ^ ^ |    answer      |                              |  ^
//!   | +-|----------------+                              |  |
//!   |   |    answer, where it woke by itself: a tick    |  |
//!   +---|-----------------------------------------------+  |
//!       |    prepare_park                                   |
//!       +--------------------------------------------------+
//! ```
//!
//! Both sides only read-modify-write the one state, so that one of them is first: either
//! the flusher finds RUNG and stays awake, or the ringer finds PARKED and wakes it. A fence
//! would do as well, but not every tool that checks this crate understands fences.

use crate::sync::{AtomicU8, Wake};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The flusher is at work, and nobody has rung since it last looked.
const QUIET: u8 = 0;
/// Somebody rang: there is something to sweep.
const RUNG: u8 = 1;
/// The flusher sleeps; the next ring must wake it.
const PARKED: u8 = 2;

pub(crate) struct Bell {
    state: AtomicU8,
    wake: Wake,
}

impl Bell {
    /// `wake` ends the flusher's sleep, or its next one if it has not begun.
    pub(crate) fn new(wake: Wake) -> Self {
        Self { state: AtomicU8::new(QUIET), wake }
    }

    /// Called after something was made ready for the flusher.
    pub(crate) fn ring(&self) {
        // ORDERING: Release, pairs with the Acquire in `clear` (or the failing exchange in
        // `prepare_park` that leads there): who answers sees what was made ready.
        // Model: ring_and_answer.
        if self.state.swap(RUNG, Release) == PARKED {
            (self.wake)();
        }
    }

    /// Ends the flusher's sleep, whatever was rung.
    pub(crate) fn wake(&self) {
        (self.wake)();
    }

    /// Called by the flusher before it looks for what is ready.
    pub(crate) fn clear(&self) {
        // ORDERING: Acquire, pairs with the Release in `ring`. Model: ring_and_answer.
        self.state.swap(QUIET, Acquire);
    }

    /// Whether the flusher may sleep: not if somebody rang since it last answered.
    pub(crate) fn prepare_park(&self) -> bool {
        // ORDERING: Relaxed. Nothing is handed over here: what the ringer made ready is
        // taken after `clear`.
        match self.state.compare_exchange(QUIET, PARKED, Relaxed, Relaxed) {
            Ok(_) | Err(PARKED) => true,
            Err(_) => false,
        }
    }
}

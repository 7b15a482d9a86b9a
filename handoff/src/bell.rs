//! Bell: lets a thread that seals a block wake the consumer, at most once per sleep.
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

/// The consumer is awake, and no thread has rung since it last cleared the bell.
const QUIET: u8 = 0;
/// A thread has rung: there is work for the consumer.
const RUNG: u8 = 1;
/// The consumer is parked, and the next ring must wake it.
const PARKED: u8 = 2;

pub(crate) struct Bell {
    state: AtomicU8,
    wake: Wake,
}

impl Bell {
    /// Creates a quiet bell. `wake` unparks the consumer, or makes its next park return at once.
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

    /// Wakes the consumer in any state of the bell.
    pub(crate) fn wake(&self) {
        (self.wake)();
    }

    /// Clears the bell. The consumer calls this before it looks for work.
    pub(crate) fn clear(&self) {
        // ORDERING: Acquire, pairs with the Release in `ring`. Model: ring_and_clear.
        self.state.swap(QUIET, Acquire);
    }

    /// Returns true if the consumer may park: no thread has rung since the bell was cleared.
    pub(crate) fn prepare_park(&self) -> bool {
        // ORDERING: Relaxed. Nothing is handed over here: the consumer takes the announced work
        // after `clear`.
        match self.state.compare_exchange(QUIET, PARKED, Relaxed, Relaxed) {
            Ok(_) | Err(PARKED) => true,
            Err(_) => false,
        }
    }
}

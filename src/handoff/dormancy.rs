//! Dormancy: how the flusher comes to sleep without a clock while nothing is emitted, and how the
//! first line after that wakes it.
//!
//! ```text
//!                    lie down: nothing new
//!            +---------------------------------+
//!            |                                 v
//!         TICKING                           DORMANT
//!            ^                                 |
//!            +---------------------------------+
//!                 wake_dormant: the first to publish
//! ```
//!
//! Each side writes, and then reads what the other writes: a caller publishes its line and looks
//! whether the flusher is dormant; the flusher says that it is, and looks for lines. One of the
//! two must see the other, which takes a full fence on both sides. The callers' would cost as much as
//! a whole line. So the flusher makes them pass it, by a system call of its own, before it looks;
//! what is left on the callers' side is a plain load, of a cache line that nobody writes
//! while lines flow.

use crate::sync::{AtomicBool, Barrier};
use crossbeam_utils::CachePadded;
use std::sync::atomic::Ordering::Relaxed;

pub(super) struct Dormancy {
    is_dormant: CachePadded<AtomicBool>,
    barrier: Barrier,
}

impl Dormancy {
    pub(super) fn new(barrier: Barrier) -> Self {
        Self { is_dormant: CachePadded::new(AtomicBool::new(false)), barrier }
    }

    /// Called by the flusher before it looks for lines for the last time. False where it may not:
    /// callers might not see it.
    pub(super) fn begin(&self) -> bool {
        // ORDERING: Relaxed. The barrier orders it before the look for lines, and after it in the
        // callers' eyes. Model: the_first_line_wakes_the_dormant.
        self.is_dormant.store(true, Relaxed);
        let begun = self.barrier.heavy();
        if !begun {
            self.end();
        }
        begun
    }

    /// Called after a line was published, or dropped: whether the flusher may have to be roused.
    #[inline(always)]
    pub(super) fn is_dormant(&self) -> bool {
        self.barrier.light();
        // ORDERING: Relaxed. The barrier orders it after the line's publishing.
        // Model: the_first_line_wakes_the_dormant.
        self.is_dormant.load(Relaxed)
    }

    /// Whether this ended it: then the flusher is to be woken by whoever calls, and by nobody else.
    pub(super) fn end(&self) -> bool {
        // ORDERING: Relaxed. A read-modify-write is true once; nothing is handed over here.
        self.is_dormant.swap(false, Relaxed)
    }
}

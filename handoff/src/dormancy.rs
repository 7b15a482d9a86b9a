//! Dormancy: lets the flusher sleep without a timer while no line is emitted. The next line wakes
//! it.
//!
//! ```text
//!               try_enter: nothing new
//!           +---------------------------------+
//!           |                                 v
//!        TICKING                           DORMANT
//!           ^                                 |
//!           +---------------------------------+
//!               leave: the first line after
//! ```
//!
//! Each side writes, and then reads what the other side writes. A producer thread publishes its
//! line, and then checks whether the flusher is dormant. The flusher announces that it is dormant, and
//! then looks for lines. One of the two must see the other, which takes a full fence on both
//! sides.
//!
//! A fence on the producers' side would cost as much as a whole line. So the flusher makes all
//! threads pass one, by a system call, before it looks for lines. A producer's share is a plain
//! load, of a cache line that is not written while lines flow.

use crate::sync::{AtomicBool, Barrier};
use crossbeam_utils::CachePadded;
use std::sync::atomic::Ordering::Relaxed;

pub(crate) struct Dormancy {
    is_dormant: CachePadded<AtomicBool>,
    barrier: Barrier,
}

impl Dormancy {
    pub(crate) fn new(barrier: Barrier) -> Self {
        Self { is_dormant: CachePadded::new(AtomicBool::new(false)), barrier }
    }

    /// Marks the flusher as dormant, before it looks for lines for the last time.
    ///
    /// Returns false if the platform has no barrier: producers might not see the mark.
    pub(crate) fn try_enter(&self) -> bool {
        // ORDERING: Relaxed. The barrier orders it before the flusher's last look for lines.
        // Model: first_line_wakes_a_dormant_flusher.
        self.is_dormant.store(true, Relaxed);
        let entered = self.barrier.heavy();
        if !entered {
            self.leave();
        }
        entered
    }

    /// Returns true if the flusher may be dormant. Producers call this after they publish a line,
    /// or drop one.
    #[inline(always)]
    pub(crate) fn is_dormant(&self) -> bool {
        self.barrier.light();
        // ORDERING: Relaxed. The barrier orders it after the line's publication.
        // Model: first_line_wakes_a_dormant_flusher.
        self.is_dormant.load(Relaxed)
    }

    /// Ends the dormancy. Returns true for the one caller that ended it, which must wake the
    /// flusher.
    pub(crate) fn leave(&self) -> bool {
        // ORDERING: Relaxed. The read-modify-write returns true once; nothing is handed over here.
        self.is_dormant.swap(false, Relaxed)
    }
}

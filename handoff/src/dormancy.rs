//! Dormancy: lets the consumer sleep without a timer while no record is emitted. The next record wakes
//! it.
//!
//! ```text
//!               try_enter: nothing new
//!           +---------------------------------+
//!           |                                 v
//!        TICKING                           DORMANT
//!           ^                                 |
//!           +---------------------------------+
//!               leave: the first record after
//! ```
//!
//! Each side writes, and then reads what the other side writes. A producer thread publishes its
//! record, and then checks whether the consumer is dormant. The consumer announces that it is dormant, and
//! then looks for records. One of the two must see the other, which takes a full fence on both
//! sides.
//!
//! A fence on the producers' side would cost as much as a whole record. So the consumer makes all
//! threads pass one, by a system call, before it looks for records. A producer's share is a plain
//! load, of a cache line that is not written while records flow.

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

    /// Marks the consumer as dormant (asleep without a timeout). The consumer calls this before its
    /// last check for records.
    ///
    /// Returns false if the platform has no barrier: producers might not see the mark.
    pub(crate) fn try_enter(&self) -> bool {
        // ORDERING: Relaxed. The barrier orders it before the consumer's last look for records.
        // Model: first_line_wakes_a_dormant_flusher.
        self.is_dormant.store(true, Relaxed);
        let entered = self.barrier.heavy();
        if !entered {
            self.leave();
        }
        entered
    }

    /// Returns true if the consumer may be dormant (asleep without a timeout) and must be woken.
    /// Producer threads call this after they publish or drop a record.
    #[inline(always)]
    pub(crate) fn is_dormant(&self) -> bool {
        self.barrier.light();
        // ORDERING: Relaxed. The barrier orders it after the record's publication.
        // Model: first_line_wakes_a_dormant_flusher.
        self.is_dormant.load(Relaxed)
    }

    /// Marks the consumer as not dormant (awake). Returns true if this call changed the mark; a
    /// producer thread must then wake the consumer.
    pub(crate) fn leave(&self) -> bool {
        // ORDERING: Relaxed. The read-modify-write returns true once; nothing is handed over here.
        self.is_dormant.swap(false, Relaxed)
    }
}

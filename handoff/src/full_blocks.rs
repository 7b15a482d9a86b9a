//! Count of the blocks that producer threads have filled since the last sweep. It tells a thread when
//! to wake the consumer.

use crate::sync::AtomicUsize;
use crossbeam_utils::CachePadded;
use std::sync::atomic::Ordering;

/// Number of full blocks that the consumer may not have taken.
pub(crate) struct FullBlocks {
    since_sweep: CachePadded<AtomicUsize>,
    /// Number of full blocks at which a producer thread wakes the consumer. Fewer blocks wait until
    /// the consumer's timer fires.
    ring_at: usize,
}

impl FullBlocks {
    pub(crate) fn new(ring_at: usize) -> Self {
        Self { since_sweep: CachePadded::new(AtomicUsize::new(0)), ring_at }
    }

    /// Counts a full block. Returns true if the consumer should be woken.
    pub(crate) fn count(&self) -> bool {
        // ORDERING: Release, pairs with the Acquire in `begin_sweep`: a sweep that resets the count
        // of a block finds its link. Model: ring_and_sweep.
        self.since_sweep.fetch_add(1, Ordering::Release) + 1 >= self.ring_at
    }

    /// Resets the count. The consumer calls this before it follows the links of full blocks, so that
    /// a block that it does not find is counted for the next sweep.
    pub(crate) fn begin_sweep(&self) {
        // ORDERING: Acquire, pairs with the Release in `count`. Model: ring_and_sweep.
        self.since_sweep.swap(0, Ordering::Acquire);
    }

    /// Counts the spare blocks that threads can fill until the next sweep as if they were full: a
    /// thread that fills a spare block does not count it. Returns true if the consumer should sweep
    /// again.
    pub(crate) fn end_sweep(&self, spares: usize) -> bool {
        // ORDERING: Relaxed. The consumer itself sweeps again, and finds its own changes.
        spares > 0 && self.since_sweep.fetch_add(spares, Ordering::Relaxed) + spares >= self.ring_at
    }
}

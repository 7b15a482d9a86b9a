//! Producers: state of each thread that emits records.

use crate::block::{Chain, WriterCell};
use crate::sync::AtomicUsize;
use crate::tally::SingleWriterTally;
use crossbeam_utils::CachePadded;
use std::sync::atomic::Ordering::Relaxed;

/// State of a producer thread: its current block, and its counts of records. A new thread can take
/// over and continue this state after the thread has exited.
#[derive(Default)]
pub(crate) struct Producer<C> {
    /// Writer of the block that the thread is filling. Only the thread itself uses it.
    pub(crate) writer: WriterCell,
    /// Number of full blocks that the thread has left for the next one.
    full_blocks: AtomicUsize,
    /// State that the consumer keeps about the thread, in cache lines that the thread does not write.
    pub(crate) taken: CachePadded<Taken>,
    pub(crate) accepted: SingleWriterTally,
    pub(crate) full: SingleWriterTally,
    pub(crate) oversize: SingleWriterTally,
    /// Count of records that were first counted in `accepted`, and then rejected because the
    /// ordered queue was full. Readers of the counts subtract it from `accepted`.
    pub(crate) rejected_late: SingleWriterTally,
    /// Counts that the application itself keeps for this thread.
    pub(crate) application: C,
}

/// State of a producer thread on the consumer's side: the blocks that the consumer has not taken.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) chain: Chain,
    /// Number of full blocks that the consumer has taken.
    full_blocks: AtomicUsize,
}

impl<C> Producer<C> {
    /// Counts a full block, which the thread has left for the next one.
    #[inline]
    pub(crate) fn count_full(&self) {
        // ORDERING: Relaxed, both. Only this thread writes it, and it publishes nothing.
        self.full_blocks.store(self.full_blocks.load(Relaxed) + 1, Relaxed);
    }

    /// Returns the number of full blocks that the consumer has not taken. The number is exact while
    /// the thread does not emit.
    pub(crate) fn waiting_blocks(&self) -> usize {
        // ORDERING: Relaxed, both. The consumer may take a block before the thread has counted it.
        self.full_blocks.load(Relaxed).saturating_sub(self.taken.full_blocks.load(Relaxed))
    }
}

impl Taken {
    /// Counts a full block that the consumer has taken.
    pub(crate) fn count_full(&self) {
        // ORDERING: Relaxed, both. Only the consumer writes it. It moves between threads through a
        // mutex.
        self.full_blocks.store(self.full_blocks.load(Relaxed) + 1, Relaxed);
    }
}

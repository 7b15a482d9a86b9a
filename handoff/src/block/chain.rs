//! Chain: start of the list of a producer thread's blocks, which the consumer follows.

use super::{Block, BlockView, Handle, ReadPermit};
use crate::sync::AtomicPtr;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Chain of the blocks of one producer thread, from the oldest that the consumer has not taken whole.
/// The thread sets the first block, and appends further blocks by links. The consumer moves on.
#[derive(Default)]
pub(crate) struct Chain(AtomicPtr<Block>);

impl Chain {
    /// Begins the chain with the first block of the thread, and shows it to the consumer.
    pub(crate) fn begin(&self, first: BlockView) {
        // ORDERING: Release, pairs with the Acquire load in `oldest`. A consumer that sees the block
        // sees its allocation. Model: part_filled_block_is_swept_in_order.
        self.0.store(first.0.0.as_ptr(), Release);
    }

    /// Returns a read-only handle to the oldest block that the consumer has not taken whole, or
    /// `None` if the thread has not written a record yet.
    pub(crate) fn oldest(&self) -> Option<BlockView> {
        // ORDERING: Acquire, pairs with the Release store in `begin`.
        // Model: part_filled_block_is_swept_in_order.
        let oldest = self.0.load(Acquire);
        // The chain has only blocks of this exchange, so the block is alive by invariant 1.
        NonNull::new(oldest).map(|block| BlockView(Handle(block)))
    }

    /// Notes that the consumer has taken all blocks before `block` whole. Only the consumer calls
    /// this: it has the permit.
    pub(crate) fn advance_to(&self, block: BlockView, permit: &mut ReadPermit) {
        permit.check(&block.0);
        // ORDERING: Relaxed. The producer never reads it. The consumer moves between threads through
        // a mutex.
        self.0.store(block.0.0.as_ptr(), Relaxed);
    }
}

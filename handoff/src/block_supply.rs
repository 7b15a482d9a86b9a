//! Block supply: the source of empty blocks for producer threads and the ordered queue.

use crate::block::{BlockPool, BlockWriter, ReadPermit};
use crate::sync::ArrayQueue;

/// The pool, and the empty blocks that the consumer has given back.
pub(crate) struct BlockSupply {
    pool: BlockPool,
    /// Empty blocks, from the consumer back to the threads.
    free: ArrayQueue<BlockWriter>,
}

impl BlockSupply {
    /// Creates a supply of `budget` blocks, and of one more for each [`create`](Self::create).
    pub(crate) fn new(block_size: usize, budget: usize) -> (Self, ReadPermit) {
        let (pool, permit) = BlockPool::new(block_size, budget);
        // Every thread always holds one block, so at most `budget` blocks are free.
        (Self { pool, free: ArrayQueue::new(budget) }, permit)
    }

    pub(crate) fn block_size(&self) -> usize {
        self.pool.block_size()
    }

    /// Allocates a block outside the budget: the first block of a thread.
    pub(crate) fn create(&self) -> BlockWriter {
        self.pool.allocate()
    }

    /// Takes an empty block within the budget, or returns `None` if all are in use.
    pub(crate) fn take(&self) -> Option<BlockWriter> {
        self.free.pop().or_else(|| self.pool.allocate_within_budget())
    }

    /// Returns a function that gives empty blocks back.
    pub(crate) fn returner(&self) -> impl FnMut(BlockWriter) {
        |writer| {
            let pushed = self.free.push(writer);
            assert!(pushed.is_ok(), "the queue has a slot for every block");
        }
    }

    #[cfg(test)]
    pub(crate) fn free_len(&self) -> usize {
        self.free.len()
    }
}

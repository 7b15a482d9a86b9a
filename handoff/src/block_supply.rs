//! Block supply: source of empty blocks, the buffers into which records are written. The consumer
//! gives blocks back to the supply after use.

use crate::block::{BlockPool, BlockWriter, ReadPermit};
use crate::sync::{ArrayQueue, KEPT_BLOCKS};

/// Source of empty blocks (buffers of records): the pool that allocates new blocks, and a queue of
/// used blocks that the consumer has emptied and given back.
pub(crate) struct BlockSupply {
    pool: BlockPool,
    /// Queue through which the consumer gives emptied blocks back to the producer threads.
    ///
    /// One block always stays here. `ArrayQueue::pop` spins on a slot that is being filled, and
    /// spins forever in the child of a process that forked at that moment. Only the consumer pushes,
    /// so only the last slot can be in that state.
    free: ArrayQueue<BlockWriter>,
}

impl BlockSupply {
    /// Creates a block supply (source of empty blocks) with at most `budget` shared blocks, and the
    /// permission to read all its blocks. Each call of [`create`](Self::create) adds one more
    /// block.
    pub(crate) fn new(block_size: usize, budget: usize) -> (Self, ReadPermit) {
        let (pool, permit) = BlockPool::new(block_size, budget);
        // Every thread always holds one block, so at most `budget` blocks and the reserve are free.
        // `SpareBlocks` keeps as many of the others as it has allocated, unless they are full.
        let free = ArrayQueue::new(budget + KEPT_BLOCKS);
        let supply = Self { pool, free };
        (0..KEPT_BLOCKS).map(|_| supply.create()).for_each(|block| supply.give_back(block));
        (supply, permit)
    }

    pub(crate) fn block_size(&self) -> usize {
        self.pool.block_size()
    }

    /// Allocates a block that does not count against the limit on shared blocks, such as the first
    /// block of a thread.
    pub(crate) fn create(&self) -> BlockWriter {
        self.pool.allocate()
    }

    /// Returns an empty shared block: a used one that the consumer gave back, or a new one. Returns
    /// `None` if all shared blocks are in use.
    pub(crate) fn take(&self) -> Option<BlockWriter> {
        // Threads that find the last block but one at the same time may take the last one too.
        let is_filled = KEPT_BLOCKS == 0 || self.free.len() > KEPT_BLOCKS;
        let free = if is_filled { self.free.pop() } else { None };
        free.or_else(|| self.pool.allocate_within_budget())
    }

    /// Gives an emptied block back to the supply, the source of empty blocks. Only the consumer calls
    /// this.
    pub(crate) fn give_back(&self, writer: BlockWriter) {
        let pushed = self.free.push(writer);
        assert!(pushed.is_ok(), "the queue has a slot for every block");
    }

    /// Takes all unused shared blocks, also the last one, which otherwise stays in the queue.
    /// Allocates those that do not exist yet.
    pub(crate) fn take_all(&mut self) -> Vec<BlockWriter> {
        let free = std::iter::from_fn(|| self.free.pop());
        free.chain(std::iter::from_fn(|| self.pool.allocate_within_budget())).collect()
    }

    /// Returns the number of emptied blocks that threads may take. One more block always stays
    /// in the queue of empty blocks and is not counted.
    #[cfg(test)]
    pub(crate) fn free_len(&self) -> usize {
        self.free.len() - KEPT_BLOCKS
    }
}

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use super::*;

    /// Checks that a thread leaves the last block in the queue of empty blocks, even if no other
    /// block is available. The consumer may still be pushing the last block, and `pop` would wait
    /// for it.
    #[test]
    fn threads_leave_the_last_block() {
        let (supply, _permit) = BlockSupply::new(32, 2);
        let first = supply.take().expect("within the budget");
        let second = supply.take().expect("within the budget");
        assert!(supply.take().is_none());
        assert_eq!(supply.free.len(), 1);
        supply.give_back(first);
        assert!(supply.take().is_some());
        supply.give_back(second);
        assert_eq!(supply.free_len(), 1);
    }
}

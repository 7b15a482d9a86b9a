//! Spare blocks: empty blocks that the consumer puts behind the blocks of busy threads, so that a
//! thread finds its next block at hand.
//!
//! Spare blocks are allocated beyond the shared blocks. As many blocks as were allocated are spare or
//! full at any time, so the threads can fill no fewer blocks than without spares.

use crate::block::{BlockView, BlockWriter, ReadPermit};
use crate::block_supply::BlockSupply;
use std::collections::VecDeque;

/// Number of sweeps without a full block after which a thread loses its spare blocks.
pub(crate) const IDLE_SWEEPS: u32 = 8;

/// Spare blocks of all threads, and those that no thread has. Only the consumer uses them.
pub(crate) struct SpareBlocks {
    /// Spare blocks that no thread has.
    stock: Vec<BlockWriter>,
    /// Number of blocks that were allocated as spare blocks.
    allocated: usize,
    /// Maximum number of spare blocks.
    max: usize,
    /// Number of spare blocks that threads have, as far as the consumer knows.
    given: usize,
    /// Spare blocks of each thread, by thread ID.
    threads: Vec<ThreadSpares>,
    /// IDs of the threads that have too few spare blocks. The next spare is for the first of them.
    lacking: VecDeque<usize>,
}

/// Spare blocks of one thread.
#[derive(Default)]
struct ThreadSpares {
    /// Block that the thread was filling at the last sweep.
    current: Option<BlockView>,
    /// Spare blocks of which the consumer has not seen that the thread uses them, in the order of the
    /// chain.
    given: VecDeque<BlockView>,
    demand: Demand,
}

/// Estimate of the number of blocks that a thread fills from one sweep to the next.
#[derive(Default)]
struct Demand {
    blocks: usize,
    /// Number of sweeps since the thread last filled a block.
    idle_sweeps: u32,
}

impl SpareBlocks {
    /// Creates an empty collection, which allocates at most `max` spare blocks.
    pub(crate) fn new(max: usize) -> Self {
        let (stock, threads, lacking) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { stock, allocated: 0, max, given: 0, threads, lacking }
    }

    /// Returns the maximum number of spare blocks that threads can fill until the next sweep: those
    /// that they have, and those that [`give_back`](Self::give_back) may yet give them.
    pub(crate) fn fillable(&self) -> usize {
        if self.lacking.is_empty() { self.given } else { self.allocated }
    }

    /// Returns the number of spare blocks that threads have, and the number of those that no thread
    /// has.
    #[cfg(any(test, freewheel_loom))]
    pub(crate) fn given_and_stocked(&self) -> (usize, usize) {
        (self.given, self.stock.len())
    }

    /// Notes that the thread has left its block for the block `next`.
    pub(crate) fn on_advance(&mut self, id: usize, next: BlockView) {
        let Some(thread) = self.threads.get_mut(id) else { return };
        if thread.given.front() == Some(&next) {
            thread.given.pop_front();
            self.given -= 1;
        }
    }

    /// Updates the demand of a thread, after a sweep that found `full_blocks` full blocks of the
    /// thread. `current` is the block that the thread is filling. An idle thread loses its spare
    /// blocks.
    pub(crate) fn on_sweep(
        &mut self,
        id: usize,
        current: BlockView,
        full_blocks: usize,
        permit: &mut ReadPermit,
    ) {
        if full_blocks > 0 && self.max > 0 && self.threads.len() <= id {
            self.threads.resize_with(id + 1, ThreadSpares::default);
        }
        let Some(thread) = self.threads.get_mut(id) else { return };
        thread.current = Some(current);
        thread.demand.on_sweep(full_blocks);
        if thread.lacks_spares() {
            self.lacking.push_back(id);
        } else if thread.demand.is_idle()
            && current.remove_spares(permit, |spare| self.stock.push(spare))
        {
            self.given -= thread.given.len();
            thread.given.clear();
        }
    }

    /// Gives spare blocks to the threads that have too few. Called after all calls of
    /// [`on_sweep`](Self::on_sweep) of a sweep.
    pub(crate) fn distribute(&mut self, supply: &BlockSupply) {
        while !self.lacking.is_empty() {
            let Some(spare) = self.stock.pop().or_else(|| self.allocate(supply)) else { break };
            self.put(spare);
        }
    }

    /// Ends the distribution of spare blocks until the next call of [`distribute`](Self::distribute).
    pub(crate) fn begin_sweep(&mut self) {
        self.lacking.clear();
    }

    fn allocate(&mut self, supply: &BlockSupply) -> Option<BlockWriter> {
        let may_allocate = self.allocated < self.max;
        self.allocated += usize::from(may_allocate);
        may_allocate.then(|| {
            let mut spare = supply.create();
            // The consumer takes the page faults, not the thread.
            spare.touch();
            spare
        })
    }

    /// Gives a spare block to the first thread that has too few, or adds it to the stock.
    fn put(&mut self, mut spare: BlockWriter) {
        while let Some(id) = self.lacking.pop_front() {
            let thread = &mut self.threads[id];
            match thread.append(spare) {
                Ok(()) => {
                    self.given += 1;
                    if thread.lacks_spares() {
                        self.lacking.push_back(id);
                    }
                    return;
                }
                // The thread has used up its spares. The next sweep finds its current block.
                Err(refused) => spare = refused,
            }
        }
        self.stock.push(spare);
    }

    /// Gives an emptied block back: to the spare blocks until they are complete, and then to the
    /// supply of shared blocks.
    pub(crate) fn give_back(&mut self, block: BlockWriter, supply: &BlockSupply) {
        if self.stock.len() + self.given < self.allocated {
            self.put(block);
        } else {
            supply.give_back(block);
        }
    }
}

impl ThreadSpares {
    fn lacks_spares(&self) -> bool {
        self.given.len() < self.demand.spares()
    }

    /// Adds a spare block behind the others of the thread. Returns it if the thread has meanwhile
    /// used them up.
    fn append(&mut self, spare: BlockWriter) -> Result<(), BlockWriter> {
        let Some(last) = self.given.back().copied().or(self.current) else { return Err(spare) };
        let view = spare.view();
        last.append_spare(spare)?;
        self.given.push_back(view);
        Ok(())
    }
}

impl Demand {
    /// Updates the estimate after a sweep that found `full_blocks` full blocks.
    fn on_sweep(&mut self, full_blocks: usize) {
        self.idle_sweeps = if full_blocks > 0 { 0 } else { self.idle_sweeps.saturating_add(1) };
        let decayed = self.blocks - self.blocks / 4;
        self.blocks = if self.is_idle() { 0 } else { full_blocks.max(decayed) };
    }

    fn is_idle(&self) -> bool {
        self.idle_sweeps >= IDLE_SWEEPS
    }

    /// Returns the number of spare blocks that the thread should have: half as many again as it
    /// fills, or 0 if it is idle.
    fn spares(&self) -> usize {
        self.blocks.div_ceil(2) + self.blocks
    }
}

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use super::*;
    use crate::stress::exchange_with;
    use crate::{Consumer, Exchange};
    use std::sync::Arc;

    /// Emits records of one block each.
    fn fill_blocks(exchange: &Exchange, blocks: usize) {
        (0..blocks).for_each(|_| assert!(exchange.push(1, &[b'a'; 32]), "no empty block"));
    }

    fn sweep_and_discard(consumer: &mut Consumer) {
        consumer.sweep();
        consumer.discard(bytes::Buf::remaining(consumer));
    }

    /// Creates an exchange of 64 blocks, of which 12 can be spare, and its consumer. Fills and takes
    /// so many blocks that the thread has several spare blocks.
    fn with_spares() -> (Arc<Exchange>, Consumer) {
        let exchange = exchange_with(32, 64, 16, Box::new(|| ()));
        let mut consumer = Consumer::claim(&exchange).expect("no consumer exists");
        fill_blocks(&exchange, 5);
        sweep_and_discard(&mut consumer);
        (exchange, consumer)
    }

    #[test]
    fn thread_gets_half_as_many_spares_again_as_it_fills() {
        let (exchange, mut consumer) = with_spares();
        assert_eq!(consumer.spare_blocks(), (6, 0), "for 4 full blocks");
        fill_blocks(&exchange, 60);
        sweep_and_discard(&mut consumer);
        assert_eq!(consumer.spare_blocks(), (12, 0), "the maximum");
    }

    #[test]
    fn idle_thread_loses_its_spares_and_gets_them_again() {
        let (exchange, mut consumer) = with_spares();
        (0..IDLE_SWEEPS).for_each(|_| sweep_and_discard(&mut consumer));
        assert_eq!(consumer.spare_blocks(), (0, 6));
        for _ in 0..100 {
            fill_blocks(&exchange, 7);
            sweep_and_discard(&mut consumer);
        }
        assert_eq!(consumer.spare_blocks(), (11, 1));
        let counts = exchange.counts();
        assert_eq!((counts.accepted.records, counts.full.records), (705, 0));
    }

    /// Checks that the spare blocks are beyond the shared ones: they do not make the exchange drop
    /// records that it would accept without them.
    #[test]
    fn spares_of_an_idle_thread_take_no_block_from_others() {
        let (exchange, consumer) = with_spares();
        let (emitting, spares) = (Arc::clone(&exchange), consumer.spare_blocks().0);
        assert_eq!(spares, 6);
        let emit = move || fill_blocks(&emitting, 65);
        std::thread::spawn(emit).join().expect("64 shared blocks and its own");
        fill_blocks(&exchange, spares);
        assert!(!exchange.push(1, b"a"), "more blocks than were allocated");
    }

    /// Checks that all blocks are free again after many rounds in which threads of different demand
    /// emit, and in which the consumer stops for a while.
    #[test]
    fn no_block_is_lost() {
        let (exchange, mut consumer) = with_spares();
        for round in 0..200 {
            let emitting = Arc::clone(&exchange);
            let blocks = round % 9;
            let emit = move || fill_blocks(&emitting, blocks);
            let thread = std::thread::spawn(emit);
            fill_blocks(&exchange, round % 7);
            thread.join().expect("there are enough blocks");
            if round % 3 > 0 {
                sweep_and_discard(&mut consumer);
            }
        }
        (0..=IDLE_SWEEPS).for_each(|_| sweep_and_discard(&mut consumer));
        assert_eq!(consumer.spare_blocks(), (0, 12));
        fill_blocks(&exchange, 64);
        assert!(!exchange.push(1, b"a"), "more shared blocks than there are");
    }
}

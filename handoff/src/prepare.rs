//! Preparation: methods of `Exchange` that allocate and touch memory in advance, so that producer
//! threads do neither later.
//!
//! Memory that a process allocates has no pages until it is written to. The first write to each page
//! is a page fault, which takes the operating system microseconds. All writes here are to memory that
//! is not in use: no thread shares the exchange yet, or the thread owns what it touches.

use crate::block::BlockWriter;
use crate::exchange::Exchange;
use crate::producer::Producer;
use crate::sync::ThreadGuard;
use crate::tally::Tally;

impl<C: Default> Exchange<C> {
    /// Allocates the memory of all shared blocks, and of the slots and first blocks of the threads
    /// with the `threads` smallest IDs. Writes to this memory, so that its pages exist.
    ///
    /// An ID is unique in the process. A thread gets the smallest free one when it first uses any
    /// exchange, as a producer or as the consumer, and has it until it exits. So `threads` must count
    /// all of these. Further threads allocate their memory when they
    /// [prepare](Self::prepare_thread) or emit.
    ///
    /// `touch` is called with the application's counts of each of these threads, and should write to
    /// them.
    pub fn prefault(&mut self, threads: usize, mut touch: impl FnMut(&C)) {
        let Self { producers, supply, ordered, state, .. } = self;
        let state = state.get_mut().unwrap_or_else(|poison| poison.into_inner());
        let state = state.as_mut().expect("a consumer would share the exchange");
        let touched = |mut block: BlockWriter| {
            block.touch();
            block
        };
        let blocks = supply.take_all();
        for producer in producers.first_mut(threads) {
            producer.touch(&mut touch);
            if producer.taken.chain.oldest().is_none() {
                let first = touched(supply.create());
                producer.taken.chain.begin(first.view());
                producer.writer.begin_early(first);
            }
        }
        let blocks = ordered.prefault(|| touched(supply.create()), blocks);
        let blocks = blocks.into_iter().map(|sealed| touched(sealed.recycle(&mut state.permit)));
        blocks.for_each(|block| supply.give_back(block));
    }

    /// Registers the calling thread, gives it its first block, and writes to the memory that its calls
    /// will use. After this the thread's calls allocate nothing and take no page fault, until the
    /// thread needs a block that no thread has used or [prefaulted](Self::prefault), or emits an ordered
    /// record of more than 246 bytes.
    ///
    /// `touch` is called with the application's counts of the thread, and should write to them.
    ///
    /// Returns false, with nothing changed, if the thread is exiting, already holds a reservation, or
    /// finds no free ID.
    #[must_use]
    pub fn prepare_thread(&self, touch: impl FnOnce(&C)) -> bool {
        let Ok(mut guard) = ThreadGuard::enter_or_register() else { return false };
        let producer = self.producers.get_or_create(&guard);
        producer.touch(touch);
        if producer.writer.available(&guard).is_none() {
            let first = self.supply.create();
            producer.taken.chain.begin(first.view());
            producer.writer.begin(&mut guard, first);
        }
        producer.writer.lend(guard).into_iter().for_each(|mut writer| writer.touch());
        true
    }

    /// Leaves the moving of ordered records to the consumer alone, so that no producer thread makes a
    /// system call for it.
    ///
    /// The ordered queue then holds no more records between two sweeps than fit into it, and drops and
    /// counts the others. Otherwise a thread that finds it half full moves records to blocks.
    pub fn forbid_moves_by_producers(&mut self) {
        self.ordered.forbid_moves_by_producers();
    }
}

impl<C> Producer<C> {
    /// Writes to all counts of the thread without changing them, so that their pages are in memory.
    fn touch(&self, touch: impl FnOnce(&C)) {
        for tally in [&self.accepted, &self.full, &self.oversize, &self.rejected_late] {
            tally.count(Tally::default());
        }
        touch(&self.application);
    }
}

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use crate::{Barrier, Consumer, Exchange, Settings};
    use std::sync::Arc;

    const SETTINGS: Settings = Settings { block_size: 32, blocks: 6, ring_at: 1, max_record: 32 };

    fn exchange() -> Exchange {
        Exchange::new(&SETTINGS, Box::new(|| ()), Barrier::none())
    }

    fn run<T: Send>(thread: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(thread).join().expect("no panic"))
    }

    /// Checks that a prefaulted exchange takes as many records as another one, in the same order, and
    /// again once its blocks were recycled.
    #[test]
    fn prefaulted_exchange_holds_the_same_records() {
        let kept = |exchange: Exchange| {
            let exchange = Arc::new(exchange);
            let mut consumer = Consumer::claim(&exchange).expect("the first consumer");
            let mut kept = Vec::new();
            for round in 0..3_u8 {
                run(|| (0..100).filter(|n| exchange.push(1, &[round, *n])).count());
                run(|| (0..100).filter(|n| exchange.push_ordered(1, &[round, *n])).count());
                consumer.sweep();
                kept.push(consumer.runs().flatten().copied().collect::<Vec<_>>());
                let len = kept.iter().last().map_or(0, Vec::len);
                consumer.discard(len);
            }
            (kept, exchange.counts().accepted, exchange.counts().full)
        };
        let mut prefaulted = exchange();
        prefaulted.prefault(100, |()| ());
        assert_eq!(kept(prefaulted), kept(exchange()));
    }

    /// Checks that records which wait in the exchange stay there, in order.
    #[test]
    fn prefault_keeps_the_records_of_the_exchange() {
        let mut exchange = exchange();
        run(|| assert!(exchange.push(1, b"unordered")));
        let accepted =
            run(|| (0..100_u8).take_while(|n| exchange.push_ordered(1, &[*n; 8])).count());
        assert!(accepted > 8, "some records were moved into blocks");
        exchange.prefault(3, |()| ());
        let exchange = Arc::new(exchange);
        let mut consumer = Consumer::claim(&exchange).expect("the first consumer");
        let mut all = Vec::new();
        for _ in 0..100 {
            // Each sweep moves as many ordered records as blocks are empty.
            consumer.sweep();
            let swept = consumer.runs().collect::<Vec<_>>().concat();
            consumer.discard(swept.len());
            all.extend(swept);
        }
        let expected = (0..100_u8).take(accepted).flat_map(|n| [n; 8]).collect::<Vec<_>>();
        assert_eq!(all, [b"unordered", &expected[..]].concat());
    }

    #[test]
    fn prefault_takes_every_block_once() {
        let mut exchange = exchange();
        (0..2).for_each(|_| exchange.prefault(3, |()| ()));
        assert_eq!(exchange.supply.free_len(), SETTINGS.blocks);
        let has_block = |id: usize| {
            exchange.producers.iter().nth(id).is_some_and(|one| one.taken.chain.oldest().is_some())
        };
        assert_eq!([0, 2, 3].map(has_block), [true, true, false]);
    }

    #[test]
    fn thread_is_prepared_outside_of_a_reservation() {
        let exchange = &exchange();
        run(|| {
            assert!(exchange.prepare_thread(|()| ()));
            let reservation = exchange.try_reserve(1, 2).expect("the thread has a block");
            assert!(!exchange.prepare_thread(|()| ()), "within a reservation");
            drop(reservation);
            assert!(exchange.prepare_thread(|()| ()), "again");
        });
        assert_eq!(exchange.counts(), crate::Counts::default());
    }

    #[test]
    fn only_the_consumer_moves_records_if_producers_may_not() {
        let pushed =
            |exchange: &Exchange| (0..1000).filter(|_| exchange.push_ordered(1, b"a")).count();
        let moving = exchange();
        let mut queueing = exchange();
        queueing.forbid_moves_by_producers();
        assert!(pushed(&moving) > pushed(&queueing));
        let queueing = Arc::new(queueing);
        let mut consumer = Consumer::claim(&queueing).expect("the first consumer");
        consumer.sweep();
        assert!(pushed(&queueing) > 0);
    }
}

//! Appending: records that the consumer itself writes, so that it can send them as it sends those of
//! producer threads.
//!
//! A consumer that transforms records reads them from one exchange, and appends the result to a
//! second one, which no other thread uses.

use crate::block::BlockWriter;
use crate::consumer::Consumer;
use crate::exchange::Exchange;
use crate::settings::Settings;
use crate::sync::{Barrier, forbid_reentry};

impl<C: Default> Exchange<C> {
    /// Creates an exchange of at most `blocks` blocks of `block_size` bytes, for a consumer that
    /// [appends](Consumer::append) all its records itself. Its ordered queue has the minimum size.
    ///
    /// # Panics
    /// If an argument is 0.
    #[must_use]
    pub fn for_appending(block_size: usize, blocks: usize) -> Self {
        let settings = Settings { block_size, blocks, ring_at: 1, max_record: block_size };
        Self::with_ordered(&settings, 0, Box::new(|| ()), Barrier::none())
    }
}

impl<C: Default> Consumer<C> {
    /// Adds copies of these records to the unsent bytes. The records must be whole, and none of them
    /// is split across blocks.
    ///
    /// Each call begins with an empty block. So two neighbours among the blocks of a call hold more
    /// than one block of bytes together, and [`blocks`](Self::blocks) counts the blocks of all calls
    /// until their records are released.
    ///
    /// # Panics
    /// If a record is longer than a block, or if no block is left.
    pub fn append<'a>(&mut self, records: impl IntoIterator<Item = &'a [u8]>) {
        let _no_reentry = forbid_reentry();
        let (exchange, state) = self.parts();
        let mut writer: Option<BlockWriter> = None;
        for record in records {
            let has_space = |writer: &BlockWriter| writer.available() >= record.len();
            if !writer.as_ref().is_some_and(has_space) {
                let empty = exchange.supply.take().expect("the caller leaves blocks free");
                if let Some(full) = writer.replace(empty) {
                    state.take_sealed(full.seal());
                }
            }
            let writer = writer.as_mut().expect("a block was taken above");
            writer.unpublished(record.len())[..record.len()].copy_from_slice(record);
            writer.publish(record.len());
        }
        if let Some(last) = writer {
            state.take_sealed(last.seal());
        }
    }
}

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use super::*;
    use bytes::Buf;
    use std::sync::Arc;

    fn consumer(block_size: usize, blocks: usize) -> Consumer {
        let exchange: Arc<Exchange> = Arc::new(Exchange::for_appending(block_size, blocks));
        Consumer::claim(&exchange).expect("no consumer exists")
    }

    fn runs(consumer: &Consumer) -> Vec<String> {
        consumer.runs().map(|run| String::from_utf8_lossy(run).into_owned()).collect()
    }

    #[test]
    fn appended_records_are_unsent_and_whole_in_their_blocks() {
        let mut consumer = consumer(8, 4);
        consumer.append([&b"abc"[..], b"defg", b"hi", b"jklmnopq"]);
        assert_eq!(runs(&consumer), ["abcdefg", "hi", "jklmnopq"]);
        assert_eq!((consumer.blocks(), consumer.swept(), consumer.consumed()), (3, 17, 0));
        consumer.append([]);
        assert_eq!(consumer.blocks(), 3);
    }

    /// Sends the records of many calls, with each block in use when the next call comes. The blocks of
    /// released records must serve again, in any number of rounds.
    #[test]
    fn blocks_of_released_records_are_used_again() {
        let mut consumer = consumer(8, 3);
        for _ in 0..100 {
            consumer.append([&b"abcde"[..], b"fghij"]);
            assert_eq!(consumer.blocks(), 2);
            consumer.advance(5);
            consumer.requeue();
            assert_eq!(runs(&consumer), ["abcde", "fghij"]);
            consumer.advance(10);
            consumer.acknowledge(5);
            assert_eq!((consumer.blocks(), consumer.in_flight()), (1, 5));
            consumer.acknowledge(5);
        }
        assert_eq!((consumer.blocks(), consumer.consumed()), (0, 1000));
    }

    #[test]
    fn appended_records_outlive_their_consumer() {
        let exchange: Arc<Exchange> = Arc::new(Exchange::for_appending(8, 2));
        let mut first = Consumer::claim(&exchange).expect("no consumer exists");
        first.append([&b"abc"[..], b"defghi"]);
        first.advance(3);
        drop(first);
        let second = Consumer::claim(&exchange).expect("the first is dropped");
        assert_eq!((runs(&second), second.in_flight()), (vec!["abc".into(), "defghi".into()], 0));
    }

    #[test]
    #[should_panic(expected = "the caller leaves blocks free")]
    fn an_append_beyond_the_blocks_panics() {
        consumer(8, 1).append([&b"abcde"[..], b"fghij"]);
    }
}

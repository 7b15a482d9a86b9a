//! Interface of the hand-off for the models in `loom-tests/`.
//!
//! Compiled only with `--cfg freewheel_loom`.

use crate::bell;
use crate::block::{self, BlockPool, ReadPermit};
use crate::consumer;
use crate::exchange;
use crate::settings::Settings;
use crate::sync::{Arc, ArrayQueue, Barrier};
use crate::tally::{SingleWriterTally, Tally};
use bytes::Buf;

/// Exchange whose lines are already encoded.
#[derive(Clone)]
pub struct Exchange(Arc<exchange::Exchange<()>>);

impl Exchange {
    /// Creates an exchange, as `handoff::Exchange::new` does.
    pub fn new(
        block_size: usize,
        blocks: usize,
        ring_at: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let settings = Settings { block_size, blocks, ring_at, max_record: block_size };
        Self(Arc::new(exchange::Exchange::new(&settings, Box::new(wake), Barrier::none())))
    }

    /// Creates an exchange of four blocks whose flusher can be dormant: producers pass a fence.
    pub fn with_dormancy(
        block_size: usize,
        ring_at: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let settings = Settings { block_size, blocks: 4, ring_at, max_record: block_size };
        Self(Arc::new(exchange::Exchange::new(&settings, Box::new(wake), Barrier::active())))
    }

    /// Emits lines that belong together.
    pub fn emit(&self, lines: &[u8]) {
        self.0.push(count_lines(lines), lines);
    }

    /// Emits lines whose order is kept across threads.
    pub fn emit_ordered(&self, lines: &[u8]) {
        self.0.push_ordered(count_lines(lines), lines);
    }

    /// Reserves space for a line of two bytes, which may need an empty block, and commits nothing.
    pub fn reserve_and_drop(&self) {
        drop(self.0.reserve(1, 2));
    }

    /// Returns true if the next line has to wake the flusher.
    pub fn is_dormant(&self) -> bool {
        self.0.dormancy.is_dormant()
    }

    /// Returns the numbers of lines accepted, and of lines dropped for lack of room.
    pub fn accepted_and_dropped(&self) -> (u64, u64) {
        let counts = self.0.counts();
        (counts.accepted.records, counts.full.records)
    }

    /// Returns the number of full blocks that the flusher has not taken.
    pub fn sealed_blocks(&self) -> usize {
        self.0.sealed.len()
    }

    /// Claims the flusher's end, or returns `None` while another consumer exists.
    pub fn claim_consumer(&self) -> Option<Consumer> {
        consumer::Consumer::claim(&self.0).map(Consumer)
    }
}

fn count_lines(lines: &[u8]) -> u64 {
    lines.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Tally of the lines that the flusher has sent.
#[derive(Clone, Default)]
pub struct Sent(Arc<SingleWriterTally>);

impl Sent {
    /// Adds lines of two bytes each.
    pub fn add(&self, lines: u64) {
        self.0.add(Tally { records: lines, bytes: 2 * lines });
    }

    /// Returns the numbers of lines and bytes.
    pub fn read(&self) -> (u64, u64) {
        let Tally { records, bytes } = self.0.read();
        (records, bytes)
    }
}

/// The flusher's end of the exchange.
pub struct Consumer(consumer::Consumer<()>);

impl Consumer {
    /// Takes the published lines.
    pub fn sweep(&mut self) {
        self.0.sweep();
    }

    /// Clears the bell, and takes only the records of the ordered queue.
    pub fn drain_ordered(&mut self) {
        self.0.clear_bell();
        self.0.drain_ordered();
    }

    /// Returns the numbers of ordered records taken so far, and emitted so far.
    pub fn drained_and_enqueued(&self) -> (u64, u64) {
        (self.0.drained_records(), self.0.enqueued_records())
    }

    /// Returns true if the flusher may park.
    pub fn prepare_park(&self) -> bool {
        self.0.prepare_park()
    }

    /// Returns true if the flusher may park without a timer.
    pub fn try_enter_dormant(&self) -> bool {
        self.0.try_enter_dormant()
    }

    /// Consumes all unsent bytes, and returns them.
    pub fn consume_all(&mut self) -> Vec<u8> {
        self.consume_up_to(self.0.remaining())
    }

    /// Marks all unsent bytes as sent: they are in flight from then on.
    pub fn mark_all_sent(&mut self) {
        self.0.advance(self.0.remaining());
    }

    /// Returns the bytes in flight.
    pub fn in_flight(&self) -> Vec<u8> {
        self.0.in_flight_runs().collect::<Vec<_>>().concat()
    }

    /// Releases the first `count` bytes in flight.
    pub fn acknowledge(&mut self, count: usize) {
        self.0.acknowledge(count);
    }

    /// Evicts all unsent bytes, oldest first, except the first `committed`, and returns them.
    pub fn evict_all(&mut self, committed: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.0.evict(committed, |run| bytes.extend_from_slice(run)) {}
        bytes
    }

    /// Consumes at most `max` unsent bytes, and returns them.
    pub fn consume_up_to(&mut self, max: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < max && self.0.has_remaining() {
            let run = self.0.chunk();
            assert!(!run.is_empty(), "an empty run though bytes remain");
            let length = run.len().min(max - bytes.len());
            bytes.extend_from_slice(&run[..length]);
            self.0.discard(length);
        }
        bytes
    }
}

/// Bell without the rest of the hand-off.
pub struct Bell(bell::Bell);

impl Bell {
    /// Creates a bell, as `handoff::Bell::new` does.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(bell::Bell::new(Box::new(wake)))
    }

    /// Announces work to the flusher.
    pub fn ring(&self) {
        self.0.ring();
    }

    /// Clears the bell, before the flusher looks for work.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Returns true if the flusher may park.
    pub fn prepare_park(&self) -> bool {
        self.0.prepare_park()
    }
}

/// The writing end of one block.
pub struct BlockWriter {
    writer: block::BlockWriter,
    _pool: Arc<BlockPool>,
}

/// The reading end of one block.
pub struct BlockView {
    view: block::BlockView,
    permit: ReadPermit,
    _pool: Arc<BlockPool>,
}

/// Returns the two ends of a new block.
pub fn block(size: usize) -> (BlockWriter, BlockView) {
    let (pool, permit) = BlockPool::new(size, 0);
    let (writer, pool) = (pool.allocate(), Arc::new(pool));
    let view = writer.view();
    let writer = BlockWriter { writer, _pool: Arc::clone(&pool) };
    (writer, BlockView { view, permit, _pool: pool })
}

impl BlockWriter {
    /// Appends bytes, and publishes them.
    pub fn append(&mut self, bytes: &[u8]) {
        self.writer.unpublished(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.writer.publish(bytes.len());
    }
}

impl BlockView {
    /// Returns the published bytes.
    pub fn bytes(&self) -> &[u8] {
        self.view.bytes(&self.permit, 0, self.view.published())
    }
}

/// Stand-in for crossbeam's `ArrayQueue`, without an exchange.
pub struct Queue<T>(ArrayQueue<T>);

impl<T> Queue<T> {
    /// Creates a queue of `capacity` slots, at least two.
    pub fn new(capacity: usize) -> Self {
        Self(ArrayQueue::new(capacity))
    }

    /// Pushes a value, or returns it if the queue is full.
    pub fn push(&self, value: T) -> Result<(), T> {
        self.0.push(value)
    }

    /// Pops the oldest value, or returns `None` if the queue is empty.
    pub fn pop(&self) -> Option<T> {
        self.0.pop()
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

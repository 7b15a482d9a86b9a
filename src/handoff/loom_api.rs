//! Interface of the hand-off for the models in `loom-tests/`.
//!
//! Compiled only with both `--cfg loom` and the private feature.

use super::bell;
use super::block::{self, BlockPool, MARGIN, ReadPermit};
use super::consumer;
use super::dormancy::Dormancy;
use super::encode_line::{EncodeLine, WriteOutcome};
use super::exchange;
use super::tally::{SingleWriterTally, Tally};
use crate::sync::{Arc, ArrayQueue, Barrier};
use bytes::Buf;

/// Exchange whose lines are already encoded.
#[derive(Clone)]
pub struct Exchange(Arc<exchange::Exchange>);

impl Exchange {
    /// Creates an exchange, as `handoff::Exchange::new` does.
    pub fn new(
        block_size: usize,
        blocks: usize,
        ring_at: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(exchange::Exchange::new(block_size, blocks, ring_at, Box::new(wake))))
    }

    /// Creates an exchange of four blocks whose flusher can be dormant: producers pass a fence.
    pub fn with_dormancy(
        block_size: usize,
        ring_at: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let mut exchange = exchange::Exchange::new(block_size, 4, ring_at, Box::new(wake));
        exchange.dormancy = Dormancy::new(Barrier::active());
        Self(Arc::new(exchange))
    }

    /// Emits lines that belong together.
    pub fn emit(&self, lines: &[u8]) {
        self.0.emit(|| Encoded(lines));
    }

    /// Emits lines whose order is kept across threads.
    pub fn emit_ordered(&self, lines: &[u8]) {
        self.0.emit_ordered(|| Encoded(lines));
    }

    /// Emits a line that asks for an empty block, and then turns out to be invalid.
    pub fn emit_invalid_after_rotation(&self) {
        self.0.emit(|| InvalidAfterRotation);
    }

    /// Returns true if the next line has to wake the flusher.
    pub fn is_dormant(&self) -> bool {
        self.0.dormancy.is_dormant()
    }

    /// Returns the numbers of lines accepted, and of lines dropped for lack of room.
    pub fn accepted_and_dropped(&self) -> (u64, u64) {
        let counts = self.0.producer_counts();
        (counts.accepted.lines, counts.full.lines)
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

struct Encoded<'a>(&'a [u8]);

impl EncodeLine for Encoded<'_> {
    fn lines(&self) -> u64 {
        self.0.iter().filter(|&&byte| byte == b'\n').count() as u64
    }

    fn write_fast(&self, buffer: &mut [u8]) -> usize {
        if self.0.len() + MARGIN > buffer.len() {
            return 0;
        }
        buffer[..self.0.len()].copy_from_slice(self.0);
        self.0.len()
    }

    fn write(&self, buffer: &mut [u8]) -> WriteOutcome {
        match self.write_fast(buffer) {
            0 => WriteOutcome::NoRoom(self.0.len()),
            bytes => WriteOutcome::Line { bytes, altered: false },
        }
    }
}

struct InvalidAfterRotation;

impl EncodeLine for InvalidAfterRotation {
    fn lines(&self) -> u64 {
        1
    }

    fn write_fast(&self, _buffer: &mut [u8]) -> usize {
        0
    }

    fn write(&self, buffer: &mut [u8]) -> WriteOutcome {
        if buffer.len() == MARGIN { WriteOutcome::NoRoom(1) } else { WriteOutcome::Invalid }
    }
}

/// Tally of the lines that the flusher has sent.
#[derive(Clone, Default)]
pub struct Sent(Arc<SingleWriterTally>);

impl Sent {
    /// Adds lines of two bytes each.
    pub fn add(&self, lines: u64) {
        self.0.add(Tally { lines, bytes: 2 * lines });
    }

    /// Returns the numbers of lines and bytes.
    pub fn read(&self) -> (u64, u64) {
        let Tally { lines, bytes } = self.0.read();
        (lines, bytes)
    }
}

/// The flusher's end of the exchange.
pub struct Consumer(consumer::Consumer);

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
pub struct BlockWriter(block::BlockWriter, Arc<BlockPool>);

/// The reading end of one block.
pub struct BlockView(block::BlockView, ReadPermit, Arc<BlockPool>);

/// Returns the two ends of a new block.
pub fn block(size: usize) -> (BlockWriter, BlockView) {
    let (pool, permit) = BlockPool::new(size, 0);
    let (writer, pool) = (pool.allocate(), Arc::new(pool));
    let view = writer.view();
    (BlockWriter(writer, Arc::clone(&pool)), BlockView(view, permit, pool))
}

impl BlockWriter {
    /// Appends bytes, and publishes them.
    pub fn append(&mut self, bytes: &[u8]) {
        self.0.append(|buffer| {
            buffer[..bytes.len()].copy_from_slice(bytes);
            (bytes.len(), ())
        });
    }
}

impl BlockView {
    /// Returns the published bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes(&self.1, 0, self.0.published())
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

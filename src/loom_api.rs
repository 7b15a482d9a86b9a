//! What the models in `loom-tests/` see of the hand-off: enough to drive it, no more.
//!
//! Compiled with `--cfg loom` and the private feature together, and for nobody else.

use crate::handoff::{self, EncodeLine, WriteOutcome};
use crate::sync::{Arc, ArrayQueue};
use bytes::Buf;

/// The exchange, with lines that are already encoded.
#[derive(Clone)]
pub struct Exchange(Arc<handoff::Exchange>);

impl Exchange {
    /// See `handoff::Exchange::new`.
    pub fn new(
        block_size: usize,
        blocks: usize,
        ring_at: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(handoff::Exchange::new(block_size, blocks, ring_at, Box::new(wake))))
    }

    /// The same, whose flusher can be dormant. (For the others callers pass no fence.)
    pub fn with_dormancy(
        block_size: usize,
        ring_at: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(handoff::Exchange::with_barrier(block_size, ring_at, Box::new(wake))))
    }

    /// Emits lines that belong together.
    pub fn emit(&self, lines: &[u8]) {
        self.0.emit(|| Encoded(lines));
    }

    /// Emits lines whose order is kept across threads.
    pub fn emit_ordered(&self, lines: &[u8]) {
        self.0.emit_ordered(|| Encoded(lines));
    }

    /// Emits what asks for a fresh block, and then is no line.
    pub fn emit_in_vain(&self) {
        self.0.emit(|| Vain);
    }

    /// Whether the next line is to wake the flusher.
    pub fn is_dormant(&self) -> bool {
        self.0.is_dormant()
    }

    /// Lines accepted, and lines dropped because the capacity was used up.
    pub fn accepted_and_dropped(&self) -> (u64, u64) {
        let emitted = self.0.producer_counts();
        (emitted.accepted.lines, emitted.full.lines)
    }

    /// How many full blocks wait for the flusher.
    pub fn sealed(&self) -> usize {
        self.0.sealed.len()
    }

    /// The flusher's side, unless somebody has it.
    pub fn consumer(&self) -> Option<Consumer> {
        handoff::Exchange::consumer(&self.0).map(Consumer)
    }
}

struct Encoded<'a>(&'a [u8]);

impl EncodeLine for Encoded<'_> {
    fn lines(&self) -> u64 {
        self.0.iter().filter(|&&byte| byte == b'\n').count() as u64
    }

    fn write_fast(&self, room: &mut [u8]) -> usize {
        if self.0.len() + handoff::MARGIN > room.len() {
            return 0;
        }
        room[..self.0.len()].copy_from_slice(self.0);
        self.0.len()
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        match self.write_fast(room) {
            0 => WriteOutcome::NoRoom(self.0.len()),
            bytes => WriteOutcome::Line { bytes, altered: false },
        }
    }
}

struct Vain;

impl EncodeLine for Vain {
    fn lines(&self) -> u64 {
        1
    }

    fn write_fast(&self, _room: &mut [u8]) -> usize {
        0
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        if room.len() == handoff::MARGIN { WriteOutcome::NoRoom(1) } else { WriteOutcome::Invalid }
    }
}

/// What the flusher says of what it sent.
#[derive(Clone, Default)]
pub struct Sent(Arc<handoff::SingleWriterTally>);

impl Sent {
    /// So many lines, of two bytes each.
    pub fn add(&self, lines: u64) {
        self.0.add(handoff::Tally { lines, bytes: 2 * lines });
    }

    /// Lines and bytes.
    pub fn read(&self) -> (u64, u64) {
        let handoff::Tally { lines, bytes } = self.0.read();
        (lines, bytes)
    }
}

/// The flusher's side.
pub struct Consumer(handoff::Consumer);

impl Consumer {
    /// Takes what is published.
    pub fn sweep(&mut self) {
        self.0.sweep();
    }

    /// Makes room in the ordered queue, after a ring.
    pub fn drain_ordered(&mut self) {
        self.0.clear_bell();
        self.0.drain_ordered();
    }

    /// How many ordered emissions are in blocks, and how many will be.
    pub fn gathered_and_enqueued(&self) -> (u64, u64) {
        (self.0.drained_records(), self.0.enqueued_records())
    }

    /// Whether the flusher may sleep.
    pub fn prepare_park(&self) -> bool {
        self.0.prepare_park()
    }

    /// Whether the flusher may sleep until a line comes.
    pub fn try_enter_dormant(&self) -> bool {
        self.0.try_enter_dormant()
    }

    /// Consumes what was taken, and returns it.
    pub fn consume(&mut self) -> Vec<u8> {
        self.consume_some(self.0.remaining())
    }

    /// Gives the link all that is unsent: it is in flight from then on.
    pub fn give(&mut self) {
        self.0.advance(self.0.remaining());
    }

    /// What is in flight.
    pub fn in_flight(&self) -> Vec<u8> {
        self.0.in_flight_runs().collect::<Vec<_>>().concat()
    }

    /// The first `count` bytes in flight have arrived.
    pub fn acknowledge(&mut self, count: usize) {
        self.0.acknowledge(count);
    }

    /// Gives up all that is unsent, oldest first, but for the first `begun` bytes, which the link
    /// has begun with; and returns it.
    pub fn evict(&mut self, begun: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.0.evict(begun, |run| bytes.extend_from_slice(run)) {}
        bytes
    }

    /// Consumes at most so much of what was taken, and returns it.
    pub fn consume_some(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < most && self.0.has_remaining() {
            let run = self.0.chunk();
            assert!(!run.is_empty(), "bytes remain, and there are none");
            let length = run.len().min(most - bytes.len());
            bytes.extend_from_slice(&run[..length]);
            self.0.discard(length);
        }
        bytes
    }
}

/// The bell by itself.
pub struct Bell(handoff::Bell);

impl Bell {
    /// See `handoff::Bell::new`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(handoff::Bell::new(Box::new(wake)))
    }

    /// Something is ready.
    pub fn ring(&self) {
        self.0.ring();
    }

    /// The flusher is about to look.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Whether the flusher may sleep.
    pub fn prepare_park(&self) -> bool {
        self.0.prepare_park()
    }
}

/// One block: the end that is written.
pub struct BlockWriter(handoff::BlockWriter, Arc<handoff::BlockPool>);

/// One block: the end that is read.
pub struct BlockView(handoff::BlockView, handoff::ReadPermit, Arc<handoff::BlockPool>);

/// The two ends of a new block.
pub fn block(size: usize) -> (BlockWriter, BlockView) {
    let (blocks, reader) = handoff::BlockPool::new(size, 0);
    let (pen, blocks) = (blocks.make(), Arc::new(blocks));
    let view = pen.view();
    (BlockWriter(pen, Arc::clone(&blocks)), BlockView(view, reader, blocks))
}

impl BlockWriter {
    /// Appends and publishes.
    pub fn append(&mut self, bytes: &[u8]) {
        self.0.append(|room| {
            room[..bytes.len()].copy_from_slice(bytes);
            (bytes.len(), ())
        });
    }
}

impl BlockView {
    /// All that is published.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes(&self.1, 0, self.0.published())
    }
}

/// The queue between threads and flusher: the stand-in for crossbeam's, by itself.
pub struct Queue<T>(ArrayQueue<T>);

impl<T> Queue<T> {
    /// With so many slots, and two at least.
    pub fn new(capacity: usize) -> Self {
        Self(ArrayQueue::new(capacity))
    }

    /// Hands the value back if the queue is full.
    pub fn push(&self, value: T) -> Result<(), T> {
        self.0.push(value)
    }

    /// The oldest value, if there is one.
    pub fn pop(&self) -> Option<T> {
        self.0.pop()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

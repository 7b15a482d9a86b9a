//! Wrappers of this crate's private types, through which the loom models in `loom-tests/` test
//! them.
//!
//! Compiled only with `--cfg freewheel_loom`.

use crate::bell;
use crate::block::{self, BlockPool, ReadPermit};
use crate::consumer;
use crate::exchange;
use crate::latest;
use crate::settings::Settings;
use crate::sums;
use crate::sync::{Arc, ArrayQueue, Barrier, Mutex};
use crate::tally::{SingleWriterTally, Tally};
use bytes::Buf;
use loom::sync::MutexGuard;

/// Wrapper of the crate's `Exchange` for the loom models. The threads of a model emit encoded lines
/// through it.
#[derive(Clone)]
pub struct Exchange(Arc<exchange::Exchange<()>>);

impl Exchange {
    /// Creates an exchange with the given settings. It has no memory barrier, so its consumer
    /// cannot become dormant (sleep without a timeout).
    pub fn new(
        block_size: usize,
        blocks: usize,
        ring_at: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let settings = Settings { block_size, blocks, ring_at, max_record: block_size };
        Self(Arc::new(exchange::Exchange::new(&settings, Box::new(wake), Barrier::none())))
    }

    /// Creates an exchange of four shared blocks with a memory barrier, so that its consumer can
    /// become dormant (sleep without a timeout). Producer threads then execute a full fence for
    /// each line.
    pub fn with_dormancy(
        block_size: usize,
        ring_at: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let settings = Settings { block_size, blocks: 4, ring_at, max_record: block_size };
        Self(Arc::new(exchange::Exchange::new(&settings, Box::new(wake), Barrier::active())))
    }

    /// Emits one or more encoded lines with one reservation, so that the lines stay together.
    pub fn emit(&self, lines: &[u8]) {
        self.0.push(count_lines(lines), lines);
    }

    /// Emits one or more encoded lines through the ordered queue, which keeps their order across
    /// threads.
    pub fn emit_ordered(&self, lines: &[u8]) {
        self.0.push_ordered(count_lines(lines), lines);
    }

    /// Reserves space for a line of two bytes, for which a full block may be replaced by an empty
    /// one. Then drops the reservation without publishing a line.
    pub fn reserve_and_drop(&self) {
        drop(self.0.reserve(1, 2));
    }

    /// Adds `amount` to a sum, and wakes the flusher if it is dormant.
    pub fn add_to(&self, sum: &Sum, amount: u64) {
        sum.add(amount);
        self.0.wake_if_dormant();
    }

    /// Returns true if the flusher (the thread that uses the consumer) may be asleep without a
    /// timeout, so that the next line must wake it.
    pub fn is_dormant(&self) -> bool {
        self.0.dormancy.is_dormant()
    }

    /// Returns the number of accepted lines, and the number of lines that were dropped for lack of
    /// space.
    pub fn accepted_and_dropped(&self) -> (u64, u64) {
        let counts = self.0.counts();
        (counts.accepted.records, counts.full.records)
    }

    /// Returns the number of full blocks of lines that the flusher has not taken yet.
    pub fn sealed_blocks(&self) -> usize {
        self.0.producers.iter().map(|one| one.waiting_blocks()).sum()
    }

    /// Creates the consumer of the exchange for the flusher thread, or returns `None` while another
    /// consumer exists.
    pub fn claim_consumer(&self) -> Option<Consumer> {
        consumer::Consumer::claim(&self.0).map(Consumer)
    }
}

/// Wrapper of the crate's `Sum` (a number that all threads add to) for the loom models.
#[derive(Clone)]
pub struct Sum(Arc<sums::Sum>);

impl Sum {
    /// Creates a sum that is 0.
    #[expect(clippy::new_without_default, reason = "models create their data explicitly")]
    pub fn new() -> Self {
        Self(Arc::new(sums::Sum::new()))
    }

    /// Adds `amount` to the sum, by the fast path if the thread has a cell for it.
    pub fn add(&self, amount: u64) {
        if !self.0.cell().is_some_and(|cell| cell.try_add(amount)) {
            self.0.add(amount);
        }
    }

    /// Returns true if the sum has the smallest ID.
    pub fn is_first(&self) -> bool {
        format!("{:?}", *self.0) == "Sum(0)"
    }

    /// Returns the value of the sum.
    pub fn value(&self) -> u64 {
        self.0.value()
    }

    /// Subtracts `amount` from the sum.
    pub fn subtract(&self, amount: u64) {
        self.0.subtract(amount);
    }

    /// Sets the sum to `value`.
    pub fn set(&self, value: u64) {
        self.0.set(value);
    }
}

/// Wrapper of the crate's `Latest` (the latest number that a thread has set) for the loom models.
#[derive(Clone)]
pub struct Latest(Arc<Mutex<latest::Latest>>);

impl Latest {
    /// Creates a latest value that is not set yet.
    #[expect(clippy::new_without_default, reason = "models create their data explicitly")]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(latest::Latest::new())))
    }

    /// Loom lets a read-modify-write read an older value than the last one, which the memory model
    /// forbids. The operations on one word are in one order anyway, so that the mutex hides nothing.
    fn enter(&self) -> MutexGuard<'_, latest::Latest> {
        self.0.lock().expect("no panic")
    }

    /// Sets the number.
    pub fn set(&self, number: f64) {
        self.enter().set(number);
    }

    /// Takes the number that was set last, if any was set since the last call.
    pub fn take(&self) -> Option<f64> {
        self.enter().take()
    }

    /// Puts back a number, unless a later one was set.
    pub fn put_back(&self, number: f64) {
        self.enter().put_back(number);
    }
}

/// Number of sweeps without a full block (buffer of lines) after which a thread loses its spare
/// blocks.
pub const IDLE_SWEEPS: u32 = crate::spare_blocks::IDLE_SWEEPS;

fn count_lines(lines: &[u8]) -> u64 {
    lines.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Count of the lines and bytes that the flusher thread has sent. Clones share the count.
#[derive(Clone, Default)]
pub struct Sent(Arc<SingleWriterTally>);

impl Sent {
    /// Adds `lines` sent lines, each of two bytes, to the count.
    pub fn add(&self, lines: u64) {
        self.0.add(Tally { records: lines, bytes: 2 * lines });
    }

    /// Returns the number of sent lines, and the number of their bytes.
    pub fn read(&self) -> (u64, u64) {
        let Tally { records, bytes } = self.0.read();
        (records, bytes)
    }
}

/// Wrapper of the crate's `Consumer` for the loom models. The flusher thread of a model receives
/// lines through it.
pub struct Consumer(consumer::Consumer<()>);

impl Consumer {
    /// Takes all lines that producer threads have published so far, and adds them to the unsent
    /// bytes.
    pub fn sweep(&mut self) {
        self.0.sweep();
    }

    /// Returns the number of spare blocks (empty buffers) that threads have, as far as the flusher
    /// knows, and the number of those that no thread has.
    pub fn spare_blocks(&self) -> (usize, usize) {
        self.0.spare_blocks()
    }

    /// Resets the bell (the flusher's wake-up flag), and takes only the records of the ordered
    /// queue.
    pub fn drain_ordered(&mut self) {
        self.0.clear_bell();
        self.0.drain_ordered();
    }

    /// Returns the number of records taken from the ordered queue so far, and the number of records
    /// put into it so far.
    pub fn drained_and_enqueued(&self) -> (u64, u64) {
        (self.0.drained_records(), self.0.enqueued_records())
    }

    /// Returns true if the flusher thread may park, because no producer thread has announced work
    /// since the flusher last looked for work.
    pub fn prepare_park(&self) -> bool {
        self.0.prepare_park()
    }

    /// Tries to mark the flusher thread as dormant, which allows it to park without a timeout.
    /// Returns true on success.
    pub fn try_enter_dormant(&self) -> bool {
        self.0.try_enter_dormant()
    }

    /// Tries to mark the flusher thread as dormant, as [`try_enter_dormant`](Self::try_enter_dormant)
    /// does, but not while the value of the sum is other than 0.
    pub fn try_enter_dormant_at_zero(&self, sum: &Sum) -> bool {
        self.0.try_enter_dormant_unless(|| sum.value() != 0)
    }

    /// Releases all unsent bytes, and returns a copy of them.
    pub fn consume_all(&mut self) -> Vec<u8> {
        self.consume_up_to(self.0.remaining())
    }

    /// Marks all unsent bytes as sent: they are in flight until they are acknowledged.
    pub fn mark_all_sent(&mut self) {
        self.0.advance(self.0.remaining());
    }

    /// Returns a copy of the bytes in flight: sent, but not yet acknowledged.
    pub fn in_flight(&self) -> Vec<u8> {
        self.0.in_flight_runs().collect::<Vec<_>>().concat()
    }

    /// Releases the first `count` bytes in flight, as an acknowledgement by the server would.
    pub fn acknowledge(&mut self, count: usize) {
        self.0.acknowledge(count);
    }

    /// Evicts (drops) unsent bytes, oldest first, until nothing more can be evicted, and returns a
    /// copy of them. The first `committed` unsent bytes are kept.
    pub fn evict_all(&mut self, committed: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.0.evict(committed, |run| bytes.extend_from_slice(run)) {}
        bytes
    }

    /// Releases the first `max` unsent bytes, or all if there are fewer, and returns a copy of
    /// them.
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

/// Wrapper of the crate's `Bell` (the consumer's wake-up flag) for loom models that test it alone.
pub struct Bell(bell::Bell);

impl Bell {
    /// Creates a bell (wake-up flag) with no announced work. `wake` must wake the flusher thread.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(bell::Bell::new(Box::new(wake)))
    }

    /// Announces work to the flusher thread, and wakes the flusher if it is parked.
    pub fn ring(&self) {
        self.0.ring();
    }

    /// Resets the bell (the flusher's wake-up flag) to its quiet state. The flusher thread calls
    /// this before it looks for work.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Marks the flusher thread as parked and returns true, or returns false if a thread has
    /// announced work since the last `clear`.
    pub fn prepare_park(&self) -> bool {
        self.0.prepare_park()
    }
}

/// Wrapper of the crate's `BlockWriter` for loom models: appends bytes to one block (a buffer of
/// lines).
pub struct BlockWriter {
    writer: block::BlockWriter,
    _pool: Arc<BlockPool>,
}

/// Wrapper of the crate's `BlockView` for loom models: reads the published bytes of one block (a
/// buffer of lines).
pub struct BlockView {
    view: block::BlockView,
    permit: ReadPermit,
    _pool: Arc<BlockPool>,
}

/// Creates a block (a buffer of lines) of `size` bytes, and returns its writer and its reader.
pub fn block(size: usize) -> (BlockWriter, BlockView) {
    let (pool, permit) = BlockPool::new(size, 0);
    let (writer, pool) = (pool.allocate(), Arc::new(pool));
    let view = writer.view();
    let writer = BlockWriter { writer, _pool: Arc::clone(&pool) };
    (writer, BlockView { view, permit, _pool: pool })
}

impl BlockWriter {
    /// Appends bytes to the block, and makes them visible to the reader.
    pub fn append(&mut self, bytes: &[u8]) {
        self.writer.unpublished(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.writer.publish(bytes.len());
    }
}

impl BlockView {
    /// Returns all bytes that the writer of the block has published so far.
    pub fn bytes(&self) -> &[u8] {
        self.view.bytes(&self.permit, 0, self.view.published())
    }
}

/// Bounded queue that replaces crossbeam's `ArrayQueue` in loom's build. This wrapper lets models
/// test it alone.
pub struct Queue<T>(ArrayQueue<T>);

impl<T> Queue<T> {
    /// Creates a queue with `capacity` slots, or with two slots if `capacity` is smaller.
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

    /// Returns the number of values in the queue.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

//! Exchange: the meeting point of producer threads and the flusher.

use super::bell::Bell;
use super::block::{MARGIN, SealedBlock};
use super::block_supply::BlockSupply;
use super::consumer_state::ConsumerState;
use super::dormancy::Dormancy;
use super::encode_line::{EncodeLine, WriteOutcome};
use super::ordered::{OrderedQueue, PushOutcome};
use super::producer::Producer;
use super::record::Record;
use super::tally::{SingleWriterTally, Tally};
use super::thread_slots::ThreadSlots;
use crate::sync::{ArrayQueue, AtomicU64, Barrier, GuardError, Mutex, ThreadGuard, Wake};
use crossbeam_utils::CachePadded;
use std::sync::atomic::Ordering::Relaxed;

pub(crate) struct Exchange {
    /// Counts and current block of each thread.
    pub(super) producers: ThreadSlots<CachePadded<Producer>>,
    /// Empty blocks.
    pub(super) supply: BlockSupply,
    /// Full blocks, from the threads to the flusher.
    pub(super) sealed: ArrayQueue<SealedBlock>,
    /// Lines that keep their order across threads.
    pub(super) ordered: OrderedQueue,
    pub(super) bell: Bell,
    pub(super) dormancy: Dormancy,
    /// Number of sealed blocks that is worth waking the flusher for. Fewer wait for its tick.
    ring_at: usize,
    /// State of the flusher's side, while no consumer exists.
    pub(super) state: Mutex<Option<ConsumerState>>,
    unregistered: UnregisteredCounts,
    /// Maximum length of a line in bytes. The default is the block size.
    max_line: usize,
}

/// Lines of calls that got no guard of their thread.
#[derive(Default)]
struct UnregisteredCounts {
    thread_exit: AtomicU64,
    reentrant: AtomicU64,
    too_many_threads: AtomicU64,
}

/// Lines of all producers: accepted, or dropped by reason.
#[derive(Clone, Copy, Default)]
pub(crate) struct ProducerCounts {
    pub(crate) accepted: Tally,
    pub(crate) full: Tally,
    pub(crate) oversize: Tally,
    pub(crate) invalid: Tally,
    pub(crate) unsupported: Tally,
    pub(crate) thread_exit: Tally,
    pub(crate) reentrant: Tally,
    pub(crate) altered: u64,
}

/// The way of a line to the flusher.
#[derive(Clone, Copy, PartialEq)]
enum Channel {
    /// The thread's block. Lines keep the order of that thread.
    Block,
    /// The ordered queue. Lines keep their order across threads.
    OrderedQueue,
}

/// Size of the buffer for a short record: the maximum length, and the margin.
const RECORD_BUFFER: usize = Record::MAX_SHORT + MARGIN;

impl Exchange {
    /// Creates an exchange of `blocks` blocks of `block_size` bytes.
    ///
    /// Each thread has one more block, so that many idle threads cannot starve a busy one. The
    /// ordered queue takes an additional quarter of the memory of `blocks`.
    ///
    /// `wake` unparks the flusher. It is called at most once for each park, and once more if the
    /// flusher is dormant: bell and dormancy are independent, and a line that rotates its block may
    /// trigger both.
    pub(crate) fn new(block_size: usize, blocks: usize, ring_at: usize, wake: Wake) -> Self {
        let ordered = OrderedQueue::new(blocks * block_size / 4, block_size, blocks + 1);
        let (supply, permit) = BlockSupply::new(block_size, blocks);
        Self {
            producers: ThreadSlots::new(),
            supply,
            // Every thread always holds one block, so at most `blocks` blocks are sealed.
            sealed: ArrayQueue::new(blocks),
            ordered,
            bell: Bell::new(wake),
            dormancy: Dormancy::new(Barrier::new()),
            ring_at,
            state: Mutex::new(Some(ConsumerState::new(permit))),
            unregistered: UnregisteredCounts::default(),
            max_line: block_size,
        }
    }

    /// Limits the length of a line. Longer ones are dropped and counted as oversize.
    #[cfg(feature = "tokio")]
    pub(crate) fn with_max_line(self, max_line: usize) -> Self {
        Self { max_line: max_line.min(self.max_line), ..self }
    }

    /// Appends the line that `line` creates to the thread's block.
    #[inline(always)]
    pub(crate) fn emit<L: EncodeLine>(&self, line: impl Fn() -> L) {
        if let Some((mut guard, producer)) = self.producers.enter()
            && let Some(mut writer) = producer.writer.borrow(&mut guard)
        {
            let encoder = line();
            let is_written = writer.append(|buffer| {
                let bytes = encoder.write_fast(buffer);
                // One comparison rejects both 0 and too many bytes.
                if bytes.wrapping_sub(1) >= self.max_line {
                    return (0, false);
                }
                // Counted before publication: a line that is sent was counted.
                let size = Tally { lines: encoder.lines(), bytes: bytes as u64 };
                producer.accepted.count(size);
                (bytes, true)
            });
            if is_written {
                if self.dormancy.is_dormant() {
                    self.wake_dormant();
                }
                return;
            }
        }
        // The slow path creates the line again, so that the fast path keeps it in registers.
        self.emit_slow(&line(), Channel::Block);
    }

    /// Pushes a line to the ordered queue. If one call returns before another begins, the line of
    /// the first call arrives first.
    #[inline(always)]
    pub(crate) fn emit_ordered<L: EncodeLine>(&self, line: impl Fn() -> L) {
        if let Some((_guard, producer)) = self.producers.enter() {
            let encoder = line();
            let mut buffer = [0; RECORD_BUFFER];
            let bytes = encoder.write_fast(&mut buffer);
            if bytes > 0 {
                let size = Tally { lines: encoder.lines(), bytes: bytes as u64 };
                self.enqueue(producer, Record::short(&buffer, bytes), size);
                return;
            }
        }
        self.emit_slow(&line(), Channel::OrderedQueue);
    }

    /// Ends the flusher's dormancy, and wakes it if this call was the first to do so.
    #[cold]
    #[inline(never)]
    fn wake_dormant(&self) {
        if self.dormancy.leave() {
            self.bell.wake();
        }
    }

    /// Handles a thread's first line, a line that needs an empty block, and one that is not clean.
    #[cold]
    fn emit_slow(&self, line: &dyn EncodeLine, channel: Channel) {
        let lines = line.lines();
        let counter = match ThreadGuard::enter_or_register() {
            Ok(guard) => {
                self.encode_or_drop(guard, line, channel);
                return;
            }
            // No wake-up: the outer call may be about to wake the flusher.
            Err(GuardError::Reentrant) => {
                // ORDERING: Relaxed. A count publishes no other memory.
                self.unregistered.reentrant.fetch_add(lines, Relaxed);
                return;
            }
            Err(GuardError::ThreadExiting) => &self.unregistered.thread_exit,
            Err(GuardError::TooManyThreads) => &self.unregistered.too_many_threads,
        };
        // ORDERING: Relaxed. A count publishes no other memory.
        counter.fetch_add(lines, Relaxed);
        self.wake_if_dormant();
    }

    fn encode_or_drop(&self, mut guard: ThreadGuard, line: &dyn EncodeLine, channel: Channel) {
        let producer = self.producers.get_or_create(&guard);
        let size = |bytes: usize| Tally { lines: line.lines(), bytes: bytes as u64 };
        let outcome = match channel {
            Channel::Block => self.append(producer, &mut guard, line),
            Channel::OrderedQueue => self.append_in_order(producer, line),
        };
        match outcome {
            WriteOutcome::Line { bytes, altered: true } => producer.altered.count(size(bytes)),
            WriteOutcome::Line { .. } => {}
            WriteOutcome::Invalid => producer.invalid.count(size(0)),
            WriteOutcome::Unsupported => producer.unsupported.count(size(0)),
            WriteOutcome::NoRoom(bytes) if bytes > self.max_line => {
                producer.oversize.count(size(bytes));
            }
            WriteOutcome::NoRoom(bytes) => producer.full.count(size(bytes)),
        }
        self.wake_if_dormant();
    }

    /// Wakes the flusher if it is dormant. A dropped line wakes it too, so that it can warn.
    fn wake_if_dormant(&self) {
        if self.dormancy.is_dormant() {
            self.wake_dormant();
        }
    }

    /// Appends a line to the thread's block, or to an empty one if it does not fit.
    ///
    /// Returns `NoRoom` if the line is too long, or no block is empty.
    fn append(
        &self,
        producer: &Producer,
        guard: &mut ThreadGuard,
        line: &dyn EncodeLine,
    ) -> WriteOutcome {
        if producer.writer.borrow(guard).is_none() {
            let first = self.supply.create();
            producer.current.set(first.view());
            producer.writer.replace(guard, first);
        }
        let append = |guard: &mut ThreadGuard| {
            let mut writer = producer.writer.borrow(guard).expect("the thread holds a block");
            writer.append(|buffer| match line.write(self.limit(buffer)) {
                written @ WriteOutcome::Line { bytes, .. } => {
                    producer.accepted.count(Tally { lines: line.lines(), bytes: bytes as u64 });
                    (bytes, written)
                }
                rejected => (0, rejected),
            })
        };
        match append(guard) {
            WriteOutcome::NoRoom(bytes)
                if bytes <= self.max_line && self.rotate(producer, guard) =>
            {
                append(guard)
            }
            outcome => outcome,
        }
    }

    /// Returns the part of a buffer that the longest line allowed may use, and the margin after
    /// it.
    #[inline(always)]
    fn limit<'a>(&self, buffer: &'a mut [u8]) -> &'a mut [u8] {
        let limit = buffer.len().min(self.max_line + MARGIN);
        &mut buffer[..limit]
    }

    /// Seals the thread's block and gives the thread an empty one. Returns false if none is empty.
    fn rotate(&self, producer: &Producer, guard: &mut ThreadGuard) -> bool {
        let Some(empty) = self.supply.take() else { return false };
        let view = empty.view();
        let full = producer.writer.replace(guard, empty).expect("the thread holds a block");
        // Pushed before the next block becomes current. A sweep that sees newer lines there then
        // finds the full block in the queue, and a flush finds it in one of the two.
        let pushed = self.sealed.push(full.seal());
        assert!(pushed.is_ok(), "the queue has a slot for every block");
        producer.current.set(view);
        if self.sealed.len() >= self.ring_at {
            self.bell.ring();
        }
        true
    }

    /// Pushes a line to the ordered queue. A long line gets a heap allocation.
    fn append_in_order(&self, producer: &Producer, line: &dyn EncodeLine) -> WriteOutcome {
        let mut buffer = [0; RECORD_BUFFER];
        let size = |bytes| Tally { lines: line.lines(), bytes: bytes as u64 };
        let mut outcome = line.write(&mut buffer);
        let accepted = match outcome {
            WriteOutcome::Line { bytes, .. } => {
                self.enqueue(producer, Record::short(&buffer, bytes), size(bytes))
            }
            WriteOutcome::NoRoom(needed)
                if needed <= self.max_line
                    && self.ordered.has_room_for_long(needed, &self.supply) =>
            {
                let mut buffer = vec![0; needed + MARGIN];
                outcome = line.write(&mut buffer);
                let WriteOutcome::Line { bytes, .. } = outcome else { return outcome };
                buffer.truncate(bytes);
                self.enqueue(producer, self.ordered.long_record(buffer), size(bytes))
            }
            _ => return outcome,
        };
        // `enqueue` has counted a rejected line. It does not count as altered.
        match outcome {
            WriteOutcome::Line { bytes, .. } if !accepted => {
                WriteOutcome::Line { bytes, altered: false }
            }
            outcome => outcome,
        }
    }

    /// Pushes a record to the ordered queue. Returns false if that is full: the line is dropped and
    /// counted.
    ///
    /// A separate function, since it has the read-modify-write that only gauges pay for.
    #[inline(never)]
    fn enqueue(&self, producer: &Producer, record: Record, size: Tally) -> bool {
        // Counted before publication: a line that is sent was counted.
        producer.accepted.count(size);
        let PushOutcome { is_accepted, should_ring } = self.ordered.push(record, &self.supply);
        if !is_accepted {
            producer.rejected_late.count(size);
        }
        if should_ring {
            self.bell.ring();
        }
        if self.dormancy.is_dormant() {
            self.wake_dormant();
        }
        is_accepted
    }

    /// Returns the counts of all producers. They are exact while no thread emits.
    pub(crate) fn producer_counts(&self) -> ProducerCounts {
        let lines = |count: &AtomicU64| {
            // ORDERING: Relaxed, as all counts.
            Tally { lines: count.load(Relaxed), bytes: 0 }
        };
        let mut sum = ProducerCounts {
            thread_exit: lines(&self.unregistered.thread_exit),
            reentrant: lines(&self.unregistered.reentrant),
            full: lines(&self.unregistered.too_many_threads),
            ..ProducerCounts::default()
        };
        for producer in self.producers.iter() {
            let add = |to: &mut Tally, from: &SingleWriterTally| *to += from.read();
            // Read before `accepted`, which contains these lines too.
            let rejected_late = producer.rejected_late.read();
            let accepted = producer.accepted.read();
            sum.accepted += accepted.saturating_sub(rejected_late);
            sum.full += rejected_late;
            add(&mut sum.full, &producer.full);
            add(&mut sum.oversize, &producer.oversize);
            add(&mut sum.invalid, &producer.invalid);
            add(&mut sum.unsupported, &producer.unsupported);
            sum.altered += producer.altered.read().lines;
        }
        sum
    }

    #[cfg(test)]
    pub(super) fn ordered_queue(&self) -> &OrderedQueue {
        &self.ordered
    }
}

//! The exchange: where emitting threads and the flusher meet.

use super::bell::Bell;
use super::block::{BlockPool, BlockWriter, MARGIN, SealedBlock};
use super::consumer::{Consumer, ConsumerState};
use super::dormancy::Dormancy;
use super::ordered::OrderedQueue;
use super::producer::{Producer, SingleWriterTally, Tally};
use super::record::Record;
use super::thread_slots::ThreadSlots;
use crate::sync::{Arc, ArrayQueue, AtomicU64, Barrier, GuardError, Mutex, ThreadGuard, Wake};
use crossbeam_utils::CachePadded;
use std::sync::atomic::Ordering::Relaxed;

/// A line, or lines that belong together, yet to be written. No code of the caller's may run
/// in here: the thread's block is open.
pub(crate) trait EncodeLine {
    /// How many lines it is.
    fn lines(&self) -> u64;

    /// Writes a clean line that has room, and says how long it is. For everything else it says
    /// 0, and [`write`](Self::write) is to be asked.
    ///
    /// The room is [`MARGIN`](super::MARGIN) bytes larger than what the line may take: those may
    /// be written to, and mean nothing.
    fn write_fast(&self, room: &mut [u8]) -> usize;

    /// Writes itself to the front of such a room, whole or not at all.
    fn write(&self, room: &mut [u8]) -> WriteOutcome;
}

/// What became of a line that was to be written into the rest of a block.
pub(crate) enum WriteOutcome {
    /// It is there, so many bytes of it.
    Line { bytes: usize, altered: bool },
    /// It needs so many bytes.
    NoRoom(usize),
    /// It cannot be a line.
    Invalid,
    /// It cannot be one in the server's dialect.
    Unsupported,
}

pub(crate) struct Exchange {
    /// What each thread has emitted, and its block.
    pub(super) producers: ThreadSlots<CachePadded<Producer>>,
    pub(super) blocks: BlockPool,
    /// Empty blocks, from the flusher back to the threads.
    pub(super) free: ArrayQueue<BlockWriter>,
    /// Full blocks, from the threads to the flusher.
    pub(crate) sealed: ArrayQueue<SealedBlock>,
    /// What has to keep its order across threads, from the threads to the flusher.
    pub(super) ordered: OrderedQueue,
    pub(super) bell: Bell,
    pub(super) dormancy: Dormancy,
    /// How many sealed blocks are worth waking the flusher for; fewer wait for its tick.
    ring_at: usize,
    /// The flusher's side, while no flusher has it.
    pub(super) state: Mutex<Option<ConsumerState>>,
    uncounted: UncountedThreads,
    /// No line is longer: by default as a block.
    max_line: usize,
}

/// Lines of calls that had no turn.
#[derive(Default)]
struct UncountedThreads {
    /// Of threads too far into their end.
    ending: AtomicU64,
    /// Of calls within a call.
    reentrant: AtomicU64,
    /// Of more threads than there are places.
    crowded: AtomicU64,
}

/// What all threads handed over: accepted or dropped, by reason.
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

/// By which channel a line travels.
#[derive(Clone, Copy, PartialEq)]
enum Channel {
    /// In its thread's block, in the order of that thread.
    Block,
    /// In the ordered queue.
    OrderedQueue,
}

/// As long as a line in the ordered queue can be, and the margin behind it.
const DRAFT: usize = Record::SHORT + MARGIN;

impl Exchange {
    /// BlockPool of `block_size` bytes: `blocks` of them for all threads together, and one
    /// more for each thread, so that many idle threads cannot starve a busy one. The ordered queue takes a
    /// quarter of the memory of those blocks besides.
    ///
    /// `wake` is called to end the flusher's sleep: at most once for each time that it falls asleep,
    /// and once more where it lies dormant, since bell and dormancy know nothing of one another. A
    /// line that turns over its block may do both.
    pub(crate) fn new(block_size: usize, blocks: usize, ring_at: usize, wake: Wake) -> Self {
        let records = blocks * block_size / 4 / Record::SLOT;
        // Every thread always holds one block, so at most `blocks` are in either queue.
        let (free, sealed) = (ArrayQueue::new(blocks), ArrayQueue::new(blocks));
        let (blocks, reader) = BlockPool::new(block_size, blocks);
        Self {
            producers: ThreadSlots::new(),
            blocks,
            free,
            sealed,
            ordered: OrderedQueue::new(records),
            bell: Bell::new(wake),
            dormancy: Dormancy::new(Barrier::new()),
            ring_at,
            state: Mutex::new(Some(ConsumerState::new(reader))),
            uncounted: UncountedThreads::default(),
            max_line: block_size,
        }
    }

    /// With a limit to the length of a line, which is counted as oversize beyond that.
    #[cfg(feature = "tokio")]
    pub(crate) fn with_max_line(self, max_line: usize) -> Self {
        Self { max_line: max_line.min(self.max_line), ..self }
    }

    /// As above, with four blocks, and a barrier.
    #[cfg(all(loom, feature = "__loom"))]
    pub(crate) fn with_barrier(block_size: usize, ring_at: usize, wake: Wake) -> Self {
        let dormancy = Dormancy::new(Barrier::modelled());
        Self { dormancy, ..Self::new(block_size, 4, ring_at, wake) }
    }

    #[cfg(all(loom, feature = "__loom"))]
    pub(crate) fn is_dormant(&self) -> bool {
        self.dormancy.is_dormant()
    }

    /// Appends the line that `line` makes to this thread's block.
    #[inline(always)]
    pub(crate) fn emit<L: EncodeLine>(&self, line: impl Fn() -> L) {
        if let Some((mut turn, producer)) = self.producers.begin()
            && let Some(mut pen) = producer.rest.lend(&mut turn)
        {
            let usual = line();
            let is_written = pen.append(|room| {
                let bytes = usual.write_fast(room);
                // By one comparison: neither none, nor too many.
                if bytes.wrapping_sub(1) >= self.max_line {
                    return (0, false);
                }
                // Before it is published: what is sent was counted.
                let size = Tally { lines: usual.lines(), bytes: bytes as u64 };
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
        // Made again, so that the usual one is never more than some registers.
        self.emit_slow(&line(), Channel::Block);
    }

    /// Hands over a line whose order is kept across threads: of two, the one whose call was over
    /// before the other's began comes first.
    #[inline(always)]
    pub(crate) fn emit_ordered<L: EncodeLine>(&self, line: impl Fn() -> L) {
        if let Some((_turn, producer)) = self.producers.begin() {
            let usual = line();
            let mut draft = [0; DRAFT];
            let bytes = usual.write_fast(&mut draft);
            if bytes > 0 {
                let size = Tally { lines: usual.lines(), bytes: bytes as u64 };
                self.enqueue(producer, Record::short(&draft, bytes), size);
                return;
            }
        }
        self.emit_slow(&line(), Channel::OrderedQueue);
    }

    /// Ends the flusher's dormancy: the first line after it does.
    #[cold]
    #[inline(never)]
    fn wake_dormant(&self) {
        if self.dormancy.end() {
            self.bell.wake();
        }
    }

    /// A thread's first line, one that needs a fresh block, or one that is not clean.
    #[cold]
    fn emit_slow(&self, line: &dyn EncodeLine, channel: Channel) {
        let lines = line.lines();
        let refused = match ThreadGuard::enter_or_register() {
            Ok(turn) => {
                self.encode_or_drop(turn, line, channel);
                return;
            }
            // The call within which this one is may be about to wake the flusher.
            Err(GuardError::Reentrant) => {
                // ORDERING: Relaxed. A count publishes nothing but itself.
                self.uncounted.reentrant.fetch_add(lines, Relaxed);
                return;
            }
            Err(GuardError::ThreadExiting) => &self.uncounted.ending,
            Err(GuardError::TooManyThreads) => &self.uncounted.crowded,
        };
        // ORDERING: Relaxed. A count publishes nothing but itself.
        refused.fetch_add(lines, Relaxed);
        self.wake_if_dormant();
    }

    fn encode_or_drop(&self, mut turn: ThreadGuard, line: &dyn EncodeLine, channel: Channel) {
        let producer = self.producers.get_or_make(&turn);
        let size = |bytes: usize| Tally { lines: line.lines(), bytes: bytes as u64 };
        let written = match channel {
            Channel::Block => self.append(producer, &mut turn, line),
            Channel::OrderedQueue => self.append_in_order(producer, line),
        };
        match written {
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

    /// Also after a drop, for the flusher to warn of.
    fn wake_if_dormant(&self) {
        if self.dormancy.is_dormant() {
            self.wake_dormant();
        }
    }

    /// Appends a line to the thread's block, or to a fresh one. There is no room if it is longer than
    /// that, or if there is none.
    fn append(
        &self,
        producer: &Producer,
        turn: &mut ThreadGuard,
        line: &dyn EncodeLine,
    ) -> WriteOutcome {
        if producer.rest.lend(turn).is_none() {
            let first = self.blocks.make();
            producer.window.show(first.view());
            producer.rest.replace(turn, first);
        }
        let append = |turn: &mut ThreadGuard| {
            let mut pen = producer.rest.lend(turn).expect("laid down above");
            pen.append(|room| match line.write(self.limited(room)) {
                written @ WriteOutcome::Line { bytes, .. } => {
                    producer.accepted.count(Tally { lines: line.lines(), bytes: bytes as u64 });
                    (bytes, written)
                }
                refused => (0, refused),
            })
        };
        match append(turn) {
            WriteOutcome::NoRoom(bytes)
                if bytes <= self.max_line && self.rotate(producer, turn) =>
            {
                append(turn)
            }
            written => written,
        }
    }

    /// The part of a room that the max_line line may take, with the margin behind it.
    #[inline(always)]
    fn limited<'a>(&self, room: &'a mut [u8]) -> &'a mut [u8] {
        let limit = room.len().min(self.max_line + MARGIN);
        &mut room[..limit]
    }

    /// Seals this thread's block and gives it an empty one, if there is one.
    fn rotate(&self, producer: &Producer, turn: &mut ThreadGuard) -> bool {
        let Some(empty) = self.take_empty_block() else { return false };
        let shown = empty.view();
        let full = producer.rest.replace(turn, empty).expect("it has a block");
        // Pushed before the window shows the next block: a sweep that sees newer lines
        // there then finds these in the queue, and a flush finds them in one of the two.
        let pushed = self.sealed.push(full.seal());
        assert!(pushed.is_ok(), "the queue has a slot for every block");
        producer.window.show(shown);
        if self.sealed.len() >= self.ring_at {
            self.bell.ring();
        }
        true
    }

    /// A block within the capacity.
    pub(super) fn take_empty_block(&self) -> Option<BlockWriter> {
        self.free.pop().or_else(|| self.blocks.allocate_within_budget())
    }

    /// Puts a line into the ordered queue, by channel of a memory of its own if it is long.
    fn append_in_order(&self, producer: &Producer, line: &dyn EncodeLine) -> WriteOutcome {
        let mut draft = [0; DRAFT];
        let size = |bytes| Tally { lines: line.lines(), bytes: bytes as u64 };
        let mut written = line.write(&mut draft);
        let accepted = match written {
            WriteOutcome::Line { bytes, .. } => {
                self.enqueue(producer, Record::short(&draft, bytes), size(bytes))
            }
            WriteOutcome::NoRoom(most) if most <= self.max_line && self.ordered.has_room(self) => {
                let mut draft = vec![0; most + MARGIN];
                written = line.write(&mut draft);
                let WriteOutcome::Line { bytes, .. } = written else { return written };
                draft.truncate(bytes);
                self.enqueue(producer, Record::Long(draft), size(bytes))
            }
            _ => return written,
        };
        // What was turned away is counted, and is none that was altered.
        match written {
            WriteOutcome::Line { bytes, .. } if !accepted => {
                WriteOutcome::Line { bytes, altered: false }
            }
            written => written,
        }
    }

    /// False if the queue is full: the line is dropped, and counted.
    ///
    /// A function of its own: what gauges alone cost, a read-modify-write, is here.
    #[inline(never)]
    fn enqueue(&self, producer: &Producer, record: Record, size: Tally) -> bool {
        // Before it is published: what is sent was counted.
        producer.accepted.count(size);
        let accepted = self.ordered.push(record, self);
        if !accepted {
            producer.rejected_late.count(size);
        }
        if self.ordered.is_worth_a_ring(self) {
            self.bell.ring();
        }
        if self.dormancy.is_dormant() {
            self.wake_dormant();
        }
        accepted
    }

    /// The flusher's side. None while another flusher has it.
    pub(crate) fn consumer(this: &Arc<Self>) -> Option<Consumer> {
        let state = this.state.lock().unwrap_or_else(|poison| poison.into_inner()).take()?;
        Some(Consumer::new(Arc::clone(this), state))
    }

    /// The account of the callers' side: exact once all threads are quiet.
    pub(crate) fn producer_counts(&self) -> ProducerCounts {
        let lines = |count: &AtomicU64| {
            // ORDERING: Relaxed, as all counts.
            Tally { lines: count.load(Relaxed), bytes: 0 }
        };
        let mut sum = ProducerCounts {
            thread_exit: lines(&self.uncounted.ending),
            reentrant: lines(&self.uncounted.reentrant),
            full: lines(&self.uncounted.crowded),
            ..ProducerCounts::default()
        };
        for producer in self.producers.iter() {
            let add = |to: &mut Tally, from: &SingleWriterTally| *to += from.read();
            // Before `accepted`, which has them too.
            let rejected_late = producer.rejected_late.read();
            let accepted = producer.accepted.read();
            sum.accepted += accepted.less(rejected_late);
            sum.full += rejected_late;
            add(&mut sum.full, &producer.full);
            add(&mut sum.oversize, &producer.oversize);
            add(&mut sum.invalid, &producer.invalid);
            add(&mut sum.unsupported, &producer.unsupported);
            sum.altered += producer.altered.read().lines;
        }
        sum
    }
}

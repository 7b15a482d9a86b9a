//! Exchange: bounded queue through which producer threads pass records to one consumer, without
//! blocking.

use crate::bell::Bell;
use crate::block_supply::BlockSupply;
use crate::consumer_state::ConsumerState;
use crate::dormancy::Dormancy;
use crate::full_blocks::FullBlocks;
use crate::ordered::{OrderedQueue, PushOutcome};
use crate::producer::Producer;
use crate::record::Record;
use crate::settings::Settings;
use crate::spare_blocks::SpareBlocks;
use crate::sync::{AtomicU64, Barrier, GuardError, KEPT_BLOCKS, Mutex, ThreadGuard, Wake};
use crate::tally::{SingleWriterTally, Tally};
use crate::thread_slots::ThreadSlots;
use crossbeam_utils::CachePadded;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

/// Bounded queue through which any number of producer threads pass records to one
/// [`Consumer`](crate::Consumer).
///
/// Share it in an `Arc`. Any thread can [reserve](Self::reserve) space for records and commit them.
/// No call blocks: records that find no space are dropped and counted.
///
/// `C` is the application's own counts of each producer thread: see [`Counts`](crate::Counts).
///
/// # Account
///
/// Each record is counted in exactly one of the fields of [`Counts`](crate::Counts), except those
/// that the application [rejects](Self::reject), which it counts itself. Counts wrap around at 2^64.
pub struct Exchange<C = ()> {
    /// State of each producer thread: its counts of records, and the block that it is filling.
    pub(crate) producers: ThreadSlots<CachePadded<Producer<C>>>,
    /// Source of empty blocks, the buffers into which records are written.
    pub(crate) supply: BlockSupply,
    pub(crate) full_blocks: FullBlocks,
    /// Queue of the records that keep their order across threads.
    pub(crate) ordered: OrderedQueue,
    pub(crate) bell: Bell,
    pub(crate) dormancy: Dormancy,
    /// State of the consumer, stored here while no consumer exists. The next consumer takes it from
    /// here.
    pub(crate) state: Mutex<Option<ConsumerState>>,
    unregistered: UnregisteredCounts,
    pub(crate) max_len: usize,
}

/// Counts of records that were dropped because their thread was not allowed to write: it was
/// exiting, it was already writing a record, or there were too many threads.
#[derive(Default)]
struct UnregisteredCounts {
    thread_exit: AtomicU64,
    reentrant: AtomicU64,
    too_many_threads: AtomicU64,
}

/// Numbers of records from all producer threads since the exchange was created: accepted records,
/// and dropped records by reason.
///
/// The counts are exact while no thread emits. Otherwise each is exact when it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Records that were committed and accepted: the consumer receives them.
    pub accepted: Tally,
    /// Records that were dropped because the exchange had no space for them.
    pub full: Tally,
    /// Records that were dropped because they were longer than the [maximum](Settings::max_record).
    pub oversize: Tally,
    /// Records that were dropped because their thread was already exiting. Their bytes are not
    /// counted.
    pub thread_exit: Tally,
    /// Records that were dropped because their thread already held a reservation: the call came
    /// from a signal handler, an allocator, or the code that fills the reservation. Their bytes are
    /// not counted.
    pub reentrant: Tally,
}

impl<C: Default> Exchange<C> {
    /// Creates an empty exchange with the given settings.
    ///
    /// `wake` unparks the consumer. It is called at most once for each park, and once more if the
    /// consumer is dormant: a record that rotates its block may trigger both. `barrier` makes every
    /// thread of the process execute a full memory fence, and returns false if the platform cannot
    /// do so: then the consumer is never dormant. See
    /// [Sleep and wake](crate::memory_model#sleep-and-wake).
    ///
    /// # Panics
    /// If a setting is 0, or if `max_record` exceeds the block size.
    #[must_use]
    pub fn new(settings: &Settings, wake: Wake, barrier: Barrier) -> Self {
        Self::with_ordered(settings, settings.blocks * settings.block_size / 4, wake, barrier)
    }

    /// Creates an empty exchange, as [`new`](Self::new) does, with an ordered queue of `ordered_bytes`
    /// bytes or of the minimum size.
    pub(crate) fn with_ordered(
        settings: &Settings,
        ordered_bytes: usize,
        wake: Wake,
        barrier: Barrier,
    ) -> Self {
        let Settings { block_size, blocks, ring_at, max_record } = *settings;
        assert!(block_size > 0 && blocks > 0 && ring_at > 0, "a setting is 0: {settings:?}");
        assert!((1..=block_size).contains(&max_record), "records exceed a block: {settings:?}");
        let ordered = OrderedQueue::new(ordered_bytes, block_size, blocks + 1 + KEPT_BLOCKS);
        let (supply, permit) = BlockSupply::new(block_size, blocks);
        // Threads must have fewer than `ring_at` spare blocks, since these count as full.
        let spares = SpareBlocks::new(ring_at - ring_at.div_ceil(4));
        Self {
            producers: ThreadSlots::new(),
            supply,
            full_blocks: FullBlocks::new(ring_at),
            ordered,
            bell: Bell::new(wake),
            dormancy: Dormancy::new(barrier),
            state: Mutex::new(Some(ConsumerState::new(permit, spares))),
            unregistered: UnregisteredCounts::default(),
            max_len: max_record,
        }
    }

    /// Drops `records` records that the application rejects, and calls `count` with the
    /// application's own counts of the current thread. A dormant consumer (asleep without a
    /// timeout) is woken, so that it can report the drop.
    ///
    /// `count` is not called if the thread holds a reservation or is exiting: the records are counted
    /// for that reason.
    #[cold]
    pub fn reject(&self, records: u64, count: impl FnOnce(&C)) {
        if let Some(guard) = self.enter_or_count(records) {
            count(&self.producers.get_or_create(&guard).application);
            self.wake_if_dormant();
        }
    }

    /// Drops `records` records that are too long, and counts them as oversize. `bytes` is their
    /// total length.
    #[cold]
    pub fn reject_oversize(&self, records: u64, bytes: usize) {
        if let Some(guard) = self.enter_or_count(records) {
            let producer = self.producers.get_or_create(&guard);
            producer.oversize.count(Tally { records, bytes: bytes as u64 });
            self.wake_if_dormant();
        }
    }

    /// Calls `task` as if the current thread held a reservation: records that its allocator or a
    /// signal handler emits meanwhile are dropped and counted as
    /// [reentrant](crate::Counts::reentrant).
    ///
    /// Code that allocates to prepare records should run here, and so should the code that frees
    /// that memory. Otherwise an allocator that emits such records calls itself without end.
    ///
    /// Returns `None`, without calling `task`, if the thread cannot emit. `records` records are
    /// counted as dropped then.
    #[cold]
    pub fn guarded<R>(&self, records: u64, task: impl FnOnce() -> R) -> Option<R> {
        let _guard = self.enter_or_count(records)?;
        Some(task())
    }

    /// Returns the guard that allows the current thread to write records. If the thread cannot get
    /// the guard, counts `records` records as dropped and returns `None`.
    pub(crate) fn enter_or_count(&self, records: u64) -> Option<ThreadGuard> {
        let counter = match ThreadGuard::enter_or_register() {
            Ok(guard) => return Some(guard),
            // No wake-up: the outer call may be about to wake the consumer.
            Err(GuardError::Reentrant) => {
                // ORDERING: Relaxed. A count publishes no other memory.
                self.unregistered.reentrant.fetch_add(records, Relaxed);
                return None;
            }
            Err(GuardError::ThreadExiting) => &self.unregistered.thread_exit,
            Err(GuardError::TooManyThreads) => &self.unregistered.too_many_threads,
        };
        // ORDERING: Relaxed. A count publishes no other memory.
        counter.fetch_add(records, Relaxed);
        self.wake_if_dormant();
        None
    }

    pub(crate) fn is_oversize(&self, producer: &Producer<C>, records: u64, max_len: usize) -> bool {
        assert!(max_len > 0, "a record has at least one byte");
        let is_oversize = max_len > self.max_len;
        if is_oversize {
            producer.oversize.count(Tally { records, bytes: max_len as u64 });
            self.wake_if_dormant();
        }
        is_oversize
    }

    /// Moves the thread to an empty block: to its next spare block, or to one from the supply. Its
    /// current block becomes full. Returns false without a change if no empty block is available.
    #[inline]
    pub(crate) fn rotate(&self, producer: &Producer<C>, guard: &mut ThreadGuard) -> bool {
        // The consumer has counted spare blocks when it gave them to the thread.
        if !producer.writer.advance(guard) {
            return self.rotate_to_shared(producer, guard);
        }
        producer.count_full();
        true
    }

    /// Moves the thread to an empty block from the supply, and wakes the consumer if many blocks are
    /// full. Returns false without a change if the supply is empty.
    #[inline(never)]
    fn rotate_to_shared(&self, producer: &Producer<C>, guard: &mut ThreadGuard) -> bool {
        let Some(empty) = self.supply.take() else { return false };
        producer.writer.advance_to(guard, empty);
        producer.count_full();
        if self.full_blocks.count() {
            self.bell.ring();
        }
        true
    }

    /// Counts a record, and pushes it to the ordered queue (the queue that keeps order across
    /// threads). Returns false if the queue is full: the record is then counted as dropped.
    ///
    /// A separate function, since it has the read-modify-write that only ordered records pay for.
    #[inline(never)]
    pub(crate) fn enqueue(
        &self,
        producer: &Producer<C>,
        size: Tally,
        record: impl FnOnce() -> Record,
    ) -> bool {
        // Counted before publication: a record that is consumed was counted.
        producer.accepted.count(size);
        let PushOutcome { is_accepted, should_ring } = self.ordered.push(&self.supply, record);
        if !is_accepted {
            producer.rejected_late.count(size);
        }
        if should_ring {
            self.bell.ring();
        }
        self.wake_if_dormant();
        is_accepted
    }

    /// Wakes the consumer if it is dormant (asleep without a timeout). Producer threads call this
    /// after they publish a record, and after they drop one, which the consumer must report.
    ///
    /// An application calls it after it has changed something else that the consumer must notice, such
    /// as a [`Sum`](crate::Sum).
    #[inline(always)]
    pub fn wake_if_dormant(&self) {
        if self.dormancy.is_dormant() {
            self.wake_dormant();
        }
    }

    /// Ends the consumer's dormancy (sleep without a timeout) and wakes the consumer, unless the
    /// dormancy has already ended.
    #[cold]
    #[inline(never)]
    fn wake_dormant(&self) {
        if self.dormancy.leave() {
            self.bell.wake();
        }
    }

    /// Returns the length in bytes of the longest record (bytes that a producer thread emits as a
    /// unit) that the exchange accepts.
    #[must_use]
    pub fn max_record(&self) -> usize {
        self.max_len
    }

    /// Returns the total numbers of accepted and dropped records of all producer threads.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let records = |count: &AtomicU64| {
            // ORDERING: Relaxed, as all counts.
            Tally { records: count.load(Relaxed), bytes: 0 }
        };
        let mut sum = Counts {
            thread_exit: records(&self.unregistered.thread_exit),
            reentrant: records(&self.unregistered.reentrant),
            full: records(&self.unregistered.too_many_threads),
            ..Counts::default()
        };
        for producer in self.producers.iter() {
            let add = |to: &mut Tally, from: &SingleWriterTally| *to += from.read();
            // Read before `accepted`, which contains these records too.
            let rejected_late = producer.rejected_late.read();
            let accepted = producer.accepted.read();
            sum.accepted += accepted.saturating_sub(rejected_late);
            sum.full += rejected_late;
            add(&mut sum.full, &producer.full);
            add(&mut sum.oversize, &producer.oversize);
        }
        sum
    }

    /// Returns the application's own counts, one value for each slot (per-thread state) of the
    /// exchange. The counts of exited threads are included.
    pub fn application_counts(&self) -> impl Iterator<Item = &C> {
        self.producers.iter().map(|producer| &producer.application)
    }
}

impl<C> fmt::Debug for Exchange<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("max_record", &self.max_len).finish_non_exhaustive()
    }
}

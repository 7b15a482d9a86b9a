//! Ordered queue: carries records of all threads to the consumer in the order in which they were
//! emitted.
//!
//! ```text
//!   threads --> queue of records --> a block, and full ones before it --> the consumer
//!                                ^
//!          moved by the consumer, or by a thread while the consumer is busy
//! ```
//!
//! Moving records means copying them, oldest first, into a block like the threads' blocks. One
//! thread moves at a time: producer threads only try the mutex, and the consumer waits for a thread
//! that holds it.

use crate::block::{BlockWriter, SealedBlock};
use crate::block_supply::BlockSupply;
use crate::record::Record;
use crate::sync::{AccessTracker, ArrayQueue, AtomicUsize, MIN_RECORDS, Mutex, spare_slots};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

pub(crate) struct OrderedQueue {
    /// Queued records. The queue has a few more slots than `max_records`, since `ArrayQueue::push`
    /// spins while another thread empties the only free slot. In a process that was forked at that
    /// moment, it would spin forever.
    queue: ArrayQueue<Record>,
    max_records: usize,
    /// Total length in bytes of the queued records that are too long for a queue slot, and are
    /// therefore on the heap.
    long_bytes: AtomicUsize,
    max_long_bytes: usize,
    blocks: Mutex<OrderedBlocks>,
    /// Number of queued records at which a producer thread wakes the consumer. Fewer records wait
    /// until the consumer's timer fires.
    ring_at: usize,
    /// Number of queued records at which producer threads move some of the records into blocks
    /// themselves, because the consumer is late.
    move_at: usize,
    /// True unless only the consumer may move records.
    producers_move: bool,
}

/// Blocks into which the records of the ordered queue are moved, for the consumer to read.
pub(crate) struct OrderedBlocks {
    /// Writer of the block that is being filled. The first block does not count against the limit
    /// on shared blocks, like the first block of a thread.
    writer: Option<BlockWriter>,
    /// Full blocks, oldest first, until the consumer takes them.
    full: VecDeque<SealedBlock>,
    /// Oldest record, if it was taken from the queue but no block had space for it. It is the next
    /// record to be moved.
    held: Option<Record>,
    /// Number of records moved from the queue into blocks since the exchange was created.
    moved: u64,
    tracker: AccessTracker,
}

/// Result of [`OrderedQueue::push`]: tells if the record was accepted, and if the consumer should
/// be woken.
pub(crate) struct PushOutcome {
    pub(crate) is_accepted: bool,
    /// True if so many records are queued that the consumer should be woken.
    pub(crate) should_ring: bool,
}

/// Maximum number of records that a producer thread moves from the ordered queue into blocks in one
/// call, which takes a few microseconds.
const MAX_MOVED_BY_PRODUCER: usize = 64;

impl OrderedQueue {
    /// Creates an ordered queue that uses about `bytes` bytes of memory, or a minimum if that is
    /// more. A fifth is for records on the heap. At most `max_blocks` blocks receive the records
    /// that are moved out of the queue.
    pub(crate) fn new(bytes: usize, max_line: usize, max_blocks: usize) -> Self {
        let records = (bytes / 5 * 4 / Record::SLOT).max(MIN_RECORDS);
        Self {
            queue: ArrayQueue::new(records + spare_slots(records)),
            max_records: records,
            long_bytes: AtomicUsize::new(0),
            max_long_bytes: (bytes / 5).max(max_line),
            blocks: Mutex::new(OrderedBlocks::new(max_blocks)),
            ring_at: records.div_ceil(8),
            move_at: records / 2,
            producers_move: true,
        }
    }

    /// Leaves the moving of records to the consumer alone. A producer thread that moves records may
    /// wait for a thread that has claimed a slot and not filled it, and the consumer may wait for the
    /// mutex, whose unlock is then a system call.
    pub(crate) fn forbid_moves_by_producers(&mut self) {
        self.producers_move = false;
    }

    /// Writes to the list of full blocks, so that its pages are in memory, and takes the first block
    /// for moved records. `blocks` are all unused shared blocks, all empty; they are returned. The slots of
    /// the queue were written when it was created.
    pub(crate) fn prefault(
        &mut self,
        first: impl FnOnce() -> BlockWriter,
        blocks: Vec<BlockWriter>,
    ) -> Vec<SealedBlock> {
        let mut moved = self.blocks.lock().unwrap_or_else(|poison| poison.into_inner());
        moved.writer.get_or_insert_with(first);
        let full = &mut moved.full;
        let with_records = full.len();
        full.extend(blocks.into_iter().map(BlockWriter::seal));
        if with_records == 0 {
            // The list has a slot more than there are shared blocks.
            let again = full.pop_front();
            full.extend(again);
        }
        full.drain(with_records..).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Adds a record to the queue. Rejects the record if the queue is full and no queued record can
    /// be moved into a block.
    ///
    /// Also moves some records if the consumer has fallen behind.
    #[inline(always)]
    pub(crate) fn push(
        &self,
        supply: &BlockSupply,
        record: impl FnOnce() -> Record,
    ) -> PushOutcome {
        let backlog = self.queue.len() + 1;
        if backlog >= self.move_at {
            self.move_some(supply);
        }
        let has_room = backlog <= self.max_records || self.queue.len() < self.max_records;
        let is_accepted = has_room && self.try_push(record());
        PushOutcome { is_accepted, should_ring: backlog >= self.ring_at }
    }

    #[inline(always)]
    fn try_push(&self, record: Record) -> bool {
        match self.queue.push(record) {
            Ok(()) => true,
            Err(rejected) => {
                self.uncount_long(&rejected);
                false
            }
        }
    }

    /// Creates a record on the heap, for bytes that are too long for a queue slot, and adds its
    /// length to the count of heap bytes.
    #[cold]
    pub(crate) fn long_record(&self, bytes: Vec<u8>) -> Record {
        // ORDERING: Relaxed. The count publishes nothing else.
        self.long_bytes.fetch_add(bytes.len(), Relaxed);
        Record::Long(bytes)
    }

    /// Subtracts the length of a record on the heap from the count of heap bytes, when the record
    /// leaves the queue or is rejected.
    #[inline]
    fn uncount_long(&self, record: &Record) {
        if let Record::Long(bytes) = record {
            // ORDERING: Relaxed. The count publishes nothing else.
            self.long_bytes.fetch_sub(bytes.len(), Relaxed);
        }
    }

    /// Returns true if the queue has a free slot for a record of `bytes` bytes, and its limit on heap
    /// bytes allows a long one. If not, it first tries to move some queued records into blocks.
    #[cold]
    pub(crate) fn has_room_for(&self, bytes: usize, supply: &BlockSupply) -> bool {
        let on_heap = if bytes > Record::MAX_SHORT { bytes } else { 0 };
        // ORDERING: Relaxed. Threads that check at the same time may each exceed the limit by one
        // record.
        let fits = || self.long_bytes.load(Relaxed) + on_heap <= self.max_long_bytes;
        let has_room = || self.queue.len() < self.max_records && (on_heap == 0 || fits());
        if !has_room() {
            self.move_some(supply);
        }
        has_room()
    }

    #[cold]
    fn move_some(&self, supply: &BlockSupply) {
        if !self.producers_move {
            return;
        }
        if let Ok(mut blocks) = self.blocks.try_lock() {
            blocks.fill(self, supply, MAX_MOVED_BY_PRODUCER);
        }
    }

    /// Moves the queued records into blocks, as far as empty blocks are available, and then calls
    /// `take` with these blocks. Only the consumer calls this.
    pub(crate) fn move_all(&self, supply: &BlockSupply, take: impl FnOnce(&mut OrderedBlocks)) {
        let mut blocks = self.blocks.lock().unwrap_or_else(|poison| poison.into_inner());
        blocks.fill(self, supply, self.queue.len());
        take(&mut blocks);
    }

    /// Returns true if the consumer has taken all records: those in the queue, and those moved into
    /// blocks.
    pub(crate) fn is_empty(&self) -> bool {
        let blocks = self.blocks.lock().unwrap_or_else(|poison| poison.into_inner());
        // Moved records are checked only for their latency: the thread that moves records pushes one
        // more, or rejects it, and then wakes a dormant consumer.
        let is_swept = |writer: &BlockWriter| !writer.view().has_unswept();
        self.queue.is_empty()
            && blocks.held.is_none()
            && blocks.full.is_empty()
            && blocks.writer.as_ref().is_none_or(is_swept)
    }

    /// Returns the number of records accepted since the exchange was created: those still in the
    /// queue, and those moved into blocks.
    pub(crate) fn count(&self) -> u64 {
        let blocks = self.blocks.lock().unwrap_or_else(|poison| poison.into_inner());
        blocks.moved + u64::from(blocks.held.is_some()) + self.queue.len() as u64
    }
}

impl OrderedBlocks {
    /// Creates an empty list of blocks, with memory for `max_blocks` full ones. The list must not
    /// grow later, since a signal handler that moves records must not allocate.
    fn new(max_blocks: usize) -> Self {
        Self {
            writer: None,
            full: VecDeque::with_capacity(max_blocks),
            held: None,
            moved: 0,
            tracker: AccessTracker::new(1),
        }
    }

    /// Moves at most `max` records from the queue into blocks, and before them the record that
    /// found no space earlier.
    fn fill(&mut self, source: &OrderedQueue, supply: &BlockSupply, max: usize) {
        self.tracker.track_write(0, 1);
        for _ in 0..max + usize::from(self.held.is_some()) {
            let Some(record) = self.held.take().or_else(|| source.queue.pop()) else { break };
            if !self.append(record.bytes(), supply) {
                self.held = Some(record);
                break;
            }
            source.uncount_long(&record);
            self.moved += 1;
        }
    }

    /// Appends the records of one queue entry to the current block, or to an empty block if they do
    /// not fit. Returns false if no empty block is available.
    fn append(&mut self, lines: &[u8], supply: &BlockSupply) -> bool {
        if self.writer.as_ref().is_none_or(|writer| writer.available() < lines.len()) {
            let empty = match self.writer {
                Some(_) => supply.take(),
                None => Some(supply.create()),
            };
            let Some(empty) = empty else { return false };
            self.full.extend(self.writer.replace(empty).map(BlockWriter::seal));
        }
        let writer = self.writer.as_mut().expect("a block was set above");
        writer.unpublished(lines.len())[..lines.len()].copy_from_slice(lines);
        writer.publish(lines.len());
        true
    }

    /// Removes and returns the oldest full block, or returns `None` if no block is full.
    pub(crate) fn pop_full(&mut self) -> Option<SealedBlock> {
        self.full.pop_front()
    }

    /// Returns the writer of the block that is being filled, or `None` if there is no block yet.
    pub(crate) fn current(&self) -> Option<&BlockWriter> {
        self.writer.as_ref()
    }

    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }
}

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use crate::stress::exchange;

    #[test]
    fn full_queue_keeps_spare_slots() {
        let exchange = exchange(32, 1);
        for _ in 0..1000 {
            exchange.push_ordered(1, b"a:1|g\n");
        }
        let ordered = &exchange.ordered;
        assert_eq!(ordered.queue.len(), ordered.max_records);
        assert!(ordered.queue.capacity() > ordered.max_records);
        assert!(exchange.counts().full.records > 900);
    }

    /// Checks that moving many records into blocks does not reallocate the list of blocks. A signal
    /// handler may move records, and must not allocate.
    #[test]
    #[cfg_attr(miri, ignore = "takes many minutes")]
    fn moving_records_does_not_grow_the_list_of_blocks() {
        let exchange = exchange(32, 200);
        let full = || {
            let blocks = exchange.ordered.blocks.lock().expect("no panic");
            (blocks.full.capacity(), blocks.full.len())
        };
        let (capacity, _) = full();
        for _ in 0..10_000 {
            exchange.push_ordered(1, b"a:1|g\n");
        }
        assert_eq!(full(), (capacity, 200));
    }
}

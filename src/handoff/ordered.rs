//! Ordered queue: carries lines that keep their order across threads, such as gauges, to the
//! flusher.
//!
//! ```text
//!   threads --> queue of records --> a block, and full ones before it --> the flusher
//!                                ^
//!          moved by the flusher, or by a thread while the flusher is busy
//! ```
//!
//! Moving records means copying them, oldest first, into a block like the threads' blocks. One
//! thread moves at a time: producer threads only try the mutex, and the flusher waits for a thread
//! that holds it.

use super::block::{BlockWriter, SealedBlock};
use super::block_supply::BlockSupply;
use super::record::Record;
use crate::sync::{AccessTracker, ArrayQueue, MIN_RECORDS, Mutex};
use std::collections::VecDeque;

pub(super) struct OrderedQueue {
    queue: ArrayQueue<Record>,
    blocks: Mutex<OrderedBlocks>,
    /// Number of queued records that is worth waking the flusher for. Fewer wait for its tick.
    ring_at: usize,
    /// Number of queued records at which producer threads move some themselves.
    move_at: usize,
}

/// Blocks that records are moved to.
#[derive(Default)]
pub(super) struct OrderedBlocks {
    /// Block that is being filled. The first one is outside the budget, as the first one of a
    /// thread.
    writer: Option<BlockWriter>,
    /// Full blocks, oldest first, until the flusher takes them.
    full: VecDeque<SealedBlock>,
    /// Oldest record, if it did not fit into a block.
    held: Option<Record>,
    /// Number of records moved since the beginning.
    moved: u64,
    tracker: AccessTracker,
}

/// Maximum number of records that a producer thread moves at a time, which takes a few
/// microseconds.
const MAX_MOVED_BY_PRODUCER: usize = 64;

impl OrderedQueue {
    /// Creates a queue of `records` slots, or of the minimum.
    pub(super) fn new(records: usize) -> Self {
        let records = records.max(MIN_RECORDS);
        Self {
            queue: ArrayQueue::new(records),
            blocks: Mutex::new(OrderedBlocks::default()),
            ring_at: records.div_ceil(8),
            move_at: records / 2,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Pushes a record. Returns false if the queue is full, and no record could be moved to a
    /// block.
    #[inline]
    pub(super) fn push(&self, record: Record, supply: &BlockSupply) -> bool {
        match self.queue.push(record) {
            Ok(()) => true,
            Err(record) => self.has_room(supply) && self.queue.push(record).is_ok(),
        }
    }

    /// Returns true if a push leaves so many records that the flusher should be woken.
    ///
    /// Also moves some records if the flusher has fallen behind.
    #[inline]
    pub(super) fn should_ring(&self, supply: &BlockSupply) -> bool {
        let backlog = self.queue.len();
        if backlog >= self.move_at {
            self.move_some(supply);
        }
        backlog >= self.ring_at
    }

    /// Returns true if the queue has room, after records were moved if it had none.
    #[cold]
    pub(super) fn has_room(&self, supply: &BlockSupply) -> bool {
        if self.queue.is_full() {
            self.move_some(supply);
        }
        !self.queue.is_full()
    }

    #[cold]
    fn move_some(&self, supply: &BlockSupply) {
        if let Ok(mut blocks) = self.blocks.try_lock() {
            blocks.fill(&self.queue, supply, MAX_MOVED_BY_PRODUCER);
        }
    }

    /// Moves the records that are in the queue, as far as there are blocks, and calls `take` with
    /// the blocks. The flusher alone calls this.
    pub(super) fn move_all(&self, supply: &BlockSupply, take: impl FnOnce(&mut OrderedBlocks)) {
        let mut blocks = self.blocks.lock().unwrap_or_else(|poison| poison.into_inner());
        blocks.fill(&self.queue, supply, self.queue.len());
        take(&mut blocks);
    }

    /// Returns true if the flusher has swept all records, queued and moved.
    pub(super) fn is_empty(&self) -> bool {
        let blocks = self.blocks.lock().unwrap_or_else(|poison| poison.into_inner());
        let is_swept = |writer: &BlockWriter| !writer.view().has_unswept();
        self.queue.is_empty()
            && blocks.held.is_none()
            && blocks.full.is_empty()
            && blocks.writer.as_ref().is_none_or(is_swept)
    }

    /// Returns the number of records since the beginning, queued and moved.
    pub(super) fn count(&self) -> u64 {
        let blocks = self.blocks.lock().unwrap_or_else(|poison| poison.into_inner());
        blocks.moved + u64::from(blocks.held.is_some()) + self.queue.len() as u64
    }
}

impl OrderedBlocks {
    /// Moves at most `max` records, and the held one.
    fn fill(&mut self, queue: &ArrayQueue<Record>, supply: &BlockSupply, max: usize) {
        self.tracker.track_write(0, 1);
        for _ in 0..max + usize::from(self.held.is_some()) {
            let Some(record) = self.held.take().or_else(|| queue.pop()) else { break };
            if !self.append(record.bytes(), supply) {
                self.held = Some(record);
                break;
            }
            self.moved += 1;
        }
    }

    /// Appends lines that stay together to the block, or to a new one. Returns false if none is
    /// free.
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
        writer.append(|buffer| {
            buffer[..lines.len()].copy_from_slice(lines);
            (lines.len(), ())
        });
        true
    }

    /// Takes the oldest full block.
    pub(super) fn pop_full(&mut self) -> Option<SealedBlock> {
        self.full.pop_front()
    }

    /// Returns the block that is being filled.
    pub(super) fn current(&self) -> Option<&BlockWriter> {
        self.writer.as_ref()
    }

    pub(super) fn moved(&self) -> u64 {
        self.moved
    }
}

//! The ordered queue: what has to keep its order across threads, on its way to the flusher.
//!
//! ```text
//!   threads --> queue of records --> a block, and full ones before it --> the flusher
//!                                ^
//!              moved by the flusher, or where it does not get to run by a thread
//! ```
//!
//! To move records is to copy them, oldest first, into a block like those of threads. One at a time does it:
//! threads only try the mutex, and the flusher waits for a thread that is at it.

use super::block::{BlockWriter, SealedBlock};
use super::exchange::Exchange;
use super::record::Record;
use crate::sync::{AccessTracker, ArrayQueue, MIN_RECORDS, Mutex};
use std::collections::VecDeque;

pub(super) struct OrderedQueue {
    queue: ArrayQueue<Record>,
    moved: Mutex<OrderedBlocks>,
    /// So many records are worth waking the flusher for; fewer wait for its tick.
    ring_at: usize,
    /// When there are so many, threads move some themselves.
    move_at: usize,
}

/// Where records go.
#[derive(Default)]
pub(super) struct OrderedBlocks {
    /// A block beside the capacity, as those that threads bring.
    pen: Option<BlockWriter>,
    /// BlockPool that were full, oldest first, until the flusher takes them.
    full: VecDeque<SealedBlock>,
    /// The oldest record, which found no room in a block.
    held: Option<Record>,
    /// How many were moved, since the beginning.
    count: u64,
    watch: AccessTracker,
}

/// What a thread moves at a time: as many as it takes a few microseconds.
const SOME: usize = 64;

impl OrderedQueue {
    /// With so many slots, or the fewest that there may be.
    pub(super) fn new(records: usize) -> Self {
        let records = records.max(MIN_RECORDS);
        Self {
            queue: ArrayQueue::new(records),
            moved: Mutex::new(OrderedBlocks::default()),
            ring_at: records.div_ceil(8),
            move_at: records / 2,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Puts a record into the queue; false where it is full, and no room can be made.
    #[inline]
    pub(super) fn push(&self, record: Record, exchange: &Exchange) -> bool {
        match self.queue.push(record) {
            Ok(()) => true,
            Err(record) => self.has_room(exchange) && self.queue.push(record).is_ok(),
        }
    }

    /// Called after that: whether so many wait that the flusher is to be woken. Where it does not come,
    /// some are moved.
    #[inline]
    pub(super) fn is_worth_a_ring(&self, exchange: &Exchange) -> bool {
        let waiting = self.queue.len();
        if waiting >= self.move_at {
            self.move_some(exchange);
        }
        waiting >= self.ring_at
    }

    /// Whether there is room in the queue, or room can be made.
    #[cold]
    pub(super) fn has_room(&self, exchange: &Exchange) -> bool {
        if self.queue.is_full() {
            self.move_some(exchange);
        }
        !self.queue.is_full()
    }

    #[cold]
    fn move_some(&self, exchange: &Exchange) {
        if let Ok(mut moved) = self.moved.try_lock() {
            moved.fill(&self.queue, exchange, SOME);
        }
    }

    /// Moves what is in the queue by now, as far as there are blocks. For the flusher alone, which takes
    /// what was moved.
    pub(super) fn move_all(&self, exchange: &Exchange, take: impl FnOnce(&mut OrderedBlocks)) {
        let mut moved = self.moved.lock().unwrap_or_else(|poison| poison.into_inner());
        moved.fill(&self.queue, exchange, self.queue.len());
        take(&mut moved);
    }

    /// Whether nothing is in the queue, nor was moved and not taken.
    pub(super) fn is_empty(&self) -> bool {
        let moved = self.moved.lock().unwrap_or_else(|poison| poison.into_inner());
        let is_taken = |pen: &BlockWriter| !pen.view().has_untaken();
        self.queue.is_empty()
            && moved.held.is_none()
            && moved.full.is_empty()
            && moved.pen.as_ref().is_none_or(is_taken)
    }

    /// How many records there were since the beginning, moved or not.
    pub(super) fn count(&self) -> u64 {
        let moved = self.moved.lock().unwrap_or_else(|poison| poison.into_inner());
        moved.count + u64::from(moved.held.is_some()) + self.queue.len() as u64
    }
}

impl OrderedBlocks {
    /// Moves at most so many records.
    fn fill(&mut self, queue: &ArrayQueue<Record>, exchange: &Exchange, most: usize) {
        self.watch.writes(0, 1);
        for _ in 0..most + usize::from(self.held.is_some()) {
            let Some(record) = self.held.take().or_else(|| queue.pop()) else { break };
            if !self.append(record.bytes(), exchange) {
                self.held = Some(record);
                break;
            }
            self.count += 1;
        }
    }

    /// Appends lines that stay together to the block, or to a fresh one. False if there is none.
    fn append(&mut self, lines: &[u8], exchange: &Exchange) -> bool {
        if self.pen.as_ref().is_none_or(|pen| pen.room() < lines.len()) {
            let fresh = match self.pen {
                Some(_) => exchange.take_empty_block(),
                None => Some(exchange.blocks.make()),
            };
            let Some(fresh) = fresh else { return false };
            self.full.extend(self.pen.replace(fresh).map(BlockWriter::seal));
        }
        let pen = self.pen.as_mut().expect("put there above");
        pen.append(|room| {
            room[..lines.len()].copy_from_slice(lines);
            (lines.len(), ())
        });
        true
    }

    /// The oldest full block that was not taken yet.
    pub(super) fn next_full(&mut self) -> Option<SealedBlock> {
        self.full.pop_front()
    }

    /// The block that is being filled.
    pub(super) fn open(&self) -> Option<&BlockWriter> {
        self.pen.as_ref()
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

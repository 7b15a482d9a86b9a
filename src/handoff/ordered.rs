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

use super::block::{Pen, Sealed};
use super::exchange::Exchange;
use super::record::Record;
use crate::sync::{ArrayQueue, AtomicUsize, FEWEST_RECORDS, Mutex, Watch, spare_slots};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

pub(super) struct Ordered {
    /// It has some slots more than records may be in it: a slot that is being emptied, or was when the
    /// process forked, must not be met, since the queue's `push` spins on it.
    queue: ArrayQueue<Record>,
    most: usize,
    /// Bytes of the records in the queue that have a memory of their own, and the limit to that.
    long_bytes: AtomicUsize,
    most_long_bytes: usize,
    moved: Mutex<Moved>,
    /// So many records are worth waking the flusher for; fewer wait for its tick.
    ring_at: usize,
    /// When there are so many, threads move some themselves.
    move_at: usize,
}

/// Where records go.
#[derive(Default)]
pub(super) struct Moved {
    /// A block beside the capacity, as those that threads bring.
    pen: Option<Pen>,
    /// Blocks that were full, oldest first, until the flusher takes them.
    full: VecDeque<Sealed>,
    /// The oldest record, which found no room in a block.
    held: Option<Record>,
    /// How many were moved, since the beginning.
    count: u64,
    watch: Watch,
}

/// What became of a record.
pub(super) struct Pushed {
    pub(super) is_accepted: bool,
    /// So many wait that the flusher is to be woken.
    pub(super) is_worth_a_ring: bool,
}

/// What a thread moves at a time: as many as it takes a few microseconds.
const SOME: usize = 64;

impl Ordered {
    /// Of so many bytes, in blocks or records of which none is longer than `longest`; or of the fewest that
    /// there may be. A fifth is for long records.
    pub(super) fn new(bytes: usize, longest: usize) -> Self {
        let records = (bytes / 5 * 4 / Record::SLOT).max(FEWEST_RECORDS);
        Self {
            queue: ArrayQueue::new(records + spare_slots(records)),
            most: records,
            long_bytes: AtomicUsize::new(0),
            most_long_bytes: (bytes / 5).max(longest),
            moved: Mutex::new(Moved::default()),
            ring_at: records.div_ceil(8),
            move_at: records / 2,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Puts a record into the queue, unless that is full and no room can be made. Where so many wait that the
    /// flusher does not seem to come, some are moved.
    #[inline]
    pub(super) fn push(&self, record: Record, exchange: &Exchange) -> Pushed {
        let waiting = self.queue.len() + 1;
        if waiting >= self.move_at {
            self.move_some(exchange);
        }
        let has_room = waiting <= self.most || self.queue.len() < self.most;
        let refused = if has_room { self.queue.push(record).err() } else { Some(record) };
        if let Some(record) = &refused {
            self.is_gone(record);
        }
        Pushed { is_accepted: refused.is_none(), is_worth_a_ring: waiting >= self.ring_at }
    }

    /// A record of its own memory, which counts from here on.
    #[cold]
    pub(super) fn long(&self, bytes: Vec<u8>) -> Record {
        // ORDERING: Relaxed. A count publishes nothing but itself.
        self.long_bytes.fetch_add(bytes.len(), Relaxed);
        Record::Long(bytes)
    }

    /// A record has left the queue, or did not come into it.
    #[inline]
    fn is_gone(&self, record: &Record) {
        if let Record::Long(bytes) = record {
            // ORDERING: Relaxed. A count publishes nothing but itself.
            self.long_bytes.fetch_sub(bytes.len(), Relaxed);
        }
    }

    /// Whether there is room in the queue for so many bytes more of long records, or room can be made.
    #[cold]
    pub(super) fn has_room(&self, bytes: usize, exchange: &Exchange) -> bool {
        // ORDERING: Relaxed. As many threads as look at once may each go beyond the limit by one record.
        let fits = || self.long_bytes.load(Relaxed) + bytes <= self.most_long_bytes;
        let has_room = || self.queue.len() < self.most && fits();
        if !has_room() {
            self.move_some(exchange);
        }
        has_room()
    }

    #[cold]
    fn move_some(&self, exchange: &Exchange) {
        if let Ok(mut moved) = self.moved.try_lock() {
            moved.fill(self, exchange, SOME);
        }
    }

    /// Moves what is in the queue by now, as far as there are blocks. For the flusher alone, which takes
    /// what was moved.
    pub(super) fn move_all(&self, exchange: &Exchange, take: impl FnOnce(&mut Moved)) {
        let mut moved = self.moved.lock().unwrap_or_else(|poison| poison.into_inner());
        moved.fill(self, exchange, self.queue.len());
        take(&mut moved);
    }

    /// Whether nothing is in the queue, nor was moved and not taken.
    pub(super) fn is_empty(&self) -> bool {
        let moved = self.moved.lock().unwrap_or_else(|poison| poison.into_inner());
        let is_taken = |pen: &Pen| !pen.glimpse().has_untaken();
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

impl Moved {
    /// Moves at most so many records.
    fn fill(&mut self, from: &Ordered, exchange: &Exchange, most: usize) {
        self.watch.writes(0, 1);
        for _ in 0..most + usize::from(self.held.is_some()) {
            let Some(record) = self.held.take().or_else(|| from.queue.pop()) else { break };
            if !self.append(record.bytes(), exchange) {
                self.held = Some(record);
                break;
            }
            from.is_gone(&record);
            self.count += 1;
        }
    }

    /// Appends lines that stay together to the block, or to a fresh one. False if there is none.
    fn append(&mut self, lines: &[u8], exchange: &Exchange) -> bool {
        if self.pen.as_ref().is_none_or(|pen| pen.room() < lines.len()) {
            let fresh = match self.pen {
                Some(_) => exchange.empty_block(),
                None => Some(exchange.blocks.make()),
            };
            let Some(fresh) = fresh else { return false };
            self.full.extend(self.pen.replace(fresh).map(Pen::seal));
        }
        let pen = self.pen.as_mut().expect("put there above");
        pen.append(|room| {
            room[..lines.len()].copy_from_slice(lines);
            (lines.len(), ())
        });
        true
    }

    /// The oldest full block that was not taken yet.
    pub(super) fn next_full(&mut self) -> Option<Sealed> {
        self.full.pop_front()
    }

    /// The block that is being filled.
    pub(super) fn open(&self) -> Option<&Pen> {
        self.pen.as_ref()
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The queue's `push` spins on a slot that is being emptied, for ever in the child of a process that forked
    /// at that moment.
    #[test]
    fn no_push_comes_to_the_slot_that_is_emptied() {
        let exchange = Exchange::new(32, 1, 1, Box::new(|| {}));
        for _ in 0..1000 {
            exchange.emit_ordered(|| "a:1|g\n");
        }
        let Ordered { queue, most, .. } = &exchange.ordered;
        assert_eq!(queue.len(), *most);
        assert!(queue.capacity() > *most);
        assert!(exchange.emitted().full.lines > 900);
    }
}

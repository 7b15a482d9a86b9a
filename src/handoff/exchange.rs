//! The exchange: where emitting threads and the flusher meet.

use super::bell::Bell;
use super::block::{Blocks, Pen, Sealed, Window};
use super::collector::{Collector, Desk};
use super::lane::{Lane, SoleWriterTally, Tally};
use crate::sync::{Arc, ArrayQueue, AtomicU64, ThreadLocal, is_thread_ending};
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;

/// What became of a line that was to be written into the rest of a block.
pub(crate) enum Written {
    /// It is there, of this size; or they are, where several belong together.
    Line { size: Tally, altered: bool },
    /// It needs more room than there is.
    NoRoom(Tally),
    /// It cannot be a line.
    Invalid(Tally),
}

pub(crate) struct Exchange {
    /// Where each thread keeps what only it touches.
    threads: ThreadLocal<Thread>,
    /// The same places, as others see them.
    pub(super) lanes: ThreadLocal<Arc<Lane>>,
    pub(super) blocks: Blocks,
    /// Empty blocks, from the flusher back to the threads.
    pub(super) free: ArrayQueue<Pen>,
    /// Full blocks, from the threads to the flusher.
    pub(super) sealed: ArrayQueue<Sealed>,
    pub(super) bell: Bell,
    /// How many sealed blocks are worth waking the flusher for; fewer wait for its tick.
    ring_at: usize,
    /// The flusher's side, while no flusher has it.
    pub(super) desk: Mutex<Option<Desk>>,
    /// Lines of threads too far into their end to have a place.
    after_exit: AtomicU64,
}

type Write<'a> = &'a dyn Fn(&mut [u8]) -> Written;

/// A thread's own half of its place.
struct Thread {
    pen: Cell<Option<Pen>>,
    lane: Arc<Lane>,
}

/// What was not accepted, by reason, summed over all threads.
#[derive(Clone, Copy, Default)]
pub(crate) struct Emitted {
    pub(crate) accepted: Tally,
    pub(crate) full: Tally,
    pub(crate) oversize: Tally,
    pub(crate) invalid: Tally,
    pub(crate) thread_exit: Tally,
    pub(crate) altered: u64,
}

impl Exchange {
    /// Blocks of `block_size` bytes: `blocks` of them for all threads together, and one
    /// more for each thread, so that many idle threads cannot starve a busy one.
    ///
    /// `wake` is called, at most once a cycle, to end the flusher's sleep.
    pub(crate) fn new(
        block_size: usize,
        blocks: usize,
        ring_at: usize,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        // Every thread always holds one block, so at most `blocks` are in either queue.
        let (free, sealed) = (ArrayQueue::new(blocks), ArrayQueue::new(blocks));
        let (blocks, reader) = Blocks::new(block_size, blocks);
        Self {
            threads: ThreadLocal::new(),
            lanes: ThreadLocal::new(),
            blocks,
            free,
            sealed,
            bell: Bell::new(wake),
            ring_at,
            desk: Mutex::new(Some(Desk::new(reader))),
            after_exit: AtomicU64::new(0),
        }
    }

    /// Appends what `write` writes to this thread's block; it may be called twice.
    #[inline(always)]
    pub(crate) fn emit(&self, write: impl Fn(&mut [u8]) -> Written) {
        if let Some(thread) = self.threads.get() {
            return match thread.append(&write) {
                Some(Written::Line { size, altered: false }) => thread.lane.accepted.add(size),
                other => self.settle(thread, other, &write),
            };
        }
        self.emit_first(&write);
    }

    /// A thread's first line.
    #[cold]
    fn emit_first(&self, write: Write<'_>) {
        if is_thread_ending() {
            return self.count_without_place();
        }
        let thread = self.threads.get_or(|| {
            let pen = self.blocks.make();
            let lane = self.lanes.get_or(|| Arc::new(Lane::new(Window::new(&pen))));
            Thread { pen: Cell::new(Some(pen)), lane: Arc::clone(lane) }
        });
        self.settle(thread, thread.append(write), write);
    }

    /// Accounts for what became of a line, and finds room for it where there was none.
    #[cold]
    fn settle(&self, thread: &Thread, written: Option<Written>, write: Write<'_>) {
        let lane = &thread.lane;
        match written {
            None => self.count_without_place(),
            Some(Written::Line { size, altered }) => {
                lane.accepted.add(size);
                if altered {
                    lane.altered.add(size);
                }
            }
            Some(Written::Invalid(size)) => lane.invalid.add(size),
            Some(Written::NoRoom(size)) => {
                if size.bytes > self.blocks.block_size() as u64 {
                    lane.oversize.add(size);
                } else if self.turn_over(thread) {
                    self.settle(thread, thread.append(write), write);
                } else {
                    lane.full.add(size);
                }
            }
        }
    }

    #[cold]
    fn count_without_place(&self) {
        // ORDERING: Relaxed. A count publishes nothing but itself.
        self.after_exit.fetch_add(1, Relaxed);
    }

    /// Seals this thread's block and gives it an empty one, if there is one.
    fn turn_over(&self, thread: &Thread) -> bool {
        let Some(empty) = self.free.pop().or_else(|| self.blocks.make_allowed()) else {
            return false;
        };
        // Pushed before the window shows the next block: a sweep that sees newer lines
        // there then finds these in the queue, and a flush finds them in one of the two.
        if let Some(full) = thread.pen.take() {
            let pushed = self.sealed.push(full.seal());
            debug_assert!(pushed.is_ok(), "the queue has a slot for every block");
        }
        thread.lane.window.show(&empty);
        thread.pen.set(Some(empty));
        if self.sealed.len() >= self.ring_at {
            self.bell.ring();
        }
        true
    }

    /// The flusher's side. None while another flusher has it.
    pub(crate) fn collector(this: &Arc<Self>) -> Option<Collector> {
        let desk = this.desk.lock().unwrap_or_else(|poison| poison.into_inner()).take()?;
        Some(Collector::new(Arc::clone(this), desk))
    }

    /// The account of the callers' side: exact once all threads are quiet.
    pub(crate) fn emitted(&self) -> Emitted {
        // ORDERING: Relaxed, as all counts.
        let after_exit = self.after_exit.load(Relaxed);
        let mut sum =
            Emitted { thread_exit: Tally { lines: after_exit, bytes: 0 }, ..Emitted::default() };
        for lane in self.lanes.iter() {
            let add = |to: &mut Tally, from: &SoleWriterTally| *to += from.read();
            add(&mut sum.accepted, &lane.accepted);
            add(&mut sum.full, &lane.full);
            add(&mut sum.oversize, &lane.oversize);
            add(&mut sum.invalid, &lane.invalid);
            sum.altered += lane.altered.read().lines;
        }
        sum
    }
}

impl Thread {
    /// Lets `write` have the rest of this thread's block. The pen is away meanwhile: a call
    /// from within, which nothing makes, would find none, not a second one.
    #[inline(always)]
    fn append(&self, write: impl Fn(&mut [u8]) -> Written) -> Option<Written> {
        let mut pen = self.pen.take()?;
        let written = pen.append(|room| match write(room) {
            line @ Written::Line { size, .. } => (size.bytes as usize, line),
            other => (0, other),
        });
        self.pen.set(Some(pen));
        Some(written)
    }
}

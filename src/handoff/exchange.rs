//! The exchange: where emitting threads and the flusher meet.

use super::bell::Bell;
use super::block::{Blocks, Pen, Sealed, Window};
use super::collector::{Collector, Desk};
use super::dormancy::Dormancy;
use super::lane::{Lane, SoleWriterTally, Tally};
use crate::sync::{
    Arc, ArrayQueue, AtomicU64, Barrier, Mutex, ThreadLocal, Wake, unless_thread_is_ending,
};
use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;

/// A line, or lines that belong together, yet to be written. No code of the caller's may run
/// in here: the thread's block is open.
pub(crate) trait WriteLine {
    /// How many lines it is.
    fn lines(&self) -> u64;

    /// Writes a clean line that has room, and says how long it is. For everything else it says
    /// 0, and [`write`](Self::write) is to be asked.
    ///
    /// The room is [`MARGIN`](super::MARGIN) bytes larger than what the line may take: those may
    /// be written to, and mean nothing.
    fn write_usual(&self, room: &mut [u8]) -> usize;

    /// Writes itself to the front of such a room, whole or not at all.
    fn write(&self, room: &mut [u8]) -> Written;
}

/// What became of a line that was to be written into the rest of a block.
pub(crate) enum Written {
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
    /// Where each thread keeps what only it touches.
    threads: ThreadLocal<Thread>,
    /// The same places, as others see them.
    pub(super) lanes: ThreadLocal<Arc<Lane>>,
    pub(super) blocks: Blocks,
    /// Empty blocks, from the flusher back to the threads.
    pub(super) free: ArrayQueue<Pen>,
    /// Full blocks, from the threads to the flusher.
    pub(crate) sealed: ArrayQueue<Sealed>,
    pub(super) bell: Bell,
    pub(super) dormancy: Dormancy,
    /// How many sealed blocks are worth waking the flusher for; fewer wait for its tick.
    ring_at: usize,
    /// The flusher's side, while no flusher has it.
    pub(super) desk: Mutex<Option<Desk>>,
    /// Lines of threads too far into their end to have a place.
    after_exit: AtomicU64,
}

/// A thread's own half of its place.
struct Thread {
    pen: Cell<Option<Pen>>,
    lane: Arc<Lane>,
}

/// What all threads handed over: accepted or dropped, by reason.
#[derive(Clone, Copy, Default)]
pub(crate) struct Emitted {
    pub(crate) accepted: Tally,
    pub(crate) full: Tally,
    pub(crate) oversize: Tally,
    pub(crate) invalid: Tally,
    pub(crate) unsupported: Tally,
    pub(crate) thread_exit: Tally,
    pub(crate) altered: u64,
}

impl Exchange {
    /// Blocks of `block_size` bytes: `blocks` of them for all threads together, and one
    /// more for each thread, so that many idle threads cannot starve a busy one.
    ///
    /// `wake` is called to end the flusher's sleep: at most once for each time that it falls asleep,
    /// and once more where it lies dormant, since bell and dormancy know nothing of one another. A
    /// line that turns over its block may do both.
    pub(crate) fn new(block_size: usize, blocks: usize, ring_at: usize, wake: Wake) -> Self {
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
            dormancy: Dormancy::new(Barrier::new()),
            ring_at,
            desk: Mutex::new(Some(Desk::new(reader))),
            after_exit: AtomicU64::new(0),
        }
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
    pub(crate) fn emit<L: WriteLine>(&self, line: impl Fn() -> L) {
        if let Some(thread) = self.threads.get()
            && let Some(mut pen) = thread.pen.take()
        {
            // The pen is away meanwhile: a call from within, which nothing makes, would panic,
            // and not find a second one.
            let usual = line();
            let bytes = pen.append(|room| {
                let bytes = usual.write_usual(room);
                if bytes > 0 {
                    // Before it is published: what is sent was counted.
                    let size = Tally { lines: usual.lines(), bytes: bytes as u64 };
                    thread.lane.accepted.count(size);
                }
                (bytes, bytes)
            });
            thread.pen.set(Some(pen));
            if bytes > 0 {
                if self.dormancy.is_dormant() {
                    self.rouse();
                }
                return;
            }
        }
        // Made again, so that the usual one is never more than some registers.
        self.emit_unusual(&line());
    }

    /// Ends the flusher's dormancy: the first line after it does.
    #[cold]
    #[inline(never)]
    fn rouse(&self) {
        if self.dormancy.end() {
            self.bell.wake();
        }
    }

    /// A thread's first line, one that needs a fresh block, or one that is not clean.
    #[cold]
    fn emit_unusual(&self, line: &dyn WriteLine) {
        self.emit_or_drop(line);
        // Also after a drop, for the flusher to warn of.
        if self.dormancy.is_dormant() {
            self.rouse();
        }
    }

    fn emit_or_drop(&self, line: &dyn WriteLine) {
        let Some(thread) = self.place() else {
            // ORDERING: Relaxed. A count publishes nothing but itself.
            self.after_exit.fetch_add(line.lines(), Relaxed);
            return;
        };
        let lines = line.lines();
        let size = |bytes: usize| Tally { lines, bytes: bytes as u64 };
        let lane = &thread.lane;
        let mut written = thread.append(line);
        if let Written::NoRoom(bytes) = written {
            if bytes > self.blocks.block_size() {
                return lane.oversize.count(size(bytes));
            }
            if !self.turn_over(thread) {
                return lane.full.count(size(bytes));
            }
            written = thread.append(line);
        }
        match written {
            Written::Line { bytes, altered: true } => lane.altered.count(size(bytes)),
            Written::Line { .. } => {}
            Written::Invalid => lane.invalid.count(size(0)),
            Written::Unsupported => lane.unsupported.count(size(0)),
            Written::NoRoom(bytes) => lane.oversize.count(size(bytes)),
        }
    }

    /// This thread's place; a new one at its first line. None for a thread that is too far
    /// into its end to have one.
    fn place(&self) -> Option<&Thread> {
        if let Some(thread) = self.threads.get() {
            return Some(thread);
        }
        unless_thread_is_ending(|| {
            self.threads.get_or(|| {
                let pen = self.blocks.make();
                let lane = self.lanes.get_or(|| Arc::new(Lane::new(Window::new(&pen))));
                Thread { pen: Cell::new(Some(pen)), lane: Arc::clone(lane) }
            })
        })
    }

    /// Seals this thread's block and gives it an empty one, if there is one.
    fn turn_over(&self, thread: &Thread) -> bool {
        let Some(empty) = self.free.pop().or_else(|| self.blocks.make_allowed()) else {
            return false;
        };
        // Pushed before the window shows the next block: a sweep that sees newer lines
        // there then finds these in the queue, and a flush finds them in one of the two.
        let full = thread.pen.take().expect("put back after each use");
        let pushed = self.sealed.push(full.seal());
        assert!(pushed.is_ok(), "the queue has a slot for every block");
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
            add(&mut sum.unsupported, &lane.unsupported);
            sum.altered += lane.altered.read().lines;
        }
        sum
    }
}

impl Thread {
    fn append(&self, line: &dyn WriteLine) -> Written {
        let mut pen = self.pen.take().expect("put back after each use");
        let written = pen.append(|room| match line.write(room) {
            written @ Written::Line { bytes, .. } => {
                let size = Tally { lines: line.lines(), bytes: bytes as u64 };
                self.lane.accepted.count(size);
                (bytes, written)
            }
            refused => (0, refused),
        });
        self.pen.set(Some(pen));
        written
    }
}

//! The exchange: where emitting threads and the flusher meet.

use super::bell::Bell;
use super::block::{Blocks, MARGIN, Pen, Sealed};
use super::collector::{Collector, Desk};
use super::dormancy::Dormancy;
use super::lane::{Lane, SoleWriterTally, Tally};
use super::ordered::{Ordered, Pushed};
use super::places::Places;
use super::record::Record;
use crate::sync::{Arc, ArrayQueue, AtomicU64, Barrier, Mutex, Refused, Turn, Wake};
use crossbeam_utils::CachePadded;
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
    /// What each thread has emitted, and its block.
    pub(super) lanes: Places<CachePadded<Lane>>,
    pub(super) blocks: Blocks,
    /// Empty blocks, from the flusher back to the threads.
    pub(super) free: ArrayQueue<Pen>,
    /// Full blocks, from the threads to the flusher.
    pub(crate) sealed: ArrayQueue<Sealed>,
    /// What has to keep its order across threads, from the threads to the flusher.
    pub(super) ordered: Ordered,
    pub(super) bell: Bell,
    pub(super) dormancy: Dormancy,
    /// How many sealed blocks are worth waking the flusher for; fewer wait for its tick.
    ring_at: usize,
    /// The flusher's side, while no flusher has it.
    pub(super) desk: Mutex<Option<Desk>>,
    refusals: Refusals,
    /// No line is longer: by default as a block.
    longest: usize,
}

/// Lines of calls that had no turn.
#[derive(Default)]
struct Refusals {
    /// Of threads too far into their end.
    ending: AtomicU64,
    /// Of calls within a call.
    reentrant: AtomicU64,
    /// Of more threads than there are places.
    crowded: AtomicU64,
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
    pub(crate) reentrant: Tally,
    pub(crate) altered: u64,
}

/// By which way a line travels.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// In its thread's block, in the order of that thread.
    Block,
    /// In the ordered queue.
    Ordered,
}

/// As long as a line in the ordered queue can be, and the margin behind it.
const DRAFT: usize = Record::SHORT + MARGIN;

impl Exchange {
    /// Blocks of `block_size` bytes: `blocks` of them for all threads together, and one
    /// more for each thread, so that many idle threads cannot starve a busy one. The ordered queue takes a
    /// quarter of the memory of those blocks besides.
    ///
    /// `wake` is called to end the flusher's sleep: at most once for each time that it falls asleep,
    /// and once more where it lies dormant, since bell and dormancy know nothing of one another. A
    /// line that turns over its block may do both.
    pub(crate) fn new(block_size: usize, blocks: usize, ring_at: usize, wake: Wake) -> Self {
        let ordered = Ordered::new(blocks * block_size / 4, block_size);
        // Every thread always holds one block, so at most `blocks` are in either queue.
        let (free, sealed) = (ArrayQueue::new(blocks), ArrayQueue::new(blocks));
        let (blocks, reader) = Blocks::new(block_size, blocks);
        Self {
            lanes: Places::new(),
            blocks,
            free,
            sealed,
            ordered,
            bell: Bell::new(wake),
            dormancy: Dormancy::new(Barrier::new()),
            ring_at,
            desk: Mutex::new(Some(Desk::new(reader))),
            refusals: Refusals::default(),
            longest: block_size,
        }
    }

    /// With a limit to the length of a line, which is counted as oversize beyond that.
    #[cfg(feature = "tokio")]
    pub(crate) fn with_longest(self, longest: usize) -> Self {
        Self { longest: longest.min(self.longest), ..self }
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
        if let Some((mut turn, lane)) = self.lanes.begin()
            && let Some(mut pen) = lane.rest.lend(&mut turn)
        {
            let usual = line();
            let is_written = pen.append(|room| {
                let bytes = usual.write_usual(room);
                // By one comparison: neither none, nor too many.
                if bytes.wrapping_sub(1) >= self.longest {
                    return (0, false);
                }
                // Before it is published: what is sent was counted.
                let size = Tally { lines: usual.lines(), bytes: bytes as u64 };
                lane.accepted.count(size);
                (bytes, true)
            });
            if is_written {
                if self.dormancy.is_dormant() {
                    self.rouse();
                }
                return;
            }
        }
        // Made again, so that the usual one is never more than some registers.
        self.emit_unusual(&line(), Way::Block);
    }

    /// Hands over a line whose order is kept across threads: of two, the one whose call was over
    /// before the other's began comes first.
    #[inline(always)]
    pub(crate) fn emit_ordered<L: WriteLine>(&self, line: impl Fn() -> L) {
        if let Some((_turn, lane)) = self.lanes.begin() {
            let usual = line();
            let mut draft = [0; DRAFT];
            let bytes = usual.write_usual(&mut draft);
            if bytes > 0 {
                let size = Tally { lines: usual.lines(), bytes: bytes as u64 };
                self.enqueue(lane, Record::short(&draft, bytes), size);
                return;
            }
        }
        self.emit_unusual(&line(), Way::Ordered);
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
    fn emit_unusual(&self, line: &dyn WriteLine, way: Way) {
        let lines = line.lines();
        let refused = match Turn::begin_or_join() {
            Ok(turn) => {
                self.emit_or_drop(turn, line, way);
                return;
            }
            // The call within which this one is may be about to wake the flusher.
            Err(Refused::Reentrant) => {
                // ORDERING: Relaxed. A count publishes nothing but itself.
                self.refusals.reentrant.fetch_add(lines, Relaxed);
                return;
            }
            Err(Refused::Ending) => &self.refusals.ending,
            Err(Refused::Crowded) => &self.refusals.crowded,
        };
        // ORDERING: Relaxed. A count publishes nothing but itself.
        refused.fetch_add(lines, Relaxed);
        self.rouse_if_dormant();
    }

    fn emit_or_drop(&self, mut turn: Turn, line: &dyn WriteLine, way: Way) {
        let lane = self.lanes.get_or_make(&turn);
        let size = |bytes: usize| Tally { lines: line.lines(), bytes: bytes as u64 };
        let written = match way {
            Way::Block => self.append(lane, &mut turn, line),
            Way::Ordered => self.append_in_order(lane, line),
        };
        match written {
            Written::Line { bytes, altered: true } => lane.altered.count(size(bytes)),
            Written::Line { .. } => {}
            Written::Invalid => lane.invalid.count(size(0)),
            Written::Unsupported => lane.unsupported.count(size(0)),
            Written::NoRoom(bytes) if bytes > self.longest => {
                lane.oversize.count(size(bytes));
            }
            Written::NoRoom(bytes) => lane.full.count(size(bytes)),
        }
        self.rouse_if_dormant();
    }

    /// Also after a drop, for the flusher to warn of.
    fn rouse_if_dormant(&self) {
        if self.dormancy.is_dormant() {
            self.rouse();
        }
    }

    /// Appends a line to the thread's block, or to a fresh one. There is no room if it is longer than
    /// that, or if there is none.
    fn append(&self, lane: &Lane, turn: &mut Turn, line: &dyn WriteLine) -> Written {
        if lane.rest.lend(turn).is_none() {
            let first = self.blocks.make();
            lane.window.show(first.glimpse());
            lane.rest.replace(turn, first);
        }
        let append = |turn: &mut Turn| {
            let mut pen = lane.rest.lend(turn).expect("laid down above");
            pen.append(|room| match line.write(self.limited(room)) {
                written @ Written::Line { bytes, .. } => {
                    lane.accepted.count(Tally { lines: line.lines(), bytes: bytes as u64 });
                    (bytes, written)
                }
                refused => (0, refused),
            })
        };
        match append(turn) {
            Written::NoRoom(bytes) if bytes <= self.longest && self.turn_over(lane, turn) => {
                append(turn)
            }
            written => written,
        }
    }

    /// The part of a room that the longest line may take, with the margin behind it.
    #[inline(always)]
    fn limited<'a>(&self, room: &'a mut [u8]) -> &'a mut [u8] {
        let limit = room.len().min(self.longest + MARGIN);
        &mut room[..limit]
    }

    /// Seals this thread's block and gives it an empty one, if there is one.
    fn turn_over(&self, lane: &Lane, turn: &mut Turn) -> bool {
        let Some(empty) = self.empty_block() else { return false };
        let shown = empty.glimpse();
        let full = lane.rest.replace(turn, empty).expect("it has a block");
        // Pushed before the window shows the next block: a sweep that sees newer lines
        // there then finds these in the queue, and a flush finds them in one of the two.
        let pushed = self.sealed.push(full.seal());
        assert!(pushed.is_ok(), "the queue has a slot for every block");
        lane.window.show(shown);
        if self.sealed.len() >= self.ring_at {
            self.bell.ring();
        }
        true
    }

    /// A block within the capacity.
    pub(super) fn empty_block(&self) -> Option<Pen> {
        self.free.pop().or_else(|| self.blocks.make_allowed())
    }

    /// Puts a line into the ordered queue, by way of a memory of its own if it is long.
    fn append_in_order(&self, lane: &Lane, line: &dyn WriteLine) -> Written {
        let mut draft = [0; DRAFT];
        let size = |bytes| Tally { lines: line.lines(), bytes: bytes as u64 };
        let mut written = line.write(&mut draft);
        let accepted = match written {
            Written::Line { bytes, .. } => {
                self.enqueue(lane, Record::short(&draft, bytes), size(bytes))
            }
            Written::NoRoom(most) if most <= self.longest && self.ordered.has_room(most, self) => {
                let mut draft = vec![0; most + MARGIN];
                written = line.write(&mut draft);
                let Written::Line { bytes, .. } = written else { return written };
                draft.truncate(bytes);
                self.enqueue(lane, self.ordered.long(draft), size(bytes))
            }
            _ => return written,
        };
        // What was turned away is counted, and is none that was altered.
        match written {
            Written::Line { bytes, .. } if !accepted => Written::Line { bytes, altered: false },
            written => written,
        }
    }

    /// False if the queue is full: the line is dropped, and counted.
    ///
    /// A function of its own: what gauges alone cost, a read-modify-write, is here.
    #[inline(never)]
    fn enqueue(&self, lane: &Lane, record: Record, size: Tally) -> bool {
        // Before it is published: what is sent was counted.
        lane.accepted.count(size);
        let Pushed { is_accepted, is_worth_a_ring } = self.ordered.push(record, self);
        if !is_accepted {
            lane.turned_away.count(size);
        }
        if is_worth_a_ring {
            self.bell.ring();
        }
        if self.dormancy.is_dormant() {
            self.rouse();
        }
        is_accepted
    }

    /// The flusher's side. None while another flusher has it.
    pub(crate) fn collector(this: &Arc<Self>) -> Option<Collector> {
        let desk = this.desk.lock().unwrap_or_else(|poison| poison.into_inner()).take()?;
        Some(Collector::new(Arc::clone(this), desk))
    }

    /// The account of the callers' side: exact once all threads are quiet.
    pub(crate) fn emitted(&self) -> Emitted {
        let lines = |count: &AtomicU64| {
            // ORDERING: Relaxed, as all counts.
            Tally { lines: count.load(Relaxed), bytes: 0 }
        };
        let mut sum = Emitted {
            thread_exit: lines(&self.refusals.ending),
            reentrant: lines(&self.refusals.reentrant),
            full: lines(&self.refusals.crowded),
            ..Emitted::default()
        };
        for lane in self.lanes.iter() {
            let add = |to: &mut Tally, from: &SoleWriterTally| *to += from.read();
            // Before `accepted`, which has them too.
            let turned_away = lane.turned_away.read();
            let accepted = lane.accepted.read();
            sum.accepted += accepted.less(turned_away);
            sum.full += turned_away;
            add(&mut sum.full, &lane.full);
            add(&mut sum.oversize, &lane.oversize);
            add(&mut sum.invalid, &lane.invalid);
            add(&mut sum.unsupported, &lane.unsupported);
            sum.altered += lane.altered.read().lines;
        }
        sum
    }
}

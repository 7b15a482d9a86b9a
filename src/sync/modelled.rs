//! Stand-ins that loom can see through: same contracts, same orderings.

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize};
pub(crate) use loom::sync::{Arc, Mutex};

use super::numbers::Numbers;
use super::turn::{self, NONE};
use concurrent_queue::ConcurrentQueue;
use loom::alloc::Track;
use loom::cell::UnsafeCell;
use loom::sync::atomic::fence;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// Loom's own are not safe to unwind past.
pub(crate) type Wake = Box<dyn Fn() + Send + Sync>;

/// crossbeam's `ArrayQueue` uses core atomics, which loom cannot see.
/// `ConcurrentQueue::bounded` is the same algorithm, instrumented.
pub(crate) struct ArrayQueue<T> {
    queue: ConcurrentQueue<T>,
    /// Passed before each use, and orders no memory. The queue loads what it is about to
    /// change, and loom, which remembers only the last access to an atomic, then forgets that
    /// another thread's use came before, and never tries it after.
    turnstile: AtomicUsize,
}

impl<T> ArrayQueue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        // A bounded queue of one is another algorithm there; two slots keep this one.
        let queue = ConcurrentQueue::bounded(capacity.max(2));
        Self { queue, turnstile: AtomicUsize::new(0) }
    }
    fn enter(&self) -> &ConcurrentQueue<T> {
        self.turnstile.fetch_add(1, Relaxed);
        &self.queue
    }
    pub(crate) fn push(&self, value: T) -> Result<(), T> {
        self.enter().push(value).map_err(|refused| refused.into_inner())
    }
    pub(crate) fn pop(&self) -> Option<T> {
        self.enter().pop().ok()
    }
    pub(crate) fn len(&self) -> usize {
        self.enter().len()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.enter().is_empty()
    }
    pub(crate) fn is_full(&self) -> bool {
        self.enter().is_full()
    }
}

/// The asymmetric barrier: full fences, only in the models that are about it. In others the callers'
/// would order what they are to show is ordered by other means.
pub(crate) struct Barrier {
    is_there: bool,
}

impl Barrier {
    pub(crate) fn new() -> Self {
        Self { is_there: false }
    }
    pub(crate) fn modelled() -> Self {
        Self { is_there: true }
    }
    pub(crate) fn light(&self) {
        if self.is_there {
            fence(SeqCst);
        }
    }
    pub(crate) fn heavy(&self) -> bool {
        if self.is_there {
            fence(SeqCst);
        }
        self.is_there
    }
}

/// A byte that is written while it may be read is reported by loom, byte by
/// byte: a cell for each, so that the published start of a block may be read
/// while its end is written. A block that is not freed by the end is reported too.
pub(crate) struct Watch(Track<Box<[UnsafeCell<()>]>>);

impl Default for Watch {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Watch {
    pub(crate) fn new(len: usize) -> Self {
        Self(Track::new((0..len).map(|_| UnsafeCell::new(())).collect()))
    }
    pub(crate) fn reads(&self, from: usize, to: usize) {
        for cell in &self.0.get_ref()[from..to] {
            cell.with(|_| ());
        }
    }
    pub(crate) fn writes(&self, from: usize, to: usize) {
        for cell in &self.0.get_ref()[from..to] {
            cell.with_mut(|_| ());
        }
    }
}

/// So few that a model can fill the queue.
pub(crate) const FEWEST_RECORDS: usize = 4;

/// None, for fewer interleavings.
pub(crate) fn spare_slots(_records: usize) -> usize {
    0
}

/// Models have few threads, and loom has each place to explore.
pub(crate) const FIRST_PLACES: usize = 2;

/// Numbers that no thread has: made anew for each interleaving.
const WORDS: usize = 1;

impl<const WORDS: usize> Numbers<WORDS> {
    fn new() -> Self {
        Self { taken: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

loom::lazy_static! {
    static ref NUMBERS: std::sync::Arc<Numbers<WORDS>> = std::sync::Arc::new(Numbers::new());
}

loom::thread_local! {
    static SEAT: Seat = Seat::new();
}

/// The word of a thread, which it alone uses: loom need not see it.
struct Seat {
    word: AtomicU32,
    /// Kept: it is given back when the thread ends, later than loom's statics are.
    numbers: std::sync::Arc<Numbers<WORDS>>,
}

impl Seat {
    fn new() -> Self {
        Self { word: AtomicU32::new(NONE), numbers: std::sync::Arc::clone(&NUMBERS) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        turn::leave(&self.word, |number| self.numbers.give_back(number));
    }
}

pub(super) fn with_numbers<R>(task: impl FnOnce(&Numbers<WORDS>) -> R) -> R {
    SEAT.with(|seat| task(&seat.numbers))
}

pub(super) fn with_seat<R>(task: impl FnOnce(&AtomicU32) -> R) -> R {
    SEAT.with(|seat| task(&seat.word))
}

/// Models have no signals.
pub(crate) fn keep_out_handlers() {}

/// Models end their threads only after the last line.
pub(super) fn end_with_thread() -> bool {
    true
}

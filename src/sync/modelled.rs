//! Stand-ins that loom can see through: same contracts, same orderings.

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize};
pub(crate) use loom::sync::{Arc, Mutex};

use concurrent_queue::ConcurrentQueue;
use loom::alloc::Track;
use loom::cell::UnsafeCell;
use loom::sync::atomic::fence;
use std::cell::OnceCell;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

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

/// The places that the stand-in for `ThreadLocal` has: one for each thread that
/// loom allows.
const PLACES: usize = loom::MAX_THREADS;

/// Numbers that no thread has. As in `thread_local`, they come from behind a mutex, the
/// smallest first.
type FreeNumbers = std::sync::Arc<Mutex<Vec<usize>>>;

loom::lazy_static! {
    static ref FREE_NUMBERS: FreeNumbers =
        std::sync::Arc::new(Mutex::new((0..PLACES).rev().collect()));
}

loom::thread_local! {
    static NUMBER: OnceCell<Number> = OnceCell::new();
}

/// A thread's number, given back when the thread ends: later than loom's statics do.
struct Number {
    number: usize,
    free: FreeNumbers,
}

impl Number {
    fn take() -> Self {
        let free = std::sync::Arc::clone(&FREE_NUMBERS);
        let number = free.lock().expect("no panic").pop().expect("a place");
        Self { number, free }
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        let mut free = self.free.lock().expect("no panic");
        free.push(self.number);
        free.sort_unstable_by(|a, b| b.cmp(a));
    }
}

/// `thread_local::ThreadLocal`: a place a thread, found by the thread's number,
/// seen by others once `present`, and inherited by the next thread of that number.
pub(crate) struct ThreadLocal<T> {
    places: Box<[Place<T>]>,
}

struct Place<T> {
    present: AtomicBool,
    value: OnceLock<T>,
    /// Used by its thread: what only that thread touches must be ordered before its heir's.
    used: UnsafeCell<()>,
}

impl<T> Place<T> {
    fn new() -> Self {
        let used = UnsafeCell::new(());
        Self { present: AtomicBool::new(false), value: OnceLock::new(), used }
    }
}

impl<T: Send> ThreadLocal<T> {
    pub(crate) fn new() -> Self {
        Self { places: (0..PLACES).map(|_| Place::new()).collect() }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        let number = NUMBER.with(|number| number.get().map(|taken| taken.number))?;
        let place = &self.places[number];
        place.used.with_mut(|_| ());
        if place.present.load(Acquire) { place.value.get() } else { None }
    }

    pub(crate) fn get_or(&self, create: impl FnOnce() -> T) -> &T {
        let number = NUMBER.with(|number| number.get_or_init(Number::take).number);
        let place = &self.places[number];
        // Asked of the value: see `Pen` for why a load before the store must not be.
        if place.value.get().is_none() {
            let fresh = place.value.set(create()).is_ok();
            assert!(fresh, "a place is filled once");
            place.present.store(true, Release);
        }
        place.used.with_mut(|_| ());
        place.value.get().expect("filled above")
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T>
    where
        T: Sync,
    {
        self.places
            .iter()
            .filter(|place| place.present.load(Acquire))
            .filter_map(|place| place.value.get())
    }
}

/// Models end their threads only after the last line.
pub(crate) fn unless_thread_is_ending<T>(join: impl FnOnce() -> T) -> Option<T> {
    Some(join())
}

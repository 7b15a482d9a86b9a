//! Models of freewheel's hand-off, for loom.
//!
//! Each test in `tests/` runs the real hand-off, with loom's atomics in place of the real
//! ones, under every interleaving and every stale value that the memory model allows, within
//! the bound that it states. It prints how many it explored and fails below a floor: a model
//! that explores one interleaving has proven nothing.
//!
//! ```sh
//! cd loom-tests && cargo models                  # all, as a table
//! LOOM_MAX_PREEMPTIONS=7 cargo models a_place    # those of that name, with a wider bound
//! FREEWHEEL_UNBOUNDED=1 cargo models a_place     # and with none: some do not end in a day
//! ```

mod explored;
mod parker;

pub use explored::Explored;
pub use parker::Parker;

use freewheel::loom_api::Exchange;
use loom::thread::{self, JoinHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// Explores `model` with at most `preemptions` forced switches of threads, or all
/// interleavings where that is None; prints their number and fails if there are fewer
/// than `floor`.
pub fn explore(
    name: &str,
    preemptions: Option<usize>,
    floor: usize,
    model: impl Fn() + Send + Sync + 'static,
) {
    explore_and(name, preemptions, floor, model, || ());
}

/// What a model is about, and so must happen in some interleaving.
pub struct Witness {
    what: &'static str,
    seen: AtomicBool,
}

impl Witness {
    /// It did not happen yet.
    pub const fn of(what: &'static str) -> Self {
        Self { what, seen: AtomicBool::new(false) }
    }

    /// It may have happened here.
    pub fn look(&self, happened: bool) {
        self.seen.fetch_or(happened, Relaxed);
    }

    /// As [`explore`], and fails if it never happened.
    pub fn explore(
        &self,
        name: &str,
        preemptions: Option<usize>,
        floor: usize,
        model: impl Fn() + Send + Sync + 'static,
    ) {
        let happened = || assert!(self.seen.load(Relaxed), "it never happened: {}", self.what);
        explore_and(name, preemptions, floor, model, happened);
    }
}

fn explore_and(
    name: &str,
    preemptions: Option<usize>,
    floor: usize,
    model: impl Fn() + Send + Sync + 'static,
    also: impl FnOnce(),
) {
    let explored = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&explored);
    let mut builder = loom::model::Builder::new();
    // The environment's bound may widen this one, and never narrows it.
    let wider = builder.preemption_bound.take();
    builder.preemption_bound = preemptions.map(|most| most.max(wider.unwrap_or(0)));
    if std::env::var_os("FREEWHEEL_UNBOUNDED").is_some() {
        builder.preemption_bound = None;
    }
    // What a thread moves at a time has many.
    builder.max_branches = 5_000;
    let (bound, begun) = (builder.preemption_bound, Instant::now());
    builder.check(move || {
        counter.fetch_add(1, Relaxed);
        model();
    });
    let interleavings = explored.load(Relaxed);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{}", Explored { name: name.to_owned(), interleavings, floor, bound, seconds });
    // Before the floor: where it never happens there is less to explore, and that says less.
    also();
    assert!(interleavings >= floor, "{name}: {interleavings} interleavings of at least {floor}");
}

/// The line that one thread emits as its `index`th: two bytes, different for each.
pub fn line(thread: u8, index: u8) -> [u8; 2] {
    [thread * 16 + index + 1, b'\n']
}

/// A thread that emits so many lines.
pub fn emitter(exchange: &Exchange, thread: u8, lines: u8) -> JoinHandle<()> {
    let exchange = exchange.clone();
    thread::spawn(move || (0..lines).for_each(|index| exchange.emit(&line(thread, index))))
}

/// Checks at the end, when all was swept: what was accepted arrived, and nothing else; and
/// received + dropped == emitted. Returns how many were dropped.
pub fn acknowledge(exchange: &Exchange, received: &[u8], emitted: u64) -> u64 {
    let (accepted, dropped) = exchange.accepted_and_dropped();
    assert_eq!(check(received), accepted, "{received:?}");
    assert_eq!(accepted + dropped, emitted);
    dropped
}

/// Checks that what arrived is whole lines, each at most once, in each thread's order; and
/// returns how many.
pub fn check(received: &[u8]) -> u64 {
    assert!(received.len().is_multiple_of(2), "torn: {received:?}");
    let mut last = [0; 16];
    for pair in received.chunks(2) {
        let [number, b'\n'] = *pair else { panic!("torn: {received:?}") };
        let (thread, index) = ((number - 1) / 16, (number - 1) % 16 + 1);
        let last = &mut last[thread as usize];
        assert!(*last < index, "out of order or twice: {received:?}");
        *last = index;
    }
    received.len() as u64 / 2
}

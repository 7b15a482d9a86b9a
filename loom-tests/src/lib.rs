//! Loom models (exhaustive concurrency tests) of the lock-free queue through which producer threads
//! pass lines to freewheel's flusher.
//!
//! Each test in `tests/` runs the real hand-off with loom's atomics instead of the real ones. It
//! explores every interleaving and every stale value that the memory model allows, within the bound
//! that the test states. It prints the number of interleavings, and fails below a minimum, because
//! a model that explores one interleaving proves nothing.
//!
//! ```sh
//! cd loom-tests && cargo models                      # all, as a table
//! LOOM_MAX_PREEMPTIONS=7 cargo models reused_slot    # by name, with a wider bound
//! FREEWHEEL_UNBOUNDED=1 cargo models reused_slot     # without a bound: some do not end in a day
//! ```

mod explored;
mod parker;

pub use explored::Explored;
pub use parker::Parker;

use freewheel_handoff::loom_api::Exchange;
use loom::thread::{self, JoinHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// Runs `model` under loom in every interleaving with at most `preemptions` preemptions, or in
/// every interleaving if `preemptions` is `None`.
///
/// Prints the number of interleavings, and fails if there are fewer than `floor`.
pub fn explore(
    name: &str,
    preemptions: Option<usize>,
    floor: usize,
    model: impl Fn() + Send + Sync + 'static,
) {
    explore_then(name, preemptions, floor, model, || ());
}

/// Event that must happen in at least one interleaving of a model. The model fails otherwise,
/// because it has not tested the event.
pub struct Witness {
    event: &'static str,
    observed: AtomicBool,
}

impl Witness {
    /// Creates a witness: it checks that `event` happens in at least one interleaving of a model.
    pub const fn new(event: &'static str) -> Self {
        Self { event, observed: AtomicBool::new(false) }
    }

    /// Records whether the event of this witness happened in the current interleaving.
    pub fn observe(&self, happened: bool) {
        self.observed.fetch_or(happened, Relaxed);
    }

    /// Runs the model as [`explore`] does, and also fails if the event of this witness happened in
    /// none of the interleavings.
    pub fn explore(
        &self,
        name: &str,
        preemptions: Option<usize>,
        floor: usize,
        model: impl Fn() + Send + Sync + 'static,
    ) {
        let check = || assert!(self.observed.load(Relaxed), "it never happened: {}", self.event);
        explore_then(name, preemptions, floor, model, check);
    }
}

fn explore_then(
    name: &str,
    preemptions: Option<usize>,
    floor: usize,
    model: impl Fn() + Send + Sync + 'static,
    check: impl FnOnce(),
) {
    let explored = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&explored);
    let mut builder = loom::model::Builder::new();
    // The bound in the environment can widen the model's bound, but not narrow it.
    let wider = builder.preemption_bound.take();
    builder.preemption_bound = preemptions.map(|bound| bound.max(wider.unwrap_or(0)));
    if std::env::var_os("FREEWHEEL_UNBOUNDED").is_some() {
        builder.preemption_bound = None;
    }
    // A thread that moves records takes many steps.
    builder.max_branches = 5_000;
    let (bound, begun) = (builder.preemption_bound, Instant::now());
    builder.check(move || {
        counter.fetch_add(1, Relaxed);
        model();
    });
    let interleavings = explored.load(Relaxed);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{}", Explored { name: name.to_owned(), interleavings, floor, bound, seconds });
    // This check precedes that of the number of interleavings, because its message is more
    // specific: a model without its event usually has fewer interleavings too.
    check();
    assert!(interleavings >= floor, "{name}: {interleavings} interleavings of at least {floor}");
}

/// Returns a test line of two bytes: a number that encodes `thread` and `index`, and a newline.
pub fn line(thread: u8, index: u8) -> [u8; 2] {
    [thread * 16 + index + 1, b'\n']
}

/// Spawns a thread that emits `lines` lines, each marked with the number `thread`.
pub fn producer(exchange: &Exchange, thread: u8, lines: u8) -> JoinHandle<()> {
    let exchange = exchange.clone();
    thread::spawn(move || (0..lines).for_each(|index| exchange.emit(&line(thread, index))))
}

/// Checks that the exchange's counts of accepted and dropped lines agree with the received and the
/// emitted lines. Returns the number of dropped lines.
///
/// Exactly the accepted lines must have arrived. Accepted and dropped lines together must be the
/// emitted lines.
pub fn check_account(exchange: &Exchange, received: &[u8], emitted: u64) -> u64 {
    let (accepted, dropped) = exchange.accepted_and_dropped();
    assert_eq!(check(received), accepted, "{received:?}");
    assert_eq!(accepted + dropped, emitted);
    dropped
}

/// Checks that the received bytes are whole lines, each at most once, in each thread's order.
/// Returns the number of lines.
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

//! Exiting threads: lines emitted by their destructors, and lines left in their blocks.

// In a test, that is an assertion.
#![allow(clippy::unwrap_used)]

mod support;

use freewheel::{Connector, Stats, Tally};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Sender};
use std::thread;
use support::{
    TcpReceiver, assert_balanced, emit_numbered, flush, numbers_by_thread, runtime, started, tcp,
    unused_port,
};
use thread_local::ThreadLocal;

#[test]
fn a_timer_may_end_on_another_thread() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    thread::scope(|scope| {
        let timer = statsd.timer("a");
        scope.spawn(move || drop(timer));
    });
    runtime().block_on(async {
        let _timer = statsd.timer("b");
        tokio::task::yield_now().await;
    });
    flush(&statsd);
    receiver.wait_for_lines(2);
    let lines = receiver.lines();
    let recorded = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
    assert_eq!((recorded("a:"), recorded("b:")), (1, 1), "{lines:?}");
}

/// Thread-local value that emits from its destructor and reports the result.
struct Farewell {
    statsd: Connector,
    result: Sender<thread::Result<()>>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        // A panic in this destructor would abort the process.
        let emit = AssertUnwindSafe(|| (0..10).for_each(|_| self.statsd.incr("farewell")));
        let _ = self.result.send(catch_unwind(emit));
    }
}

thread_local! {
    static FAREWELL: RefCell<Option<Farewell>> = const { RefCell::new(None) };
}

/// Destructors of thread-local values may emit before or after the connector's own destructor.
/// Lines that come too late are counted.
///
/// The thread's body gets the value to store in `FAREWELL`.
fn farewells_are_counted(body: fn(&Connector, Farewell), lines: u64) -> Stats {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    let (sender, result) = mpsc::channel();
    let farewell = Farewell { statsd: statsd.clone(), result: sender };
    let emitting = statsd.clone();
    thread::spawn(move || body(&emitting, farewell)).join().unwrap();
    result.recv().unwrap().expect("emitting never panics");
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!(stats.emitted.lines, lines);
    assert_eq!(stats.sent.lines + stats.drops.thread_exit.lines, lines);
    assert_balanced(&stats);
    receiver.wait_for_lines(stats.sent.lines);
    stats
}

#[test]
fn a_destructor_that_runs_after_the_connectors_own_may_emit() {
    let body = |statsd: &Connector, farewell| {
        FAREWELL.set(Some(farewell));
        statsd.incr("a");
    };
    let _ = farewells_are_counted(body, 11);
}

#[test]
fn a_destructor_that_runs_before_the_connectors_own_may_emit() {
    let body = |statsd: &Connector, farewell| {
        statsd.incr("a");
        FAREWELL.set(Some(farewell));
    };
    let _ = farewells_are_counted(body, 11);
}

#[test]
fn a_thread_may_emit_only_when_it_ends() {
    farewells_are_counted(|_, farewell| FAREWELL.set(Some(farewell)), 10);
}

#[test]
fn exiting_thread_can_emit_into_a_second_connector() {
    let body = |_: &Connector, farewell| {
        FAREWELL.set(Some(farewell));
        tcp(1).build().unwrap().incr("a");
    };
    farewells_are_counted(body, 10);
}

/// Other libraries may have destroyed their own thread-local storage already.
#[test]
fn first_line_in_a_late_destructor_is_accounted_for() {
    let body = |_: &Connector, farewell| {
        FAREWELL.set(Some(farewell));
        ThreadLocal::new().get_or(|| ());
    };
    let stats = farewells_are_counted(body, 10);
    assert_eq!(stats.drops.thread_exit.lines, 0);
}

#[test]
fn short_lived_threads_lose_nothing() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    let mut emitted = Tally::default();
    for wave in 0..100 {
        let threads = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|thread| {
            let statsd = statsd.clone();
            let emit = move |number| emit_numbered(&statsd, wave * 10 + thread, number);
            thread::spawn(move || (0..10).map(emit).fold(Tally::default(), |a, b| a + b))
        });
        emitted = threads.into_iter().fold(emitted, |sum, thread| sum + thread.join().unwrap());
    }
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!((stats.emitted, stats.sent), (emitted, emitted));
    receiver.wait_for_lines(10_000);
    let threads = numbers_by_thread(&receiver.lines());
    assert_eq!(threads.len(), 1_000);
    assert!(threads.values().all(|numbers| numbers.iter().copied().eq(0..10)));
}

/// A new thread reuses the slot of an exited thread. With a slot for each thread, nothing would be
/// dropped here.
#[test]
fn short_lived_threads_share_their_memory() {
    const BLOCK: u64 = 1 << 10;
    /// Threads of other tests take some of the slots meanwhile.
    const PLACES: u64 = 200;
    let statsd = tcp(unused_port()).queue_capacity(BLOCK as usize).build().unwrap();
    let mut emitted = Tally::default();
    for thread in 0..1_000 {
        let emit = |number| emit_numbered(&statsd, thread, number);
        let ten_lines = || (0..10).map(emit).fold(Tally::default(), |a, b| a + b);
        emitted += thread::scope(|scope| scope.spawn(ten_lines).join().unwrap());
    }
    let stats = statsd.stats();
    assert_eq!(stats.emitted, emitted);
    assert!(stats.buffered.bytes <= (1 + PLACES) * BLOCK, "{stats:?}");
    assert_balanced(&stats);
}

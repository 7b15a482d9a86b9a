//! Concurrent calls of every kind.

// In a test, that is an assertion.
#![allow(clippy::unwrap_used)]

mod support;

use freewheel::{FlushOutcome, StartError};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use support::{
    TcpReceiver, assert_balanced, emit_numbered, flush, numbers_by_thread, started, tcp,
};

/// Duration of a race, long enough for many interleavings.
const A_WHILE: Duration = Duration::from_secs(1);

/// No snapshot of the account has more lines sent than emitted.
#[test]
fn no_line_is_sent_before_it_is_emitted() {
    let receiver = TcpReceiver::start();
    let statsd = &started(tcp(receiver.port()).queue_capacity(64 << 10));
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..3 {
            scope.spawn(move || {
                let numbers = (0..).take_while(|_| !over.load(Relaxed));
                numbers.for_each(|number| _ = emit_numbered(statsd, thread, number));
            });
        }
        let begun = Instant::now();
        let looks = std::iter::repeat_with(|| statsd.stats());
        let wrong = looks.take_while(|_| begun.elapsed() < A_WHILE).find(|stats| {
            let gone = stats.sent + stats.lost() + stats.dropped();
            gone.lines > stats.emitted.lines || gone.bytes > stats.emitted.bytes
        });
        // Before the assertion: a panic would wait for the other threads.
        over.store(true, Relaxed);
        assert_eq!(wrong, None);
    });
    flush(statsd);
    assert_balanced(&statsd.stats());
}

/// Threads start and stop the connector while another emits and flushes. A flush that returns
/// `Done` has sent all lines. In the end each line has arrived once and in order.
#[test]
fn starts_stops_and_flushes_at_once_lose_nothing() {
    let receiver = TcpReceiver::start();
    let statsd = &tcp(receiver.port()).build().unwrap();
    let over = &AtomicBool::new(false);
    let until_over = || std::iter::repeat(()).take_while(|()| !over.load(Relaxed));
    let (numbers, flushed) = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                until_over().for_each(|()| match statsd.start_on_thread() {
                    Ok(()) | Err(StartError::AlreadyRunning) => thread::yield_now(),
                    Err(error) => panic!("{error}"),
                });
            });
            scope.spawn(move || {
                until_over().for_each(|()| {
                    assert_balanced(&statsd.blocking_stop().stats);
                    thread::sleep(Duration::from_micros(200));
                });
            });
        }
        let emitter = scope.spawn(|| {
            let (begun, mut flushed) = (Instant::now(), 0);
            let numbers = (0..).take_while(|_| begun.elapsed() < A_WHILE);
            let last = numbers.inspect(|&number| {
                emit_numbered(statsd, 0, number);
                if statsd.blocking_flush() == FlushOutcome::Done {
                    assert_eq!(statsd.stats().sent.lines, number + 1, "done, and not sent");
                    flushed += 1;
                }
            });
            (last.count() as u64, flushed)
        });
        let result = emitter.join();
        // Before anything is asserted: a panic would wait for the other threads.
        over.store(true, Relaxed);
        result.expect("no panic")
    });
    assert!(flushed > 0 && flushed < numbers, "{flushed} of {numbers} flushes were done");
    let _ = statsd.start_on_thread();
    flush(statsd);
    receiver.wait_for_lines(numbers);
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(0..numbers));
    assert_balanced(&statsd.stats());
}

/// A thread whose stop has returned can start the connector, even if another thread stopped it.
#[test]
fn a_start_after_a_stop_is_never_refused() {
    let receiver = TcpReceiver::start();
    let statsd = &started(tcp(receiver.port()));
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(move || {
            while !over.load(Relaxed) {
                let _ = statsd.blocking_stop();
            }
        });
        let begun = Instant::now();
        let rounds = std::iter::repeat_with(|| {
            statsd.incr("a");
            let _ = statsd.blocking_stop();
            statsd.start_on_thread()
        });
        let refused = rounds.take_while(|_| begun.elapsed() < A_WHILE).find(Result::is_err);
        // Before the assertion: a panic would wait for the other thread.
        over.store(true, Relaxed);
        assert!(refused.is_none(), "{refused:?}");
    });
    let _ = statsd.start_on_thread();
    flush(statsd);
    assert_balanced(&statsd.stats());
}

/// Several threads emit until they drop their handles. Any of them may drop the last one.
#[test]
fn handles_dropped_at_once_lose_nothing() {
    for _ in 0..50 {
        let receiver = TcpReceiver::start();
        let statsd = started(tcp(receiver.port()));
        let together = &Barrier::new(3);
        thread::scope(|scope| {
            for thread in 0..3 {
                let statsd = statsd.clone();
                scope.spawn(move || {
                    together.wait();
                    (0..100).for_each(|number| _ = emit_numbered(&statsd, thread, number));
                });
            }
            drop(statsd);
        });
        receiver.wait_for_lines(300);
        receiver.wait_for_end();
        let numbers = numbers_by_thread(&receiver.lines());
        assert!(numbers.values().all(|numbers| numbers.iter().copied().eq(0..100)));
    }
}

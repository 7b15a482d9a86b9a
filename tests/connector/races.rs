//! Tests of concurrent calls of every kind: emissions, starts, stops, flushes, and drops of
//! handles.

use crate::support::{
    TcpReceiver, assert_balanced, emit_numbered, flush, numbers_by_thread, started, tcp,
};
use freewheel::StartError;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// Time for which a test lets threads race, long enough for many interleavings.
const RACE_TIME: Duration = Duration::from_secs(1);

/// Each snapshot of the statistics, taken while threads emit, is consistent: the sent, lost and
/// dropped lines together are at most the emitted lines.
#[test]
fn no_line_is_sent_before_it_is_emitted() {
    let receiver = TcpReceiver::start();
    let statsd = &started(tcp(receiver.port()).queue_capacity(64 << 10));
    let is_over = &AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..3 {
            scope.spawn(move || {
                let numbers = (0..).take_while(|_| !is_over.load(Relaxed));
                numbers.for_each(|number| _ = emit_numbered(statsd, thread, number));
            });
        }
        let begun = Instant::now();
        let snapshots = std::iter::repeat_with(|| statsd.stats());
        let wrong = snapshots.take_while(|_| begun.elapsed() < RACE_TIME).find(|stats| {
            let gone = stats.sent + stats.lost() + stats.dropped();
            gone.lines > stats.emitted.lines || gone.bytes > stats.emitted.bytes
        });
        // The threads must end before the assertion, because a panic waits for them.
        is_over.store(true, Relaxed);
        assert_eq!(wrong, None);
    });
    flush(statsd);
    assert_balanced(&statsd.stats());
}

/// Threads start and stop the connector while another thread emits and flushes. A flush that
/// returns `Ok` has sent all lines, and in the end each line has arrived once and in order.
#[test]
fn starts_stops_and_flushes_at_once_lose_nothing() {
    let receiver = TcpReceiver::start();
    let statsd = &tcp(receiver.port()).build().unwrap();
    let is_over = &AtomicBool::new(false);
    let until_over = || std::iter::repeat(()).take_while(|()| !is_over.load(Relaxed));
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
            let numbers = (0..).take_while(|_| begun.elapsed() < RACE_TIME);
            let last = numbers.inspect(|&number| {
                emit_numbered(statsd, 0, number);
                if statsd.blocking_flush() == Ok(()) {
                    assert_eq!(
                        statsd.stats().sent.lines,
                        number + 1,
                        "a line was not sent by its flush"
                    );
                    flushed += 1;
                }
            });
            (last.count() as u64, flushed)
        });
        let result = emitter.join();
        // The threads must end before the assertion, because a panic waits for them.
        is_over.store(true, Relaxed);
        result.expect("the emitting thread does not panic")
    });
    assert!(flushed > 0 && flushed < numbers, "{flushed} of {numbers} flushes succeeded");
    let _ = statsd.start_on_thread();
    flush(statsd);
    receiver.wait_for_lines(numbers);
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(0..numbers));
    assert_balanced(&statsd.stats());
}

/// A thread can start the connector as soon as its own stop has returned, even while another thread
/// stops the connector repeatedly.
#[test]
fn a_start_after_a_stop_is_never_refused() {
    let receiver = TcpReceiver::start();
    let statsd = &started(tcp(receiver.port()));
    let is_over = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(move || {
            while !is_over.load(Relaxed) {
                let _ = statsd.blocking_stop();
            }
        });
        let begun = Instant::now();
        let rounds = std::iter::repeat_with(|| {
            statsd.incr("a");
            let _ = statsd.blocking_stop();
            statsd.start_on_thread()
        });
        let refused = rounds.take_while(|_| begun.elapsed() < RACE_TIME).find(Result::is_err);
        // The thread must end before the assertion, because a panic waits for it.
        is_over.store(true, Relaxed);
        assert!(refused.is_none(), "{refused:?}");
    });
    let _ = statsd.start_on_thread();
    flush(statsd);
    assert_balanced(&statsd.stats());
}

/// Several threads emit, and then drop their handles of the connector at about the same time. No
/// line is lost, no matter which thread drops the last handle.
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

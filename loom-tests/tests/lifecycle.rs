//! The hand-off's beginning and end: start, stop, flush, and the drop of handles.

use freewheel::loom_api::Exchange;
use freewheel_loom_tests::{acknowledge, check, emitter, explore, line};
use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;
use std::sync::atomic::Ordering::{Acquire, Release};

fn nobody_sleeps() {}

/// A flush is a promise: a sweep that is ordered after a line has it, whatever other threads and
/// earlier sweeps are about, be it its thread's first line, and while that thread goes on and
/// turns over its block.
#[test]
fn a_flush_has_all_that_came_before_it() {
    explore("a_flush_has_all_that_came_before_it", Some(3), 110_000, || {
        // BlockPool of one line: the next line seals the one before.
        let exchange = Exchange::new(2, 3, 1, nobody_sleeps);
        let asked = Arc::new(AtomicBool::new(false));
        let (emitting, asks) = (exchange.clone(), Arc::clone(&asked));
        let asker = thread::spawn(move || {
            emitting.emit(&line(0, 0));
            asks.store(true, Release);
            emitting.emit(&line(0, 1));
        });
        let other = emitter(&exchange, 1, 1);
        let mut flusher = exchange.consumer().expect("nobody has it");
        flusher.sweep();
        let mut received = flusher.consume();
        if asked.load(Acquire) {
            flusher.sweep();
            received.extend(flusher.consume());
            assert!(received.chunks(2).any(|pair| pair == line(0, 0)), "{received:?}");
        }
        asker.join().expect("no panic");
        other.join().expect("no panic");
        flusher.sweep();
        received.extend(flusher.consume());
        assert_eq!(acknowledge(&exchange, &received, 3), 0);
    });
}

/// One flusher stops and another starts, on another thread, while lines are emitted: at most
/// one has the lines at a time, and the second goes on where the first left off, with what
/// that one had taken and not consumed.
#[test]
fn stop_and_start() {
    explore("stop_and_start", Some(4), 60_000, || {
        let exchange = Exchange::new(4, 2, 1, nobody_sleeps);
        let writer = emitter(&exchange, 0, 3);
        let mut first = exchange.consumer().expect("nobody has it");
        assert!(exchange.consumer().is_none(), "two flushers");
        let stopping = thread::spawn(move || {
            first.sweep();
            let received = first.consume_some(2);
            drop(first);
            received
        });
        // Started while the other stops: refused, or it has all that is left.
        let early = exchange.consumer().map(|mut second| {
            second.sweep();
            second.consume()
        });
        let mut received = stopping.join().expect("no panic");
        received.extend(early.unwrap_or_default());
        writer.join().expect("no panic");
        let mut last = exchange.consumer().expect("nobody has it any more");
        last.sweep();
        received.extend(last.consume());
        assert_eq!(acknowledge(&exchange, &received, 3), 0);
    });
}

/// Of two that start at the same time, one is refused.
#[test]
fn two_starts() {
    explore("two_starts", None, 2, || {
        let exchange = Exchange::new(4, 2, 1, nobody_sleeps);
        let other = exchange.clone();
        let starter = thread::spawn(move || other.consumer());
        let here = exchange.consumer();
        let there = starter.join().expect("no panic");
        assert!(here.is_some() ^ there.is_some());
    });
}

/// The owner's handle goes, then the last emitter's or the flusher's, whichever: what was
/// emitted before the end is there, and all memory is given back once, by the last. Loom
/// reports what is left.
#[test]
fn the_last_handle_is_dropped() {
    explore("the_last_handle_is_dropped", None, 200_000, || {
        let exchange = Exchange::new(2, 2, 1, nobody_sleeps);
        let writer = emitter(&exchange, 0, 2);
        let mut flusher = exchange.consumer().expect("nobody has it");
        drop(exchange);
        flusher.sweep();
        check(&flusher.consume());
        drop(flusher);
        writer.join().expect("no panic");
    });
}

/// As before, but the flusher outlives all emitters: what they left is still there to be
/// taken, after their last handle is gone.
#[test]
fn the_flusher_outlives_all_handles() {
    explore("the_flusher_outlives_all_handles", None, 70_000, || {
        let exchange = Exchange::new(2, 2, 1, nobody_sleeps);
        let mut flusher = exchange.consumer().expect("nobody has it");
        let writer = emitter(&exchange, 0, 2);
        drop(exchange);
        flusher.sweep();
        let mut received = flusher.consume();
        writer.join().expect("no panic");
        flusher.sweep();
        received.extend(flusher.consume());
        assert_eq!(check(&received), 2);
    });
}

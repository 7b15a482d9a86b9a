//! Models of the start and stop of the flusher, of flushes, and of the drop of the last reference
//! to an exchange.

use freewheel_handoff::loom_api::Exchange;
use freewheel_loom_tests::{check, check_account, explore, line, producer};
use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;
use std::sync::atomic::Ordering::{Acquire, Release};

fn no_wake() {}

/// A flush takes every line that was emitted before the flush was requested, regardless of other
/// threads and earlier passes of the flusher. The line may be the first of its thread, and the
/// thread may go on to a new block.
#[test]
fn flush_covers_earlier_lines() {
    explore("flush_covers_earlier_lines", Some(3), 40_000, || {
        // A block holds one line, so each line seals the block of the previous line.
        let exchange = Exchange::new(2, 3, 1, no_wake);
        let requested = Arc::new(AtomicBool::new(false));
        let (emitting, requests) = (exchange.clone(), Arc::clone(&requested));
        let requester = thread::spawn(move || {
            emitting.emit(&line(0, 0));
            requests.store(true, Release);
            emitting.emit(&line(0, 1));
        });
        let other = producer(&exchange, 1, 1);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        flusher.sweep();
        let mut received = flusher.consume_all();
        if requested.load(Acquire) {
            flusher.sweep();
            received.extend(flusher.consume_all());
            assert!(received.chunks(2).any(|pair| pair == line(0, 0)), "{received:?}");
        }
        requester.join().expect("the thread does not panic");
        other.join().expect("the thread does not panic");
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert_eq!(check_account(&exchange, &received, 3), 0);
    });
}

/// A flusher that starts on another thread continues where the stopped flusher ended. It gets the
/// lines that the stopped flusher took and did not consume. At most one flusher at a time has the
/// consumer (the receiver of lines).
#[test]
fn restarted_flusher_resumes_where_it_stopped() {
    explore("restarted_flusher_resumes_where_it_stopped", Some(4), 60_000, || {
        let exchange = Exchange::new(4, 2, 1, no_wake);
        let writer = producer(&exchange, 0, 3);
        let mut first = exchange.claim_consumer().expect("no consumer exists");
        assert!(exchange.claim_consumer().is_none(), "two flushers");
        let stopping = thread::spawn(move || {
            first.sweep();
            let received = first.consume_up_to(2);
            drop(first);
            received
        });
        // This flusher starts while the other stops. It is refused, or it gets all remaining lines.
        let early = exchange.claim_consumer().map(|mut second| {
            second.sweep();
            second.consume_all()
        });
        let mut received = stopping.join().expect("the thread does not panic");
        received.extend(early.unwrap_or_default());
        writer.join().expect("the thread does not panic");
        let mut last = exchange.claim_consumer().expect("the consumer was dropped");
        last.sweep();
        received.extend(last.consume_all());
        assert_eq!(check_account(&exchange, &received, 3), 0);
    });
}

/// Two flushers start at the same time. Exactly one of them gets the consumer (the receiver of
/// lines), and the other is refused.
#[test]
fn concurrent_starts_yield_one_consumer() {
    explore("concurrent_starts_yield_one_consumer", None, 2, || {
        let exchange = Exchange::new(4, 2, 1, no_wake);
        let other = exchange.clone();
        let starter = thread::spawn(move || other.claim_consumer());
        let first = exchange.claim_consumer();
        let second = starter.join().expect("the thread does not panic");
        assert!(first.is_some() ^ second.is_some());
    });
}

/// A producer or the flusher drops the last reference to the exchange (the queue of lines), which
/// frees all memory exactly once. Lines stay intact until then, and loom reports leaks.
#[test]
fn last_handle_frees_all_memory() {
    explore("last_handle_frees_all_memory", None, 10_000, || {
        let exchange = Exchange::new(2, 2, 1, no_wake);
        let writer = producer(&exchange, 0, 2);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        drop(exchange);
        flusher.sweep();
        check(&flusher.consume_all());
        drop(flusher);
        writer.join().expect("the thread does not panic");
    });
}

/// A flusher receives all lines of a producer thread, even after this thread has ended and all
/// other references to the exchange are dropped.
#[test]
fn flusher_outlives_all_handles() {
    explore("flusher_outlives_all_handles", None, 450, || {
        let exchange = Exchange::new(2, 2, 1, no_wake);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let writer = producer(&exchange, 0, 2);
        drop(exchange);
        flusher.sweep();
        let mut received = flusher.consume_all();
        writer.join().expect("the thread does not panic");
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert_eq!(check(&received), 2);
    });
}

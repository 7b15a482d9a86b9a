//! Models of the ordered queue, which keeps the order of lines across threads.

use freewheel_handoff::loom_api::Exchange;
use freewheel_loom_tests::{Parker, Witness, check, check_account, explore, line, producer};
use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread::{self, JoinHandle};
use std::sync::atomic::Ordering::{Acquire, Release};

/// Creates an exchange with blocks of four lines, and an ordered queue of four records. One full
/// block is enough to wake the flusher.
fn exchange() -> Exchange {
    Exchange::new(8, 2, 1, || ())
}

/// Spawns a thread that emits `lines` lines through the ordered queue, each marked with the number
/// `thread`.
fn ordered_producer(exchange: &Exchange, thread: u8, lines: u8) -> JoinHandle<()> {
    let exchange = exchange.clone();
    thread::spawn(move || (0..lines).for_each(|index| exchange.emit_ordered(&line(thread, index))))
}

/// Returns the index of `line` among the received lines, or `None` if it was not received.
fn position(received: &[u8], line: [u8; 2]) -> Option<usize> {
    received.chunks(2).position(|pair| pair == line)
}

/// One thread emits a gauge and then signals a second thread, which emits a gauge too. The two
/// lines arrive in this order, even if the flusher takes lines in between, or another line goes
/// through a block.
#[test]
fn later_gauge_arrives_later() {
    static SIGNALLED: Witness = Witness::new("the second thread got the signal");
    SIGNALLED.explore("later_gauge_arrives_later", Some(3), 12_000, || {
        let (exchange, signal) = (exchange(), Arc::new(AtomicBool::new(false)));
        let (first, signals) = (exchange.clone(), Arc::clone(&signal));
        let first = thread::spawn(move || {
            first.emit(&line(0, 0));
            first.emit_ordered(&line(1, 0));
            signals.store(true, Release);
        });
        let second = exchange.clone();
        let second = thread::spawn(move || {
            let is_signalled = signal.load(Acquire);
            if is_signalled {
                second.emit_ordered(&line(2, 0));
            }
            is_signalled
        });
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        flusher.sweep();
        let mut received = flusher.consume_all();
        first.join().expect("the thread does not panic");
        let is_signalled = second.join().expect("the thread does not panic");
        flusher.sweep();
        received.extend(flusher.consume_all());
        SIGNALLED.observe(is_signalled);
        assert_eq!(check_account(&exchange, &received, 2 + u64::from(is_signalled)), 0);
        if is_signalled {
            let at = [line(1, 0), line(2, 0)].map(|line| position(&received, line));
            assert!(at[0] < at[1], "{received:?}");
        }
    });
}

/// A flush takes every record that was put into the ordered queue before the flush was requested.
/// The number of records taken is then at least the number put in before the flush began.
#[test]
fn flush_covers_earlier_records() {
    static REQUESTED: Witness = Witness::new("the flush was requested in time");
    REQUESTED.explore("flush_covers_earlier_records", Some(2), 12_000, || {
        let (exchange, requested) = (exchange(), Arc::new(AtomicBool::new(false)));
        let (emitting, requests) = (exchange.clone(), Arc::clone(&requested));
        let requester = thread::spawn(move || {
            emitting.emit_ordered(&line(0, 0));
            requests.store(true, Release);
            emitting.emit_ordered(&line(0, 1));
        });
        let other = ordered_producer(&exchange, 1, 1);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        flusher.sweep();
        let mut received = flusher.consume_all();
        if requested.load(Acquire) {
            REQUESTED.observe(true);
            let (_, awaited) = flusher.drained_and_enqueued();
            flusher.sweep();
            received.extend(flusher.consume_all());
            assert!(flusher.drained_and_enqueued().0 >= awaited);
            assert!(position(&received, line(0, 0)).is_some(), "{received:?}");
        }
        requester.join().expect("the thread does not panic");
        other.join().expect("the thread does not panic");
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert_eq!(check_account(&exchange, &received, 3), 0);
    });
}

/// A record is counted as accepted before the flusher can take it from the ordered queue.
#[test]
fn records_are_counted_before_they_are_queued() {
    explore("records_are_counted_before_they_are_queued", Some(3), 1_200, || {
        let exchange = exchange();
        let writer = ordered_producer(&exchange, 0, 2);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        flusher.sweep();
        let received = flusher.consume_all();
        let (accepted, _) = exchange.accepted_and_dropped();
        assert!(check(&received) <= accepted, "received before it was counted");
        writer.join().expect("the thread does not panic");
    });
}

/// A record for which neither the ordered queue nor a block has space is dropped, and counted once.
/// Accepted records arrive once, in the order of their thread.
#[test]
fn rejected_records_are_counted_once() {
    static FULL: Witness = Witness::new("a record was rejected");
    FULL.explore("rejected_records_are_counted_once", Some(2), 10_000, || {
        // Room for records: two blocks of one line, a held record, and four slots.
        let exchange = Exchange::new(2, 1, 1, || ());
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        ordered_producer(&exchange, 0, 6).join().expect("the thread does not panic");
        let writers = [1, 2].map(|thread| ordered_producer(&exchange, thread, 1));
        flusher.sweep();
        let mut received = flusher.consume_all();
        writers.into_iter().for_each(|writer| writer.join().expect("the thread does not panic"));
        while flusher.drained_and_enqueued().0 < flusher.drained_and_enqueued().1 {
            flusher.sweep();
            received.extend(flusher.consume_all());
        }
        flusher.sweep();
        received.extend(flusher.consume_all());
        FULL.observe(check_account(&exchange, &received, 8) > 0);
    });
}

/// A thread that fills the ordered queue while no flusher runs moves records into blocks itself, so
/// that none is dropped while blocks have space. With two more threads and a flusher, the records
/// of each thread arrive in order.
#[test]
fn producers_make_room_for_records() {
    static NONE_DROPPED: Witness = Witness::new("no record was dropped");
    NONE_DROPPED.explore("producers_make_room_for_records", Some(2), 5_000, || {
        let exchange = exchange();
        ordered_producer(&exchange, 0, 6).join().expect("the thread does not panic");
        assert_eq!(exchange.accepted_and_dropped(), (6, 0));
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let writers = [1, 2].map(|thread| ordered_producer(&exchange, thread, 1));
        flusher.sweep();
        let mut received = flusher.consume_all();
        writers.into_iter().for_each(|writer| writer.join().expect("the thread does not panic"));
        flusher.sweep();
        received.extend(flusher.consume_all());
        NONE_DROPPED.observe(check_account(&exchange, &received, 8) == 0);
    });
}

/// Records that a producer thread moved from the ordered queue into several blocks arrive in the
/// order in which they were emitted.
#[test]
fn full_blocks_of_records_keep_their_order() {
    static SEVERAL: Witness = Witness::new("one sweep took several blocks");
    SEVERAL.explore("full_blocks_of_records_keep_their_order", Some(3), 1_000, || {
        // Blocks of one line.
        let exchange = Exchange::new(2, 3, 1, || ());
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let writer = ordered_producer(&exchange, 0, 4);
        flusher.sweep();
        let mut received = flusher.consume_all();
        writer.join().expect("the thread does not panic");
        SEVERAL.observe(received.is_empty());
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert_eq!(check_account(&exchange, &received, 4), 0);
    });
}

/// A record in the ordered queue wakes a dormant flusher (parked without a timer). Loom would
/// report a lost wake-up as a deadlock.
#[test]
fn record_wakes_a_dormant_flusher() {
    static DORMANT: Witness = Witness::new("the flusher was dormant");
    DORMANT.explore("record_wakes_a_dormant_flusher", Some(3), 1_800, || {
        let parker = Arc::new(Parker::default());
        let waker = Arc::clone(&parker);
        let exchange = Exchange::with_dormancy(8, 1, move || waker.wake());
        let writer = ordered_producer(&exchange, 0, 2);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let mut received = Vec::new();
        while received.len() < 4 {
            flusher.sweep();
            received.extend(flusher.consume_all());
            if received.len() < 4 && flusher.try_enter_dormant() {
                parker.park();
                DORMANT.observe(true);
            }
        }
        writer.join().expect("the thread does not panic");
        assert_eq!(check_account(&exchange, &received, 2), 0);
    });
}

/// A flusher does not become dormant (park without a timer) while one record is in the ordered
/// queue and another has been moved from there into a block.
#[test]
fn moved_record_prevents_dormancy() {
    explore("moved_record_prevents_dormancy", None, 1, || {
        let exchange = Exchange::with_dormancy(8, 1, || ());
        let flusher = exchange.claim_consumer().expect("no consumer exists");
        (0..2).for_each(|index| exchange.emit_ordered(&line(0, index)));
        assert!(!flusher.try_enter_dormant(), "dormant despite a moved record");
    });
}

/// A flusher that cannot send, and parks without a timer, is woken until it has taken every record
/// of the ordered queue. Loom would report a lost wake-up as a deadlock.
#[test]
fn record_wakes_a_parked_flusher() {
    explore("record_wakes_a_parked_flusher", Some(2), 7_000, || {
        let parker = Arc::new(Parker::default());
        let waker = Arc::clone(&parker);
        let exchange = Exchange::new(8, 2, 1, move || waker.wake());
        let writers = [0, 1].map(|thread| ordered_producer(&exchange, thread, 1));
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        while flusher.drained_and_enqueued().0 < 2 {
            if flusher.prepare_park() {
                parker.park();
            }
            flusher.drain_ordered();
        }
        writers.into_iter().for_each(|writer| writer.join().expect("the thread does not panic"));
        assert_eq!(check_account(&exchange, &flusher.consume_all(), 2), 0);
    });
}

/// A flusher that stops leaves the records that it has taken from the ordered queue, and the
/// part-filled block of records, to the next flusher. No record is lost.
#[test]
fn drained_records_outlive_a_stop() {
    explore("drained_records_outlive_a_stop", Some(2), 6_000, || {
        let exchange = exchange();
        let writer = ordered_producer(&exchange, 0, 3);
        let counting = producer(&exchange, 1, 1);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        flusher.sweep();
        let mut received = flusher.consume_up_to(2);
        drop(flusher);
        writer.join().expect("the thread does not panic");
        counting.join().expect("the thread does not panic");
        let mut flusher = exchange.claim_consumer().expect("the consumer was dropped");
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert_eq!(check_account(&exchange, &received, 4), 0);
    });
}

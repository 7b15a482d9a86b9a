//! The ordered queue: what keeps its order across threads.

use freewheel::model::Exchange;
use freewheel_loom_tests::{Bed, Witness, check, emitter, explore, line, settle};
use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread::{self, JoinHandle};
use std::sync::atomic::Ordering::{Acquire, Release};

/// Blocks of four lines, and an ordered queue of four records, each of which rings.
fn exchange() -> Exchange {
    Exchange::new(8, 2, 1, || ())
}

/// A thread that emits so many lines in order.
fn ordered_emitter(exchange: &Exchange, thread: u8, lines: u8) -> JoinHandle<()> {
    let exchange = exchange.clone();
    thread::spawn(move || (0..lines).for_each(|index| exchange.emit_ordered(&line(thread, index))))
}

fn position(received: &[u8], line: [u8; 2]) -> Option<usize> {
    received.chunks(2).position(|pair| pair == line)
}

/// One thread sets a gauge and tells another, which sets it after that: they arrive in this order,
/// whatever sweeps come between, and though each thread has lines of its own under way.
#[test]
fn the_later_gauge_arrives_later() {
    static TOLD: Witness = Witness::of("the second thread was told");
    TOLD.explore("the_later_gauge_arrives_later", Some(3), 12_000, || {
        let (exchange, told) = (exchange(), Arc::new(AtomicBool::new(false)));
        let (first, tells) = (exchange.clone(), Arc::clone(&told));
        let first = thread::spawn(move || {
            first.emit(&line(0, 0));
            first.emit_ordered(&line(1, 0));
            tells.store(true, Release);
        });
        let second = exchange.clone();
        let second = thread::spawn(move || {
            let is_told = told.load(Acquire);
            if is_told {
                second.emit_ordered(&line(2, 0));
            }
            is_told
        });
        let mut flusher = exchange.collector().expect("nobody has it");
        flusher.sweep();
        let mut received = flusher.consume();
        first.join().expect("no panic");
        let is_told = second.join().expect("no panic");
        flusher.sweep();
        received.extend(flusher.consume());
        TOLD.look(is_told);
        assert_eq!(settle(&exchange, &received, 2 + u64::from(is_told)), 0);
        if is_told {
            let at = [line(1, 0), line(2, 0)].map(|line| position(&received, line));
            assert!(at[0] < at[1], "{received:?}");
        }
    });
}

/// A flush waits until as many records were gathered as there were when it was called: among them
/// is what was emitted before it.
#[test]
fn a_flush_has_the_records_that_came_before_it() {
    static ASKED: Witness = Witness::of("it was asked in time");
    ASKED.explore("a_flush_has_the_records_that_came_before_it", Some(2), 12_000, || {
        let (exchange, asked) = (exchange(), Arc::new(AtomicBool::new(false)));
        let (emitting, asks) = (exchange.clone(), Arc::clone(&asked));
        let asker = thread::spawn(move || {
            emitting.emit_ordered(&line(0, 0));
            asks.store(true, Release);
            emitting.emit_ordered(&line(0, 1));
        });
        let other = ordered_emitter(&exchange, 1, 1);
        let mut flusher = exchange.collector().expect("nobody has it");
        flusher.sweep();
        let mut received = flusher.consume();
        if asked.load(Acquire) {
            ASKED.look(true);
            let (_, awaited) = flusher.gathered_and_enqueued();
            flusher.sweep();
            received.extend(flusher.consume());
            assert!(flusher.gathered_and_enqueued().0 >= awaited);
            assert!(position(&received, line(0, 0)).is_some(), "{received:?}");
        }
        asker.join().expect("no panic");
        other.join().expect("no panic");
        flusher.sweep();
        received.extend(flusher.consume());
        assert_eq!(settle(&exchange, &received, 3), 0);
    });
}

/// An ordered line is counted before the flusher can have it.
#[test]
fn count_before_enqueuing() {
    explore("count_before_enqueuing", Some(3), 1_200, || {
        let exchange = exchange();
        let writer = ordered_emitter(&exchange, 0, 2);
        let mut flusher = exchange.collector().expect("nobody has it");
        flusher.sweep();
        let received = flusher.consume();
        let (accepted, _) = exchange.accepted_and_dropped();
        assert!(check(&received) <= accepted, "received before it was counted");
        writer.join().expect("no panic");
    });
}

/// What finds neither room in the queue nor a block is dropped and counted once, and what is accepted
/// arrives once, in its thread's order.
#[test]
fn records_that_find_no_room_are_counted() {
    static FULL: Witness = Witness::of("there was no room");
    FULL.explore("records_that_find_no_room_are_counted", Some(2), 10_000, || {
        // Blocks of one line: two of those, a record that waits for one, and four slots.
        let exchange = Exchange::new(2, 1, 1, || ());
        let mut flusher = exchange.collector().expect("nobody has it");
        ordered_emitter(&exchange, 0, 6).join().expect("no panic");
        let writers = [1, 2].map(|thread| ordered_emitter(&exchange, thread, 1));
        flusher.sweep();
        let mut received = flusher.consume();
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        while flusher.gathered_and_enqueued().0 < flusher.gathered_and_enqueued().1 {
            flusher.sweep();
            received.extend(flusher.consume());
        }
        flusher.sweep();
        received.extend(flusher.consume());
        FULL.look(settle(&exchange, &received, 8) > 0);
    });
}

/// A thread that fills the queue moves what is in it into blocks, while no flusher does: nothing is dropped
/// while these have room. Two do, and a flusher beside them: each thread's order is kept.
#[test]
fn threads_make_room_for_records() {
    static BESIDE: Witness = Witness::of("it had room beside the others");
    BESIDE.explore("threads_make_room_for_records", Some(2), 5_000, || {
        let exchange = exchange();
        ordered_emitter(&exchange, 0, 6).join().expect("no panic");
        assert_eq!(exchange.accepted_and_dropped(), (6, 0));
        let mut flusher = exchange.collector().expect("nobody has it");
        let writers = [1, 2].map(|thread| ordered_emitter(&exchange, thread, 1));
        flusher.sweep();
        let mut received = flusher.consume();
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        flusher.sweep();
        received.extend(flusher.consume());
        BESIDE.look(settle(&exchange, &received, 8) == 0);
    });
}

/// Records that threads moved into several blocks arrive in the order in which they were emitted.
#[test]
fn full_blocks_of_records_keep_their_order() {
    static SEVERAL: Witness = Witness::of("one sweep took several blocks");
    SEVERAL.explore("full_blocks_of_records_keep_their_order", Some(3), 1_000, || {
        // Blocks of one line.
        let exchange = Exchange::new(2, 3, 1, || ());
        let mut flusher = exchange.collector().expect("nobody has it");
        let writer = ordered_emitter(&exchange, 0, 4);
        flusher.sweep();
        let mut received = flusher.consume();
        writer.join().expect("no panic");
        SEVERAL.look(received.is_empty());
        flusher.sweep();
        received.extend(flusher.consume());
        assert_eq!(settle(&exchange, &received, 4), 0);
    });
}

/// A dormant flusher hears of an ordered line too.
#[test]
fn an_ordered_line_wakes_the_dormant() {
    static DORMANT: Witness = Witness::of("it lay dormant");
    DORMANT.explore("an_ordered_line_wakes_the_dormant", Some(3), 3_800, || {
        let bed = Arc::new(Bed::default());
        let waker = Arc::clone(&bed);
        let exchange = Exchange::with_dormancy(8, 1, move || waker.wake());
        let writer = ordered_emitter(&exchange, 0, 2);
        let mut flusher = exchange.collector().expect("nobody has it");
        let mut received = Vec::new();
        while received.len() < 4 {
            flusher.sweep();
            received.extend(flusher.consume());
            if received.len() < 4 && flusher.lie_down() {
                bed.sleep();
                DORMANT.look(true);
            }
        }
        writer.join().expect("no panic");
        assert_eq!(settle(&exchange, &received, 2), 0);
    });
}

/// Who moved a record did so before the flusher lay down: it is not in the queue any more, and keeps the
/// flusher up nevertheless.
#[test]
fn a_moved_record_keeps_the_flusher_up() {
    explore("a_moved_record_keeps_the_flusher_up", None, 1, || {
        let exchange = Exchange::with_dormancy(8, 1, || ());
        let flusher = exchange.collector().expect("nobody has it");
        (0..2).for_each(|index| exchange.emit_ordered(&line(0, index)));
        assert!(!flusher.lie_down(), "dormant beside what was moved");
    });
}

/// A flusher that sleeps until it is woken, and can send nothing, gathers every record: no wake-up is lost,
/// or loom would report a deadlock.
#[test]
fn a_record_wakes_who_sleeps() {
    explore("a_record_wakes_who_sleeps", Some(2), 7_000, || {
        let bed = Arc::new(Bed::default());
        let waker = Arc::clone(&bed);
        let exchange = Exchange::new(8, 2, 1, move || waker.wake());
        let writers = [0, 1].map(|thread| ordered_emitter(&exchange, thread, 1));
        let mut flusher = exchange.collector().expect("nobody has it");
        while flusher.gathered_and_enqueued().0 < 2 {
            if flusher.fall_asleep() {
                bed.sleep();
            }
            flusher.gather();
        }
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        assert_eq!(settle(&exchange, &flusher.consume(), 2), 0);
    });
}

/// A flusher that stops leaves what it gathered, and the block that it is in the midst of, to the
/// next.
#[test]
fn what_was_gathered_is_left_to_the_next() {
    explore("what_was_gathered_is_left_to_the_next", Some(2), 6_000, || {
        let exchange = exchange();
        let writer = ordered_emitter(&exchange, 0, 3);
        let counting = emitter(&exchange, 1, 1);
        let mut flusher = exchange.collector().expect("nobody has it");
        flusher.sweep();
        let mut received = flusher.consume_some(2);
        drop(flusher);
        writer.join().expect("no panic");
        counting.join().expect("no panic");
        let mut flusher = exchange.collector().expect("nobody has it any more");
        flusher.sweep();
        received.extend(flusher.consume());
        assert_eq!(settle(&exchange, &received, 4), 0);
    });
}

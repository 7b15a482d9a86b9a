//! The hand-off between emitting threads and the flusher.

use freewheel::loom_api::{Exchange, Sent, block};
use freewheel_loom_tests::{Witness, acknowledge, check, emitter, explore, line};
use loom::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::thread;
use std::sync::atomic::Ordering::Relaxed;

fn nobody_sleeps() {}

/// A block by itself, read while it is written: who sees the length sees the bytes. Loom
/// reports a race otherwise.
///
/// Pairs `BlockWriter::append`'s Release with `BlockView::published`'s Acquire.
#[test]
fn publish_and_read() {
    explore("publish_and_read", None, 600, || {
        let (mut pen, view) = block(8);
        let writer = thread::spawn(move || (0..3).for_each(|index| pen.append(&line(0, index))));
        for _ in 0..2 {
            check(view.bytes());
        }
        writer.join().expect("no panic");
        assert_eq!(check(view.bytes()), 3);
    });
}

/// A part-filled block is swept while it is written, and consumed in two parts: what arrives are
/// whole lines, in order.
#[test]
fn sweep_a_part_filled_block() {
    explore("sweep_a_part_filled_block", None, 500, || {
        let exchange = Exchange::new(8, 2, 1, nobody_sleeps);
        let writer = emitter(&exchange, 0, 3);
        let mut flusher = exchange.consumer().expect("nobody has it");
        let mut received = Vec::new();
        for _ in 0..2 {
            flusher.sweep();
            received.extend(flusher.consume_some(2));
            received.extend(flusher.consume());
            check(&received);
        }
        writer.join().expect("no panic");
        flusher.sweep();
        received.extend(flusher.consume());
        assert_eq!(acknowledge(&exchange, &received, 3), 0);
    });
}

/// A line is counted before it is published: the account never has more sent than emitted.
#[test]
fn count_before_publishing() {
    explore("count_before_publishing", None, 800, || {
        let exchange = Exchange::new(8, 2, 1, nobody_sleeps);
        let writer = emitter(&exchange, 0, 2);
        let mut flusher = exchange.consumer().expect("nobody has it");
        flusher.sweep();
        let received = flusher.consume();
        let (accepted, _) = exchange.accepted_and_dropped();
        assert!(check(&received) <= accepted, "received before it was counted");
        writer.join().expect("no panic");
    });
}

/// The account, read by anybody at any time, never has more sent than emitted, neither lines nor
/// bytes: who reads that something was sent sees what the flusher saw before. The tally by
/// itself, since a sweep has a fence inside that would hide a missing ordering.
///
/// Pairs `SingleWriterTally::add`'s Release with `SingleWriterTally::read`'s Acquire.
#[test]
fn sent_is_not_before_emitted() {
    explore("sent_is_not_before_emitted", None, 150, || {
        let (sent, emitted) = (Sent::default(), Arc::new(AtomicU64::new(0)));
        let (sending, emitting) = (sent.clone(), Arc::clone(&emitted));
        let flusher = thread::spawn(move || {
            for lines in 1..3 {
                emitting.store(lines, Relaxed);
                sending.add(1);
            }
        });
        let (lines, bytes) = sent.read();
        let emitted = emitted.load(Relaxed);
        assert!(lines <= emitted, "{lines} lines sent, {emitted} emitted");
        assert!(bytes <= 2 * emitted, "{bytes} bytes sent, {emitted} lines emitted");
        flusher.join().expect("no panic");
    });
}

/// Lines of one thread arrive in order however its blocks are sealed while they are swept,
/// and a block is reused while the flusher goes on.
#[test]
fn seal_and_sweep_order() {
    static SEALED_AND_REUSED: Witness =
        Witness::of("a sweep found a full block and a newer line, and the block was used again");
    SEALED_AND_REUSED.explore("seal_and_sweep_order", Some(4), 140_000, || {
        // BlockPool of two lines, of which the flusher must give one back for the fifth.
        let exchange = Exchange::new(4, 1, 1, nobody_sleeps);
        let writer = emitter(&exchange, 0, 5);
        let mut flusher = exchange.consumer().expect("nobody has it");
        let (mut received, mut found_both) = (Vec::new(), false);
        for _ in 0..2 {
            flusher.sweep();
            let swept = flusher.consume();
            found_both |= swept.len() > 4;
            received.extend(swept);
        }
        writer.join().expect("no panic");
        flusher.sweep();
        received.extend(flusher.consume());
        let dropped = acknowledge(&exchange, &received, 5);
        SEALED_AND_REUSED.look(found_both && dropped == 0);
    });
}

/// Two threads and fewer blocks than lines: what is not accepted is counted, and what is
/// accepted arrives, exactly once. And once all was consumed, there is room again.
#[test]
fn drop_on_full() {
    static REUSED: Witness = Witness::of("a block was used again");
    REUSED.explore("drop_on_full", Some(7), 75_000, || {
        // BlockPool of one line. Each thread brings one; one more is shared.
        let exchange = Exchange::new(2, 1, 1, nobody_sleeps);
        let writer = emitter(&exchange, 0, 2);
        let mut flusher = exchange.consumer().expect("nobody has it");
        (0..2).for_each(|index| exchange.emit(&line(1, index)));
        flusher.sweep();
        let mut received = flusher.consume();
        writer.join().expect("no panic");
        flusher.sweep();
        received.extend(flusher.consume());
        let dropped = acknowledge(&exchange, &received, 4);
        assert!(dropped <= 2, "a thread's own block and the shared one hold two lines at least");
        exchange.emit(&line(1, 2));
        let (accepted, still_dropped) = exchange.accepted_and_dropped();
        assert_eq!(still_dropped, dropped, "a block was not given back");
        // Three blocks, of one line each.
        REUSED.look(accepted > 3);
    });
}

/// No more blocks are made than there may be, whoever takes the last: two threads are after it.
#[test]
fn the_last_block_is_given_out_once() {
    explore("the_last_block_is_given_out_once", None, 60_000, || {
        // BlockPool of one line. Beside each thread's own, two are shared; three are wanted.
        let exchange = Exchange::new(2, 2, 9, nobody_sleeps);
        // Before the other thread begins: or this one could inherit its block.
        exchange.emit(&line(1, 0));
        let writer = emitter(&exchange, 0, 2);
        (1..3).for_each(|index| exchange.emit(&line(1, index)));
        writer.join().expect("no panic");
        assert_eq!(exchange.accepted_and_dropped(), (4, 1));
    });
}

/// A thread ends, and the next one takes its place with what is left in its block: nothing
/// is lost, and the order of the place is kept.
///
/// Pairs `CurrentBlock::show`'s Release with `CurrentBlock::look`'s Acquire.
#[test]
fn a_place_is_reused() {
    static INHERITED: Witness = Witness::of("a thread went on in another's block");
    INHERITED.explore("a_place_is_reused", Some(6), 90_000, || {
        let exchange = Exchange::new(4, 2, 1, nobody_sleeps);
        let mut flusher = exchange.consumer().expect("nobody has it");
        let emitting = exchange.clone();
        let threads = thread::spawn(move || {
            emitter(&emitting, 0, 1).join().expect("no panic");
            emitter(&emitting, 1, 2).join().expect("no panic");
        });
        flusher.sweep();
        let mut received = flusher.consume();
        threads.join().expect("no panic");
        // Two lines fill a block, and the third was emitted.
        INHERITED.look(exchange.sealed() == 1);
        flusher.sweep();
        received.extend(flusher.consume());
        assert_eq!(acknowledge(&exchange, &received, 3), 0);
    });
}

/// A thread inherits from one that ended, and nothing else orders the two: neither a join nor a
/// queue. What the first had to itself is the second's.
#[test]
fn an_heir_comes_after_the_dead() {
    static INHERITED: Witness = Witness::of("a thread inherited");
    INHERITED.explore("an_heir_comes_after_the_dead", None, 70, || {
        // BlockPool of one line: the second line of a place seals the first.
        let exchange = Exchange::new(2, 2, 1, nobody_sleeps);
        let threads = [emitter(&exchange, 0, 1), emitter(&exchange, 1, 1)];
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        INHERITED.look(exchange.sealed() == 1);
        let mut flusher = exchange.consumer().expect("nobody has it");
        flusher.sweep();
        assert_eq!(acknowledge(&exchange, &flusher.consume(), 2), 0);
    });
}

/// A block that one thread filled is written by another as soon as its last byte was consumed,
/// while the flusher still has glimpses of it: no byte is read while it is written, and nothing
/// is taken twice or left out.
#[test]
fn a_block_is_reused_by_another_thread() {
    static REUSED: Witness = Witness::of("a block was used again");
    REUSED.explore("a_block_is_reused_by_another_thread", Some(2), 15_000, || {
        // BlockPool of one line. Beside each thread's own, one that both are after.
        let exchange = Exchange::new(2, 1, 1, nobody_sleeps);
        let writers = [emitter(&exchange, 0, 2), emitter(&exchange, 1, 2)];
        let mut flusher = exchange.consumer().expect("nobody has it");
        let mut received = Vec::new();
        for _ in 0..2 {
            flusher.sweep();
            received.extend(flusher.consume());
        }
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        flusher.sweep();
        received.extend(flusher.consume());
        let dropped = acknowledge(&exchange, &received, 4);
        // Three blocks, of one line each.
        REUSED.look(dropped == 0);
    });
}

/// What is in flight stays as it is, however long it takes to arrive: its blocks go back to the
/// threads when their last byte was settled, and not before, though one that is sealed and swept
/// is wanted. And a flusher that stops leaves it to the next, which has it from the first line that
/// was not settled.
#[test]
fn what_is_in_flight_keeps_its_block() {
    static REUSED: Witness = Witness::of("a block was used again");
    REUSED.explore("what_is_in_flight_keeps_its_block", Some(4), 130_000, || {
        // BlockPool of two lines. The fifth line needs the first block again.
        let exchange = Exchange::new(4, 1, 1, nobody_sleeps);
        let writer = emitter(&exchange, 0, 5);
        let mut flusher = exchange.consumer().expect("nobody has it");
        flusher.sweep();
        flusher.give();
        let given = flusher.in_flight();
        let (arrived, under_way) = given.split_at(given.len().min(2));
        flusher.acknowledge(arrived.len());
        assert_eq!(flusher.in_flight(), under_way);
        drop(flusher);
        let mut received = arrived.to_vec();
        let mut flusher = exchange.consumer().expect("nobody has it any more");
        flusher.sweep();
        received.extend(flusher.consume());
        assert!(received.starts_with(&given), "{received:?} after {given:?}");
        writer.join().expect("no panic");
        flusher.sweep();
        received.extend(flusher.consume());
        REUSED.look(acknowledge(&exchange, &received, 5) == 0);
    });
}

/// The oldest lines make room: the block of what was evicted goes to a thread that wants it,
/// unless a line of it is in flight, which nobody writes over.
#[test]
fn the_oldest_make_room() {
    static REUSED: Witness = Witness::of("a block was used again");
    REUSED.explore("the_oldest_make_room", None, 10_000, || evict_to_limit(true, &REUSED));
}

/// What the link has begun with, though it was not given yet, is not evicted either.
#[test]
fn what_the_link_has_begun_is_not_displaced() {
    static REUSED: Witness = Witness::of("a block was used again");
    let model = || evict_to_limit(false, &REUSED);
    REUSED.explore("what_the_link_has_begun_is_not_displaced", None, 10_000, model);
}

/// Around a first line that is in flight, or that the link has begun with.
fn evict_to_limit(is_given: bool, reused: &Witness) {
    // BlockPool of two lines. Two beside each thread's own.
    let exchange = Exchange::new(4, 2, 1, nobody_sleeps);
    let mut flusher = exchange.consumer().expect("nobody has it");
    let first = line(1, 0);
    exchange.emit(&first);
    flusher.sweep();
    if is_given {
        flusher.give();
    }
    // Displaced: the rest of the first block, and the whole of the second.
    (1..5).for_each(|index| exchange.emit(&line(1, index)));
    let writer = emitter(&exchange, 0, 3);
    flusher.sweep();
    let evicted = flusher.evict(if is_given { 0 } else { first.len() });
    check(&evicted);
    if !is_given {
        flusher.give();
    }
    assert_eq!(flusher.in_flight(), first, "written over, or evicted");
    writer.join().expect("no panic");
    flusher.acknowledge(first.len());
    flusher.sweep();
    let received = [first.to_vec(), evicted, flusher.consume()].concat();
    reused.look(acknowledge(&exchange, &received, 8) == 0);
}

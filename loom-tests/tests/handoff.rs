//! Models of the hand-off between producer threads and the flusher.

use freewheel_handoff::loom_api::{Exchange, Sent, block};
use freewheel_loom_tests::{Witness, check, check_account, explore, line, producer};
use loom::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::thread;
use std::sync::atomic::Ordering::Relaxed;

fn no_wake() {}

/// A thread that reads a block while another writes it, and sees its length, also sees the bytes up
/// to this length. Loom reports a race otherwise.
///
/// Pairs `BlockWriter::append`'s Release with `BlockView::published`'s Acquire.
#[test]
fn publish_and_read() {
    explore("publish_and_read", None, 600, || {
        let (mut writer, view) = block(8);
        let thread = thread::spawn(move || (0..3).for_each(|index| writer.append(&line(0, index))));
        for _ in 0..2 {
            check(view.bytes());
        }
        thread.join().expect("the thread does not panic");
        assert_eq!(check(view.bytes()), 3);
    });
}

/// Lines of a part-filled block arrive whole, once and in order, although the block is swept during
/// writes and consumed in parts.
#[test]
fn part_filled_block_is_swept_in_order() {
    explore("part_filled_block_is_swept_in_order", None, 500, || {
        let exchange = Exchange::new(8, 2, 1, no_wake);
        let writer = producer(&exchange, 0, 3);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let mut received = Vec::new();
        for _ in 0..2 {
            flusher.sweep();
            received.extend(flusher.consume_up_to(2));
            received.extend(flusher.consume_all());
            check(&received);
        }
        writer.join().expect("the thread does not panic");
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert_eq!(check_account(&exchange, &received, 3), 0);
    });
}

/// A line is counted before it is published, so that the statistics never have more lines sent than
/// emitted.
#[test]
fn lines_are_counted_before_they_are_published() {
    explore("lines_are_counted_before_they_are_published", None, 800, || {
        let exchange = Exchange::new(8, 2, 1, no_wake);
        let writer = producer(&exchange, 0, 2);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        flusher.sweep();
        let received = flusher.consume_all();
        let (accepted, _) = exchange.accepted_and_dropped();
        assert!(check(&received) <= accepted, "received before it was counted");
        writer.join().expect("the thread does not panic");
    });
}

/// Any thread that reads the statistics at any time finds no more lines or bytes sent than emitted.
/// The model tests only the tally, because a fence in the sweep would hide a missing ordering.
///
/// Pairs `SingleWriterTally::add`'s Release with `SingleWriterTally::read`'s Acquire.
#[test]
fn sent_never_exceeds_emitted() {
    explore("sent_never_exceeds_emitted", None, 150, || {
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
        flusher.join().expect("the thread does not panic");
    });
}

/// Lines of one thread arrive in order while its blocks are sealed, swept and reused.
#[test]
fn rotation_keeps_the_order_of_lines() {
    static SEALED_AND_REUSED: Witness =
        Witness::new("a sweep found a full block and a newer line, and the block was reused");
    SEALED_AND_REUSED.explore("rotation_keeps_the_order_of_lines", Some(4), 40_000, || {
        // A block holds two lines. The flusher must release a block before the fifth line fits.
        let exchange = Exchange::new(4, 1, 1, no_wake);
        let writer = producer(&exchange, 0, 5);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let (mut received, mut found_both) = (Vec::new(), false);
        for _ in 0..2 {
            flusher.sweep();
            let swept = flusher.consume_all();
            found_both |= swept.len() > 4;
            received.extend(swept);
        }
        writer.join().expect("the thread does not panic");
        flusher.sweep();
        received.extend(flusher.consume_all());
        let dropped = check_account(&exchange, &received, 5);
        SEALED_AND_REUSED.observe(found_both && dropped == 0);
    });
}

/// If two threads emit more lines than the blocks hold, rejected lines are counted, and accepted
/// lines arrive exactly once. After all lines are consumed, there is room again.
#[test]
fn full_capacity_drops_are_counted() {
    static REUSED: Witness = Witness::new("a block was reused");
    REUSED.explore("full_capacity_drops_are_counted", Some(7), 75_000, || {
        // A block holds one line. Each thread has a block, and one more is shared.
        let exchange = Exchange::new(2, 1, 1, no_wake);
        let writer = producer(&exchange, 0, 2);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        (0..2).for_each(|index| exchange.emit(&line(1, index)));
        flusher.sweep();
        let mut received = flusher.consume_all();
        writer.join().expect("the thread does not panic");
        flusher.sweep();
        received.extend(flusher.consume_all());
        let dropped = check_account(&exchange, &received, 4);
        assert!(dropped <= 2, "a thread's own block and the shared one hold two lines at least");
        exchange.emit(&line(1, 2));
        let (accepted, still_dropped) = exchange.accepted_and_dropped();
        assert_eq!(still_dropped, dropped, "a block did not become free");
        // There are three blocks of one line each.
        REUSED.observe(accepted > 3);
    });
}

/// Of two threads that compete for the last block within the budget, exactly one gets it. The line
/// of the other is dropped.
#[test]
fn last_block_is_allocated_once() {
    explore("last_block_is_allocated_once", None, 60_000, || {
        // A block holds one line. Each thread has a block, two more are shared, and three more are
        // needed.
        let exchange = Exchange::new(2, 2, 9, no_wake);
        // This line is emitted before the other thread begins. Otherwise this thread could reuse
        // the slot and the block of the other.
        exchange.emit(&line(1, 0));
        let writer = producer(&exchange, 0, 2);
        (1..3).for_each(|index| exchange.emit(&line(1, index)));
        writer.join().expect("the thread does not panic");
        assert_eq!(exchange.accepted_and_dropped(), (4, 1));
    });
}

/// A thread that reuses the slot and the part-filled block of an exited thread loses no line. The
/// lines of both threads stay in order.
///
/// Pairs `CurrentBlock::set`'s Release with `CurrentBlock::get`'s Acquire.
#[test]
fn reused_slot_keeps_its_lines_in_order() {
    static REUSED_SLOT: Witness = Witness::new("a thread continued in the block of another");
    REUSED_SLOT.explore("reused_slot_keeps_its_lines_in_order", Some(6), 90_000, || {
        let exchange = Exchange::new(4, 2, 1, no_wake);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let emitting = exchange.clone();
        let threads = thread::spawn(move || {
            producer(&emitting, 0, 1).join().expect("the thread does not panic");
            producer(&emitting, 1, 2).join().expect("the thread does not panic");
        });
        flusher.sweep();
        let mut received = flusher.consume_all();
        threads.join().expect("the thread does not panic");
        // Two lines fill a block, and the third line sealed it.
        REUSED_SLOT.observe(exchange.sealed_blocks() == 1);
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert_eq!(check_account(&exchange, &received, 3), 0);
    });
}

/// A thread that reuses the slot of an exited thread sees all writes of that thread to the slot.
/// This holds even if no join or queue orders the two threads.
#[test]
fn slot_reuse_happens_after_thread_exit() {
    static REUSED_SLOT: Witness = Witness::new("a thread reused a slot");
    REUSED_SLOT.explore("slot_reuse_happens_after_thread_exit", None, 70, || {
        // A block holds one line, so the second line of a slot seals the first block.
        let exchange = Exchange::new(2, 2, 1, no_wake);
        let threads = [producer(&exchange, 0, 1), producer(&exchange, 1, 1)];
        threads.into_iter().for_each(|thread| thread.join().expect("the thread does not panic"));
        REUSED_SLOT.observe(exchange.sealed_blocks() == 1);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        flusher.sweep();
        assert_eq!(check_account(&exchange, &flusher.consume_all(), 2), 0);
    });
}

/// Another thread can reuse a consumed block while the flusher still has views of the block. No
/// byte is read while it is written, and none is swept twice or skipped.
#[test]
fn recycled_block_is_reused_without_races() {
    static REUSED: Witness = Witness::new("a block was reused");
    REUSED.explore("recycled_block_is_reused_without_races", Some(2), 15_000, || {
        // A block holds one line. Each thread has a block, and both compete for one more.
        let exchange = Exchange::new(2, 1, 1, no_wake);
        let writers = [producer(&exchange, 0, 2), producer(&exchange, 1, 2)];
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let mut received = Vec::new();
        for _ in 0..2 {
            flusher.sweep();
            received.extend(flusher.consume_all());
        }
        writers.into_iter().for_each(|writer| writer.join().expect("the thread does not panic"));
        flusher.sweep();
        received.extend(flusher.consume_all());
        let dropped = check_account(&exchange, &received, 4);
        // There are three blocks of one line each.
        REUSED.observe(dropped == 0);
    });
}

/// Bytes in flight stay intact until they are acknowledged. Their blocks return to the threads
/// after the last byte is acknowledged, and not before. A stopped flusher leaves the bytes to the
/// next one, which starts with the first unacknowledged line.
#[test]
fn bytes_in_flight_keep_their_block() {
    static REUSED: Witness = Witness::new("a block was reused");
    REUSED.explore("bytes_in_flight_keep_their_block", Some(4), 130_000, || {
        // A block holds two lines. The fifth line needs the first block again.
        let exchange = Exchange::new(4, 1, 1, no_wake);
        let writer = producer(&exchange, 0, 5);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        flusher.sweep();
        flusher.mark_all_sent();
        let sent = flusher.in_flight();
        let (arrived, in_flight) = sent.split_at(sent.len().min(2));
        flusher.acknowledge(arrived.len());
        assert_eq!(flusher.in_flight(), in_flight);
        drop(flusher);
        let mut received = arrived.to_vec();
        let mut flusher = exchange.claim_consumer().expect("the consumer was dropped");
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert!(received.starts_with(&sent), "{received:?} after {sent:?}");
        writer.join().expect("the thread does not panic");
        flusher.sweep();
        received.extend(flusher.consume_all());
        REUSED.observe(check_account(&exchange, &received, 5) == 0);
    });
}

/// Eviction gives the block of the oldest lines to a thread that needs it. A block with a line
/// in flight is kept, and not overwritten.
#[test]
fn eviction_frees_the_oldest_blocks() {
    static REUSED: Witness = Witness::new("a block was reused");
    REUSED.explore("eviction_frees_the_oldest_blocks", None, 1_200, || {
        evict_after_first_line(true, &REUSED)
    });
}

/// Bytes that the link has begun to send are not evicted, although they are not marked as sent yet.
#[test]
fn committed_bytes_are_not_evicted() {
    static REUSED: Witness = Witness::new("a block was reused");
    let model = || evict_after_first_line(false, &REUSED);
    REUSED.explore("committed_bytes_are_not_evicted", None, 1_200, model);
}

/// Checks that the first of several lines stays intact while all others are evicted. That line is
/// in flight if `is_sent`, and otherwise the link has begun to send it.
fn evict_after_first_line(is_sent: bool, reused: &Witness) {
    // A block holds two lines. Each thread has a block, and two more are shared.
    let exchange = Exchange::new(4, 2, 1, no_wake);
    let mut flusher = exchange.claim_consumer().expect("no consumer exists");
    let first = line(1, 0);
    exchange.emit(&first);
    flusher.sweep();
    if is_sent {
        flusher.mark_all_sent();
    }
    // The second line of the first block is evicted later, and so is the whole second block.
    (1..5).for_each(|index| exchange.emit(&line(1, index)));
    let writer = producer(&exchange, 0, 3);
    flusher.sweep();
    let evicted = flusher.evict_all(if is_sent { 0 } else { first.len() });
    check(&evicted);
    if !is_sent {
        flusher.mark_all_sent();
    }
    assert_eq!(flusher.in_flight(), first, "overwritten or evicted");
    writer.join().expect("the thread does not panic");
    flusher.acknowledge(first.len());
    flusher.sweep();
    let received = [first.to_vec(), evicted, flusher.consume_all()].concat();
    reused.observe(check_account(&exchange, &received, 8) == 0);
}

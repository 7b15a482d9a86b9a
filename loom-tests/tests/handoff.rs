//! Models of how lines pass from producer threads to the flusher: publication, reuse of blocks,
//! drops, and lines in flight.

use freewheel_handoff::loom_api::{Exchange, Sent, block};
use freewheel_loom_tests::{Witness, check, check_account, explore, line, producer};
use loom::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::thread;
use std::sync::atomic::Ordering::Relaxed;

fn no_wake() {}

/// One thread reads a block (a buffer of lines) while another appends to it. A reader that sees the
/// published length also sees all bytes up to this length; otherwise loom reports a race.
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

/// The flusher takes lines from a block (a buffer of lines) while a thread still appends to it, and
/// consumes them in parts. The lines arrive whole, once and in order.
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

/// A line is counted as accepted before the flusher can receive it, so that the statistics never
/// show more lines sent than emitted.
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

/// A thread that reads the counts of sent and of emitted lines, at any time, finds no more lines or
/// bytes sent than emitted. The model tests only the counter, because a fence elsewhere would hide
/// a missing ordering.
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

/// Lines of one thread arrive in order while the thread fills its blocks (buffers of lines), and
/// the flusher takes the blocks and gives them back for reuse.
#[test]
fn rotation_keeps_the_order_of_lines() {
    static SEALED_AND_REUSED: Witness =
        Witness::new("a sweep found a full block and a newer line, and the block was reused");
    SEALED_AND_REUSED.explore("rotation_keeps_the_order_of_lines", Some(5), 10_000, || {
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

/// Two threads emit more lines than their blocks (buffers of lines) can hold. Rejected lines are
/// counted, accepted lines arrive exactly once, and there is space again after all lines are
/// consumed.
#[test]
fn full_capacity_drops_are_counted() {
    static REUSED: Witness = Witness::new("a block was reused");
    REUSED.explore("full_capacity_drops_are_counted", Some(7), 15_000, || {
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

/// Two threads compete for the last shared block (buffer of lines). Exactly one of them gets it,
/// and one line of the other thread is dropped.
#[test]
fn last_block_is_allocated_once() {
    explore("last_block_is_allocated_once", None, 600, || {
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

/// A thread that reuses the slot (per-thread state) and the part-filled block (buffer of lines) of
/// an exited thread loses no line. The lines of both threads stay in order.
#[test]
fn reused_slot_keeps_its_lines_in_order() {
    static REUSED_SLOT: Witness = Witness::new("a thread continued in the block of another");
    REUSED_SLOT.explore("reused_slot_keeps_its_lines_in_order", Some(6), 40_000, || {
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

/// A thread that reuses the slot (per-thread state) of an exited thread sees all writes of the
/// exited thread to the slot. This holds even if no join or queue orders the two threads.
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

/// A thread reuses a block (buffer of lines) that the flusher has consumed, while the flusher still
/// has read handles to it. No byte is read while it is written, and none is taken twice or skipped.
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

/// Bytes in flight (sent, but not acknowledged) stay intact, and their block (buffer) is not reused
/// until its last byte is acknowledged. A flusher that stops leaves them to the next flusher, which
/// starts with the first unacknowledged line.
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

/// Eviction (the drop of the oldest unsent lines) frees the block of these lines for a thread that
/// needs a block. A block with a line in flight (sent, but not acknowledged) is neither freed nor
/// overwritten.
#[test]
fn eviction_frees_the_oldest_blocks() {
    static REUSED: Witness = Witness::new("a block was reused");
    REUSED.explore("eviction_frees_the_oldest_blocks", None, 1_200, || {
        evict_after_first_line(true, &REUSED)
    });
}

/// Eviction (the drop of the oldest unsent lines) keeps bytes that the connection has begun to
/// send, although they are not yet marked as sent.
#[test]
fn committed_bytes_are_not_evicted() {
    static REUSED: Witness = Witness::new("a block was reused");
    let model = || evict_after_first_line(false, &REUSED);
    REUSED.explore("committed_bytes_are_not_evicted", None, 1_200, model);
}

/// Checks that the first of several lines stays intact while all others are evicted (dropped
/// unsent). The first line is in flight (sent) if `is_sent`, and otherwise the connection has begun
/// to send it.
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

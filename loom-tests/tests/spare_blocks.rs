//! Models of the spare blocks: empty buffers that the flusher puts behind the buffer of a busy
//! thread, and takes back from an idle one.

use freewheel_handoff::loom_api::{Consumer, Exchange, IDLE_SWEEPS};
use freewheel_loom_tests::{Witness, check_account, line};
use loom::thread;

/// Number of full blocks at which a thread wakes the flusher, for exchanges with one spare block.
const ONE_SPARE: usize = 2;

/// Emits two lines, which fill one block (buffer of lines), and lets the flusher take them. The
/// flusher then gives the thread a spare block. Returns the received bytes.
fn earn_a_spare_block(exchange: &Exchange, flusher: &mut Consumer) -> Vec<u8> {
    (0..2).for_each(|index| exchange.emit(&line(0, index)));
    flusher.sweep();
    assert_eq!(flusher.spare_blocks(), (1, 0));
    flusher.consume_all()
}

/// A thread advances to its spare blocks (empty buffers) and to shared ones, while the flusher takes
/// its lines, and gives it further spare blocks. The lines arrive whole, once and in order.
///
/// Pairs `BlockView::append_spare`'s Release with the Acquire of `BlockWriter::advance` and
/// `BlockWriter::advance_to`, and the Release of these two with `BlockView::follow`'s Acquire.
#[test]
fn spare_blocks_keep_the_order_of_lines() {
    static REUSED: Witness = Witness::new("all lines were accepted");
    REUSED.explore("spare_blocks_keep_the_order_of_lines", Some(4), 45_000, || {
        // A block holds one line. The thread has one block, and one more is shared.
        let exchange = Exchange::new(2, 1, ONE_SPARE, || ());
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let mut received = earn_a_spare_block(&exchange, &mut flusher);
        let sweeping = thread::spawn(move || {
            let mut received = Vec::new();
            for _ in 0..2 {
                flusher.sweep();
                received.extend(flusher.consume_all());
            }
            (flusher, received)
        });
        (2..6).for_each(|index| exchange.emit(&line(0, index)));
        let (mut flusher, swept) = sweeping.join().expect("the thread does not panic");
        received.extend(swept);
        flusher.sweep();
        received.extend(flusher.consume_all());
        let dropped = check_account(&exchange, &received, 6);
        REUSED.observe(dropped == 0);
        // Three blocks exist. The thread has one of them, and both others are empty.
        assert_eq!(flusher.spare_blocks(), (1, 0));
        (6..8).for_each(|index| exchange.emit(&line(0, index)));
        assert_eq!(exchange.accepted_and_dropped().1, dropped, "a block was lost");
    });
}

/// The flusher takes the spare block (empty buffer) of an idle thread back, while the thread begins
/// to emit again. Exactly one of the two gets the block.
#[test]
fn spare_block_is_taken_or_removed() {
    static REMOVED: Witness = Witness::new("the flusher removed the spare block");
    REMOVED.explore("spare_block_is_taken_or_removed", Some(4), 12_000, || {
        // A block holds one line. The thread has one block, and one more is shared.
        let exchange = Exchange::new(2, 1, ONE_SPARE, || ());
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let mut received = earn_a_spare_block(&exchange, &mut flusher);
        (1..IDLE_SWEEPS).for_each(|_| flusher.sweep());
        let sweeping = thread::spawn(move || {
            flusher.sweep();
            REMOVED.observe(flusher.spare_blocks() == (0, 1));
            let mut received = flusher.consume_all();
            flusher.sweep();
            received.extend(flusher.consume_all());
            (flusher, received)
        });
        (2..5).for_each(|index| exchange.emit(&line(0, index)));
        let (mut flusher, swept) = sweeping.join().expect("the thread does not panic");
        received.extend(swept);
        flusher.sweep();
        received.extend(flusher.consume_all());
        let dropped = check_account(&exchange, &received, 5);
        // Three blocks exist. The thread has one of them, and both others are empty.
        (5..7).for_each(|index| exchange.emit(&line(0, index)));
        assert_eq!(exchange.accepted_and_dropped().1, dropped, "a block was lost");
    });
}

/// A thread that fills its spare block (empty buffer) and a shared one has filled as many blocks as
/// wake the flusher. A flusher that may park then has left fewer blocks.
#[test]
fn spare_blocks_count_for_the_ring() {
    static LEFT: Witness = Witness::new("a flusher parked and left a full block");
    LEFT.explore("spare_blocks_count_for_the_ring", None, 600, || {
        // A block holds one line. The thread has one block, and two more are shared.
        let exchange = Exchange::new(2, 2, ONE_SPARE, || ());
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let mut received = earn_a_spare_block(&exchange, &mut flusher);
        let emitting = exchange.clone();
        let sweeping = thread::spawn(move || {
            flusher.sweep();
            let received = flusher.consume_all();
            (flusher, received)
        });
        (2..4).for_each(|index| emitting.emit(&line(0, index)));
        let (mut flusher, swept) = sweeping.join().expect("the thread does not panic");
        received.extend(swept);
        if flusher.prepare_park() {
            assert!(exchange.sealed_blocks() < ONE_SPARE, "parked despite two full blocks");
            LEFT.observe(exchange.sealed_blocks() == 1);
        }
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert_eq!(check_account(&exchange, &received, 4), 0);
    });
}

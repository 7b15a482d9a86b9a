//! Tests of the send window, through a consumer.

use crate::stress::exchange;
use crate::{Consumer, Exchange};
use bytes::Buf;
use std::sync::Arc;

/// Returns a consumer that has swept lines of eight bytes in blocks of 32. The first line was swept
/// while its block was part-filled. The first `in_flight` bytes are in flight.
fn swept(in_flight: usize) -> (Arc<Exchange>, Consumer) {
    let exchange = exchange(32, 1 << 13);
    let mut consumer = Consumer::claim(&exchange).expect("no consumer exists");
    exchange.push(1, LINES[0].as_bytes());
    consumer.sweep();
    LINES[1..].iter().for_each(|line| _ = exchange.push(1, line.as_bytes()));
    consumer.sweep();
    consumer.advance(in_flight);
    (exchange, consumer)
}

const LINES: [&str; 6] =
    ["aa:1|c.\n", "bb:2|c.\n", "cc:3|c.\n", "dd:4|c.\n", "ee:5|c.\n", "f:66|c.\n"];

fn evict_all(consumer: &mut Consumer) -> String {
    let mut text = Vec::new();
    while consumer.evict(0, |run| text.extend_from_slice(run)) {}
    String::from_utf8(text).expect("lines are text")
}

#[test]
fn unsent_lines_are_evicted_oldest_first() {
    let (exchange, mut consumer) = swept(0);
    assert_eq!(evict_all(&mut consumer), LINES.concat());
    assert_eq!((consumer.remaining(), consumer.consumed()), (0, 48));
    assert_eq!(exchange.supply.free_len(), 1);
}

/// The block of the line in flight is full, and all its other lines are evicted. The block must
/// not be written to before that line is acknowledged.
#[test]
fn block_with_a_line_in_flight_is_kept() {
    let (exchange, mut consumer) = swept(8);
    assert_eq!(evict_all(&mut consumer), LINES[1..].concat());
    assert_eq!((exchange.supply.free_len(), consumer.consumed()), (0, 0));
    consumer.requeue();
    assert_eq!(consumer.chunk(), LINES[0].as_bytes());
    consumer.discard(8);
    assert_eq!((exchange.supply.free_len(), consumer.consumed()), (1, 48));
}

/// Evicted lines after those in flight count as consumed once these are acknowledged, since a
/// flush waits for a position in the order.
#[test]
fn evicted_gap_counts_in_order() {
    let (exchange, mut consumer) = swept(16);
    assert!(consumer.evict(0, |run| assert_eq!(run, LINES[4..].concat().as_bytes())));
    assert!(!consumer.evict(0, |_| {}), "the link has begun with the other lines");
    consumer.acknowledge(16);
    assert_eq!((consumer.consumed(), consumer.remaining()), (16, 16));
    consumer.discard(16);
    assert_eq!((consumer.consumed(), exchange.supply.free_len()), (48, 1));
}

/// Lines after those in flight are evicted before their block is full. When a sweep finds the
/// block full, with no bytes left, it is recycled at once: it may be the only empty block.
#[test]
fn block_evicted_before_it_is_full_is_recycled() {
    let (exchange, mut consumer) = swept(8);
    exchange.push(1, "gg:7|c.\n".as_bytes());
    exchange.push(1, "hh:8|c.\n".as_bytes());
    consumer.sweep();
    evict_all(&mut consumer);
    assert_eq!(exchange.supply.free_len(), 0);
    exchange.push(1, "ii:9|c.\n".as_bytes());
    consumer.sweep();
    assert_eq!(exchange.supply.free_len(), 1);
    consumer.acknowledge(8);
    assert_eq!((exchange.supply.free_len(), consumer.consumed()), (2, 64));
    consumer.discard(8);
    assert_eq!((consumer.consumed(), consumer.remaining()), (72, 0));
}

/// Same case, but a sweep finds the block full before its lines are evicted.
#[test]
fn block_evicted_after_it_is_full_is_recycled() {
    let (exchange, mut consumer) = swept(8);
    exchange.push(1, "gg:7|c.\n".as_bytes());
    exchange.push(1, "hh:8|c.\n".as_bytes());
    consumer.sweep();
    exchange.push(1, "ii:9|c.\n".as_bytes());
    consumer.sweep();
    assert_eq!(exchange.supply.free_len(), 0);
    evict_all(&mut consumer);
    assert_eq!(exchange.supply.free_len(), 1);
    consumer.acknowledge(8);
    assert_eq!((exchange.supply.free_len(), consumer.consumed()), (2, 72));
}

/// A sweep recycles a block whose lines were all released before the block was full. No
/// acknowledgement follows that could recycle it.
#[test]
fn sweep_recycles_a_spent_full_block() {
    let (exchange, mut consumer) = swept(0);
    exchange.push(1, "gg:7|c.\n".as_bytes());
    exchange.push(1, "hh:8|c.\n".as_bytes());
    consumer.sweep();
    consumer.discard(consumer.remaining());
    assert_eq!(exchange.supply.free_len(), 1);
    exchange.push(1, "ii:9|c.\n".as_bytes());
    consumer.sweep();
    assert_eq!(exchange.supply.free_len(), 1, "one block was taken, and one given back");
    assert_eq!(consumer.remaining(), 8);
}

/// Quarantined lines are skipped, also after a requeue. They keep their place and their block, and
/// are not evicted. Then the quarantine ends and they are unsent in order, or they are discarded.
#[test]
fn quarantined_lines_keep_their_place() {
    let (exchange, mut consumer) = swept(0);
    consumer.quarantine(8);
    consumer.quarantine(8);
    consumer.advance(16);
    let runs = |consumer: &Consumer| consumer.in_flight_runs().collect::<Vec<_>>().concat();
    assert_eq!(runs(&consumer), LINES[2..4].concat().as_bytes());
    consumer.requeue();
    assert_eq!((consumer.quarantined(), consumer.remaining()), (16, 32));
    assert_eq!(consumer.chunk(), LINES[2..4].concat().as_bytes());
    assert!(consumer.evict(0, |run| assert_eq!(run, LINES[4..].concat().as_bytes())));
    assert!(!consumer.evict(0, |_| {}), "a quarantined line is in the block");
    consumer.end_quarantine();
    assert_eq!((consumer.quarantined(), consumer.remaining(), consumer.consumed()), (0, 32, 0));
    assert_eq!(consumer.chunk(), LINES[0].as_bytes());
    consumer.quarantine(8);
    consumer.advance(8);
    consumer.discard_quarantined(|runs| assert_eq!(runs.concat(), LINES[0].as_bytes()));
    assert_eq!((consumer.consumed(), consumer.in_flight()), (8, 8));
    consumer.acknowledge(8);
    consumer.discard(16);
    assert_eq!((consumer.consumed(), consumer.remaining(), exchange.supply.free_len()), (48, 0, 1));
}

/// The next consumer sends these lines like all others.
#[test]
fn stop_ends_the_quarantine() {
    let (exchange, mut consumer) = swept(0);
    consumer.quarantine(8);
    consumer.advance(8);
    drop(consumer);
    let mut consumer = Consumer::claim(&exchange).expect("no consumer exists");
    assert_eq!((consumer.quarantined(), consumer.remaining()), (0, 48));
    consumer.discard(48);
}

/// A link that takes line after line and acknowledges none does not make the index grow without
/// bound.
#[test]
fn sweeps_stop_while_nothing_is_acknowledged() {
    let (exchange, mut consumer) = swept(48);
    let mut sweeps = 0;
    while consumer.is_ready_to_sweep() {
        exchange.push(1, "a:1|c\n".as_bytes());
        consumer.sweep();
        consumer.advance(consumer.remaining());
        sweeps += 1;
        assert!(sweeps < 1 << 15);
    }
    consumer.acknowledge(consumer.in_flight());
    assert!(consumer.is_ready_to_sweep());
}

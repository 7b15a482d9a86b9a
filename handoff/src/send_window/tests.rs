//! Tests of the send window, the consumer's list of bytes taken and not yet released. They use it
//! through a `Consumer`.

use crate::stress::exchange;
use crate::{Consumer, Exchange};
use bytes::Buf;
use std::sync::Arc;

/// Creates an exchange with blocks of 32 bytes, and a consumer that has taken six lines of eight
/// bytes. The first line was taken alone, and the first `in_flight` bytes are marked as sent.
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

/// Checks that no byte is evicted (dropped) if all unsent bytes are protected, by any large number. A
/// part of the first line is sent already.
#[test]
fn protected_bytes_are_not_evicted() {
    let (_exchange, mut consumer) = swept(3);
    assert!(!consumer.evict(usize::MAX, |_| unreachable!("all bytes are protected")));
    assert_eq!((consumer.remaining(), consumer.in_flight()), (45, 3));
}

/// Checks that a full block is not given back for reuse while one of its lines is in flight (sent,
/// but not acknowledged). All its other lines are evicted (dropped).
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

/// Checks that evicted (dropped) lines count as consumed only after all older lines are released. A
/// flush is complete when the number of consumed bytes reaches the number of bytes that were taken
/// at its start.
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

/// Checks that the consumer gives a block back as soon as it finds the block full, if all lines of
/// the block were evicted (dropped) before. An older line in another block is still in flight.
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

/// Checks that a block that the consumer has found full is given back as soon as its last line is
/// evicted (dropped). An older line in another block is still in flight.
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

/// Checks that a sweep (the consumer's pass that takes records) gives back a full block if all
/// lines of the block were released before. No later acknowledgement would give the block back.
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

/// Checks that quarantined lines (set aside from sending) are neither sent nor evicted (dropped),
/// also after a new connection has made sent lines unsent again. They become unsent in their old
/// order when the quarantine ends, or are discarded.
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

/// Checks that dropping a consumer ends the quarantine: the lines that it had set aside are unsent
/// for the next consumer.
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

/// Checks that a consumer stops taking records while many records are sent and none is
/// acknowledged, so that its list of unreleased records stays bounded. It must continue after an
/// acknowledgement.
#[test]
#[cfg_attr(miri, ignore = "takes many minutes")]
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

//! When lines over a stream count as sent, and what a broken connection costs.

#![allow(clippy::unwrap_used)]

mod support;

use freewheel::{Connector, Delivery};
use std::collections::BTreeSet;
use std::time::Duration;
use support::{
    Close, TcpReceiver, assert_balanced, emit_numbered, eventually, flush, numbered, started,
    tally, tcp,
};

/// Emits until a server that does not read has stalled the connection for good.
fn stall(statsd: &Connector, first: u64) -> u64 {
    let mut next = first;
    let mut quiet = 0;
    while quiet < 40 {
        let before = statsd.stats();
        (0..200).for_each(|_| {
            emit_numbered(statsd, 0, next);
            next += 1;
        });
        std::thread::sleep(Duration::from_millis(10));
        let after = statsd.stats();
        quiet = if after.sent == before.sent { quiet + 1 } else { 0 };
    }
    next
}

/// A server stalls, with megabytes under way, and then is reset: what its own kernel had not
/// acknowledged reaches the next one.
#[test]
fn what_a_reset_server_had_not_acknowledged_reaches_the_next() {
    let first = TcpReceiver::listen(std::net::Ipv4Addr::LOCALHOST, 0, Close::Abrupt);
    let port = first.port();
    let statsd = started(tcp(port).queue_capacity(16 << 20));
    emit_numbered(&statsd, 0, 0);
    flush(&statsd);
    first.stall();
    let emitted = stall(&statsd, 1);
    let acknowledged = statsd.stats().sent;
    let read = first.kill();
    let second = TcpReceiver::listen(std::net::Ipv4Addr::LOCALHOST, port, Close::Orderly);
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    assert_balanced(&stats);
    assert_eq!(stats.sent, stats.emitted);
    let rest = second.kill();
    let numbers =
        |lines: &[String]| -> BTreeSet<u64> { lines.iter().map(|line| numbered(line).1).collect() };
    let (got_first, got_second) = (numbers(&read), numbers(&rest));
    assert!(got_first.is_disjoint(&got_second), "a line came twice");
    let missing = emitted - (got_first.len() + got_second.len()) as u64;
    println!(
        "emitted {emitted}, acknowledged {acknowledged:?}, read {}, missing {missing}, second {:?}",
        read.len(),
        tally(&rest)
    );
    assert!(missing <= acknowledged.lines - read.len() as u64);
    assert!(acknowledged.lines < emitted / 2);
}

/// As before, but counted when written: what was under way is lost.
#[test]
fn written() {
    let first = TcpReceiver::listen(std::net::Ipv4Addr::LOCALHOST, 0, Close::Abrupt);
    let port = first.port();
    let statsd = started(tcp(port).queue_capacity(16 << 20).delivery(Delivery::Written));
    first.stall();
    eventually("x", || statsd.connected());
    let emitted = stall(&statsd, 0);
    let acknowledged = statsd.stats().sent;
    let read = first.kill();
    let second = TcpReceiver::listen(std::net::Ipv4Addr::LOCALHOST, port, Close::Orderly);
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    assert_balanced(&stats);
    let rest = second.kill();
    println!(
        "emitted {emitted}, sent {acknowledged:?}, read {}, second {:?}",
        read.len(),
        tally(&rest)
    );
}

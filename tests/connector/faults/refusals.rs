//! Tests of UDP datagrams that are refused because no server listens at the port.

use crate::support::{
    UdpReceiver, assert_balanced, assert_whole_and_in_order, emit_numbered, eventually, flush,
    numbered_line, started, tally, udp, unused_port,
};
use freewheel::Tally;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Lines are held while UDP datagrams are refused, and arrive once a server listens, including the
/// lines of the first refused datagram. On the same machine, the refusal is reported at once.
#[test]
fn refused_datagrams_are_held() {
    let port = unused_port();
    let statsd = started(udp(port));
    let emitted =
        (0..200).fold(Tally::default(), |sum, number| sum + emit_numbered(&statsd, 0, number));
    eventually("several attempts", || statsd.stats().connections > 3);
    let stats = statsd.stats();
    assert_eq!((stats.sent, stats.lost()), (Tally::default(), Tally::default()));
    assert!(!statsd.connected());

    let receiver = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!((stats.emitted, stats.sent), (emitted, emitted));
    assert_balanced(&stats);
    let received = receiver.lines(stats.sent.lines);
    assert_eq!(tally(&received), stats.sent);
    assert_whole_and_in_order(&received);
    assert!(statsd.connected());
}

/// Lines do not wait for a UDP server if `hold_when_refused` is off. The flusher sends them all,
/// and counts the refused ones as lost.
#[test]
fn refused_datagrams_are_lost_and_counted_with_holding_off() {
    let port = unused_port();
    // A hold would outlast the test.
    let settings = udp(port).hold_when_refused(false).reconnect_sleep(Duration::from_secs(3600));
    let statsd = started(settings);
    for number in 0..1_000 {
        emit_numbered(&statsd, 0, number);
    }
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!(stats.buffered, Tally::default());
    assert!(stats.losses.refused.lines > 500, "{stats}");
    assert_balanced(&stats);

    let receiver = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    let before = statsd.stats().sent.lines;
    eventually("a line arrives", || {
        statsd.incr("probe");
        receiver.has_datagram()
    });
    assert!(statsd.stats().sent.lines > before);
    assert_balanced(&statsd.blocking_stop().stats);
}

/// A UDP server that stops and returns at the same port receives all lines that were emitted in its
/// absence.
#[test]
fn returning_udp_server_receives_the_held_lines() {
    let port = unused_port();
    let statsd = started(udp(port));
    for round in 0..5 {
        let receiver = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
        emit_numbered(&statsd, round, 1);
        flush(&statsd);
        drop(receiver);
        emit_numbered(&statsd, round, 2);
        eventually("the client notices the refusal", || !statsd.connected());
        emit_numbered(&statsd, round, 3);
        let receiver = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
        flush(&statsd);
        assert_eq!(receiver.lines(2), [numbered_line(round, 2), numbered_line(round, 3)]);
    }
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.sent, stats.emitted);
    assert_balanced(&stats);
}

//! Tests with UDP servers that close their sockets before they have read all datagrams, and
//! restart.

use crate::support::{
    Arrivals, Discrepancies, UdpReceiver, assert_balanced, emit_all, eventually, flush, started,
    udp, unused_port,
};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A UDP server that closes its socket loses only the datagrams that it has not read. The client
/// keeps later lines, including the lines of a refused datagram, for the next server.
#[test]
fn vanished_udp_server_loses_only_unread_datagrams() {
    let port = unused_port();
    let statsd = started(udp(port));
    let mut arrivals = Arrivals::default();
    for round in 0..10 {
        let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
        let before = statsd.stats().sent.lines;
        emit_all(&statsd, 0, round * 300..round * 300 + 100);
        flush(&statsd);
        arrivals.count_all(&server.lines(statsd.stats().sent.lines - before));
        emit_all(&statsd, 0, round * 300 + 100..round * 300 + 200);
        flush(&statsd);
        drop(server);
        emit_all(&statsd, 0, round * 300 + 200..(round + 1) * 300);
        eventually("the client notices the refusal", || !statsd.connected());
    }
    let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    let before = statsd.stats().sent.lines;
    flush(&statsd);
    let stats = statsd.stats();
    arrivals.count_all(&server.lines(stats.sent.lines - before));
    assert_eq!(stats.sent, stats.emitted);
    assert_eq!(
        arrivals.compare_with(&stats),
        Discrepancies { lost: 10 * 100, ..Discrepancies::default() }
    );
}

/// The client sends from a new source port after each lookup interval, even if the host is an IP
/// address. A NAT device may have expired the mapping of the old port.
#[test]
fn source_port_changes_after_each_lookup_interval() {
    let server = UdpReceiver::start();
    let statsd = started(udp(server.port()).lookup_interval(Duration::from_millis(30)));
    let mut ports = BTreeSet::new();
    let mut number = 0;
    eventually("ten ports", || {
        emit_all(&statsd, 0, number..number + 1);
        flush(&statsd);
        number += 1;
        ports.insert(server.next_source_port());
        ports.len() >= 10
    });
    let stats = statsd.stats();
    assert_eq!((stats.sent.lines, stats.connections), (number, 1));
    assert_balanced(&stats);
}

/// The client reads a refusal (ICMP error) that has arrived at its old source port before it
/// changes the port. It then sends the refused lines again, so that no line is lost.
#[test]
fn pending_refusal_is_read_before_the_port_changes() {
    let port = unused_port();
    let statsd = started(udp(port).lookup_interval(Duration::from_millis(1)));
    let mut arrivals = Arrivals::default();
    for round in 0..20 {
        let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
        emit_all(&statsd, 0, round * 200..round * 200 + 100);
        flush(&statsd);
        arrivals.count_all(&server.lines_so_far());
        drop(server);
        emit_all(&statsd, 0, round * 200 + 100..(round + 1) * 200);
        eventually("the client notices the refusal", || !statsd.connected());
    }
    let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    flush(&statsd);
    arrivals.count_all(&server.lines_so_far());
    arrivals.assert_agree_with(&statsd.stats());
}

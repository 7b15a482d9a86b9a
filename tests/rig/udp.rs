//! UDP servers that vanish with datagrams unread, and come back.

use crate::support::{
    Arrivals, Findings, UdpReceiver, assert_balanced, emit_all, eventually, flush, quiet_port,
    started, udp,
};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

/// What had arrived and was not read is lost with the server. What comes after waits for its
/// successor, the very datagram included that was refused.
#[test]
fn vanished_udp_server_loses_only_unread_datagrams() {
    let port = quiet_port();
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
        eventually("it is noticed", || !statsd.connected());
    }
    let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    let before = statsd.stats().sent.lines;
    flush(&statsd);
    let stats = statsd.stats();
    arrivals.count_all(&server.lines(stats.sent.lines - before));
    assert_eq!(stats.sent, stats.emitted);
    assert_eq!(arrivals.against(&stats), Findings { lost: 10 * 100, ..Findings::default() });
}

/// What lies on the way may have forgotten who sends from a port: after each look-up interval it is another
/// one, also where the host is an address. The same, as long as nothing is sent.
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
        ports.insert(server.sender());
        ports.len() >= 10
    });
    let stats = statsd.stats();
    assert_eq!((stats.sent.lines, stats.connections), (number, 1));
    assert_balanced(&stats);
}

/// An answer that came to the old one is heard before it is given up: nothing is lost by that.
#[test]
fn pending_refusal_is_read_before_the_port_changes() {
    let port = quiet_port();
    let statsd = started(udp(port).lookup_interval(Duration::from_millis(1)));
    let mut arrivals = Arrivals::default();
    for round in 0..20 {
        let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
        emit_all(&statsd, 0, round * 200..round * 200 + 100);
        flush(&statsd);
        arrivals.count_all(&server.lines_so_far());
        drop(server);
        emit_all(&statsd, 0, round * 200 + 100..(round + 1) * 200);
        eventually("it is noticed", || !statsd.connected());
    }
    let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    flush(&statsd);
    arrivals.count_all(&server.lines_so_far());
    arrivals.assert_faultless(&statsd.stats());
}

//! Networks that are cut, lose packets, swallow them, or move a name to another host.

use crate::namespace::{Host, black_hole, name_server, with_a_network};
use crate::support::{
    Census, Close, Findings, PATIENCE, TcpReceiver, UdpReceiver, assert_balanced, emit_all,
    eventually, flush, promptly, started,
};
use freewheel::{Builder, Connector, Protocol, Tally};
use std::thread;
use std::time::Duration;

/// Where the servers of these tests listen.
const PORT: u16 = 8125;

pub(crate) fn settings(host: &str) -> Builder {
    Connector::builder(host)
        .port(PORT)
        .type_prefixes(false)
        .flush_interval(Duration::from_millis(5))
        .reconnect_sleep(Duration::from_millis(20))
        .connect_timeout(Duration::from_millis(500))
        .stop_timeout(PATIENCE)
}

pub(crate) fn receiver(host: &Host) -> TcpReceiver {
    let address = host.address();
    host.run(move || TcpReceiver::listen(address, PORT, Close::Orderly))
}

#[test]
fn a_connection_outlives_a_partition() {
    with_a_network(|| {
        let host = Host::plug_in(1);
        let server = receiver(&host);
        let statsd = started(settings(&host.address().to_string()));
        emit_all(&statsd, 0, 0..100);
        flush(&statsd);
        host.cut();
        emit_all(&statsd, 0, 100..2_000);
        thread::sleep(Duration::from_millis(700));
        host.mend();
        flush(&statsd);
        server.wait_for_lines(2_000);
        let stats = statsd.stats();
        Census::of(&server.lines()).assert_faultless(&stats);
        assert_eq!((stats.sent.lines, stats.connections), (2_000, 1));
    });
}

/// A cable that is out for half of the time loses packets as a bad network does.
#[test]
fn packets_that_are_lost_cost_no_line_over_tcp() {
    with_a_network(|| {
        let host = Host::plug_in(1);
        let server = receiver(&host);
        let statsd = started(settings(&host.address().to_string()));
        for round in 0..20 {
            host.cut();
            emit_all(&statsd, 0, round * 1_000..round * 1_000 + 500);
            thread::sleep(Duration::from_millis(10));
            host.mend();
            emit_all(&statsd, 0, round * 1_000 + 500..(round + 1) * 1_000);
            thread::sleep(Duration::from_millis(10));
        }
        flush(&statsd);
        server.wait_for_lines(20_000);
        Census::of(&server.lines()).assert_faultless(&statsd.stats());
        assert_eq!(statsd.stats().connections, 1);
    });
}

/// Of a name's addresses the first swallows everything. It takes one connect timeout, and the
/// next is tried.
#[test]
fn an_address_that_swallows_everything_is_given_up() {
    with_a_network(|| {
        let host = Host::plug_in(1);
        let server = receiver(&host);
        name_server(&[black_hole(&host), host.address()]);
        let statsd = started(settings("server"));
        emit_all(&statsd, 0, 0..100);
        flush(&statsd);
        server.wait_for_lines(100);
        assert_eq!(statsd.stats().connections, 1);
    });
}

#[test]
fn a_stop_keeps_its_deadline_before_a_black_hole() {
    with_a_network(|| {
        let host = Host::plug_in(1);
        let hole = black_hole(&host).to_string();
        let day = Duration::from_secs(24 * 60 * 60);
        let settings = settings(&hole).connect_timeout(day);
        let statsd = started(settings.stop_timeout(Duration::from_millis(200)));
        let emitted = emit_all(&statsd, 0, 0..100);
        let stopping = statsd.clone();
        let report = promptly(move || stopping.blocking_stop());
        assert_eq!((report.sent, report.kept), (Tally::default(), emitted));
        // And nothing of it was lost: elsewhere it would have arrived.
        assert_eq!(report.stats.buffered, emitted);
    });
}

/// The kernel says that there is no way: nothing is sent before there is one again.
#[test]
fn an_unreachable_network_costs_nothing_over_udp() {
    with_a_network(|| {
        let host = Host::plug_in(1);
        let address = host.address();
        let server = host.run(move || UdpReceiver::listen(address, PORT));
        let statsd = started(settings(&address.to_string()).protocol(Protocol::Udp));
        emit_all(&statsd, 0, 0..100);
        flush(&statsd);
        let mut received = server.lines(100);
        for round in 1..5 {
            host.cut_here();
            emit_all(&statsd, 0, round * 100..(round + 1) * 100);
            eventually("it is noticed", || !statsd.connected());
            assert_eq!(statsd.stats().buffered.lines, 100);
            host.mend_here();
            flush(&statsd);
            received.append(&mut server.lines(100));
        }
        Census::of(&received).assert_faultless(&statsd.stats());
    });
}

/// Nobody says that a cable is out at the other end. What goes there over UDP is lost, and
/// counted as sent, as a datagram is; nothing before it, and nothing after.
#[test]
fn a_partition_costs_what_is_sent_into_it_over_udp() {
    with_a_network(|| {
        let host = Host::plug_in(1);
        let address = host.address();
        let server = host.run(move || UdpReceiver::listen(address, PORT));
        let statsd = started(settings(&address.to_string()).protocol(Protocol::Udp));
        emit_all(&statsd, 0, 0..100);
        flush(&statsd);
        let mut received = server.lines(100);
        host.cut();
        emit_all(&statsd, 0, 100..200);
        flush(&statsd);
        host.mend();
        emit_all(&statsd, 0, 200..300);
        flush(&statsd);
        received.append(&mut server.lines(100));
        let stats = statsd.stats();
        let census = Census::of(&received);
        assert_eq!(census.against(&stats), Findings { lost: 100, ..Findings::default() });
        assert_eq!(census.numbers(0), Vec::from_iter((0..100).chain(200..300)));
        assert_balanced(&stats);
    });
}

/// A server that comes back on another host is found by its name.
#[test]
fn a_name_is_looked_up_anew_for_each_connection() {
    with_a_network(|| {
        let hosts = [Host::plug_in(1), Host::plug_in(2)];
        name_server(&[hosts[0].address()]);
        let statsd = started(settings("server"));
        let mut received = Vec::new();
        for round in 0..6 {
            let host = &hosts[round % 2];
            name_server(&[host.address()]);
            let server = receiver(host);
            let first = round as u64 * 100;
            emit_all(&statsd, 0, first..first + 100);
            flush(&statsd);
            server.wait_for_lines(100);
            received.append(&mut server.kill());
            eventually("its end is noticed", || !statsd.connected());
        }
        Census::of(&received).assert_faultless(&statsd.stats());
    });
}

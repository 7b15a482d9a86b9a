//! TCP servers that are slow, half gone, or gone at once.

use crate::support::{
    Census, Listener, assert_balanced, emit_all, eventually, flush, quiet_port, started, tcp,
};
use std::time::Duration;

#[test]
fn a_server_that_reads_slowly_misses_nothing() {
    let server = Listener::tcp(0);
    let statsd = started(tcp(server.port()).queue_capacity(64 << 20));
    let mut peer = server.accept();
    let emitted = emit_all(&statsd, 0, 0..20_000);
    let text = peer.read_slowly(emitted.bytes as usize, Duration::from_micros(10));
    flush(&statsd);
    let census = Census::of_stream(&text);
    census.assert_faultless(&statsd.stats());
    assert_eq!(census.numbers(0), Vec::from_iter(0..20_000));
    assert_eq!(statsd.stats().connections, 1);
}

/// A server that says it will send nothing more, and reads on, is taken for one that is going.
/// It gets what was under way, and its successor all that comes after.
#[test]
fn a_server_that_half_closes_gets_the_rest_at_its_next_connection() {
    let server = Listener::tcp(0);
    let statsd = started(tcp(server.port()));
    let mut census = Census::default();
    let mut peer = server.accept();
    for round in 0..20 {
        emit_all(&statsd, 0, round * 100..(round + 1) * 100);
        flush(&statsd);
        peer.half_close();
        let next = server.accept();
        census.count_stream(&peer.read_to_end());
        peer = next;
    }
    let stats = statsd.stats();
    assert_eq!(census.numbers(0), Vec::from_iter(0..2_000));
    census.assert_faultless(&stats);
    assert_eq!(stats.connections, 21);
}

/// Before anybody listens nothing is sent, however often it is tried, and nothing is lost.
#[test]
fn a_server_that_refuses_for_a_while_misses_nothing() {
    let port = quiet_port();
    let statsd = started(tcp(port));
    let mut census = Census::default();
    for round in 0..5 {
        let emitted = emit_all(&statsd, 0, round * 1_000..(round + 1) * 1_000);
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(statsd.stats().buffered, emitted);
        let server = Listener::tcp(port);
        let mut peer = server.accept();
        census.count_stream(&peer.read(emitted.bytes as usize));
        flush(&statsd);
        drop((peer, server));
        eventually("its end is noticed", || !statsd.connected());
    }
    let stats = statsd.stats();
    assert_eq!(census.numbers(0), Vec::from_iter(0..5_000));
    census.assert_faultless(&stats);
    assert_balanced(&stats);
}

//! Tests with TCP servers that read slowly, half-close, refuse, or close connections at once.

use crate::support::{
    Arrivals, Discrepancies, Listener, assert_balanced, emit_all, eventually, flush, started, tcp,
    udp, unused_port,
};
use freewheel::{Framing, Tally};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn slow_reader_misses_no_line() {
    let server = Listener::tcp(0);
    let statsd = started(tcp(server.port()).queue_capacity(64 << 20));
    let mut peer = server.accept();
    let emitted = emit_all(&statsd, 0, 0..20_000);
    let text = peer.read_slowly(emitted.bytes as usize, Duration::from_micros(10));
    flush(&statsd);
    let arrivals = Arrivals::of_stream(&text);
    arrivals.assert_agree_with(&statsd.stats());
    assert_eq!(arrivals.numbers(0), Vec::from_iter(0..20_000));
    assert_eq!(statsd.stats().connections, 1);
}

/// The client treats a server that half-closes a connection as about to close. The server still
/// receives the lines in flight, and the next connection carries all later lines.
#[test]
fn half_close_moves_later_lines_to_the_next_connection() {
    let server = Listener::tcp(0);
    let statsd = started(tcp(server.port()));
    let mut arrivals = Arrivals::default();
    let mut peer = server.accept();
    for round in 0..20 {
        // The server's kernel buffer holds these few lines and acknowledges them before the read.
        emit_all(&statsd, 0, round * 40..(round + 1) * 40);
        flush(&statsd);
        peer.half_close();
        let next = server.accept();
        arrivals.count_stream(&peer.read_to_end());
        peer = next;
    }
    let stats = statsd.stats();
    assert_eq!(arrivals.numbers(0), Vec::from_iter(0..800));
    arrivals.assert_agree_with(&stats);
    assert_eq!(stats.connections, 21);
}

/// The client keeps all lines while no server listens, and repeats its attempts to connect. The
/// next server receives every line once.
#[test]
fn refusing_server_misses_no_line() {
    let port = unused_port();
    let statsd = started(tcp(port));
    let mut arrivals = Arrivals::default();
    for round in 0..5 {
        let emitted = emit_all(&statsd, 0, round * 1_000..(round + 1) * 1_000);
        thread::sleep(Duration::from_millis(50));
        assert_eq!(statsd.stats().buffered, emitted);
        let server = Listener::tcp(port);
        let mut peer = server.accept();
        arrivals.count_stream(&peer.read_lines(emitted.bytes as usize));
        flush(&statsd);
        drop((peer, server));
        eventually("the client notices the end", || !statsd.connected());
    }
    let stats = statsd.stats();
    assert_eq!(arrivals.numbers(0), Vec::from_iter(0..5_000));
    arrivals.assert_agree_with(&stats);
    assert_balanced(&stats);
}

/// A server half-closes a connection, and reads from it only after the client has given up waiting
/// and reconnected. No line arrives twice, because the client has reset the old connection.
///
/// Without the reset, the server's kernel would still deliver lines that the next connection
/// carries as well.
#[test]
#[cfg(target_os = "linux")]
fn half_closed_late_reader_gets_no_line_twice() {
    let server = Listener::tcp(0);
    let statsd = started(tcp(server.port()).queue_capacity(16 << 20));
    let old = server.accept();
    emit_all(&statsd, 0, 0..20_000);
    eventually("lines are in flight", || statsd.stats().sent.lines > 0);
    old.half_close();
    let new = server.accept();
    let late = thread::spawn(|| old.read_to_any_end());
    let reading = thread::spawn(|| new.read_to_end());
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    let (text, in_order) = late.join().unwrap();
    let mut arrivals = Arrivals::of_stream(&text);
    arrivals.count_stream(&reading.join().unwrap());
    arrivals.assert_agree_with(&stats);
    assert_eq!((stats.sent.lines, stats.connections, in_order), (20_000, 2, false));
}

/// A server resets each connection at once, like a load balancer without a server. Each connection
/// loses at most the lines in the buffer of the server's kernel.
#[test]
fn each_closed_connection_loses_at_most_a_kernel_buffer() {
    let server = Listener::tcp(0);
    let statsd = started(tcp(server.port()).queue_capacity(16 << 20));
    emit_all(&statsd, 0, 0..50_000);
    let mut buffered = 0;
    for _ in 0..10 {
        let peer = server.accept();
        buffered += 2 * peer.buffer();
        peer.reset();
    }
    let peer = server.accept();
    let reading = thread::spawn(|| peer.read_to_end());
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    let arrivals = Arrivals::of_stream(&reading.join().unwrap());
    let found = arrivals.compare_with(&stats);
    assert_eq!(Discrepancies { lost: 0, ..found }, Discrepancies::default());
    assert!(stats.sent.bytes - arrivals.tally().bytes <= buffered, "{found:?}");
    // The lost lines are the first ones.
    assert_eq!(arrivals.missing(0, found.lost), found.lost);
}

/// The client waits for at least three quarters of the setting `reconnect_sleep` before each
/// attempt to reconnect. The server either closes each connection at once or does not listen.
#[test]
fn reconnects_wait_for_the_reconnect_sleep() {
    const SLEEP: Duration = Duration::from_millis(40);
    let server = Listener::tcp(0);
    for settings in [tcp(server.port()), udp(unused_port())] {
        let start = Instant::now();
        let statsd = started(settings.reconnect_sleep(SLEEP));
        emit_all(&statsd, 0, 0..1);
        eventually("ten attempts", || {
            let _closed_at_once = server.drop_pending_connection();
            statsd.stats().connections >= 10
        });
        let (took, sleeps) = (start.elapsed(), statsd.stats().connections as u32 - 1);
        assert!(took >= sleeps * SLEEP * 3 / 4, "{sleeps} sleeps in {took:?}");
    }
}

/// A server resets connections in the middle of a length-prefixed frame. Each next connection
/// begins with a whole frame, which begins with a whole line.
#[test]
fn frame_cut_by_a_reset_is_sent_again() {
    let server = Listener::tcp(0);
    let settings = tcp(server.port()).framing(Framing::LengthPrefixed).max_datagram_payload(1_000);
    let statsd = started(settings.queue_capacity(64 << 20));
    let mut arrivals = Arrivals::default();
    let (mut next, mut buffered, mut sizes) = (0, 0, Vec::new());
    for count in [0, 1, 3, 4, 5, 1_000, 1_001, 5_000, 100_000] {
        emit_all(&statsd, 0, next..next + 5_000);
        next += 5_000;
        let mut peer = server.accept();
        buffered += 2 * peer.buffer();
        sizes.append(&mut arrivals.count_frames(&peer.read(count)));
        // The pause lets the acknowledgements of the server's kernel reach the client.
        thread::sleep(Duration::from_millis(100));
        peer.reset();
    }
    let peer = server.accept();
    let reading = thread::spawn(|| peer.read_to_end());
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    sizes.append(&mut arrivals.count_frames(&reading.join().unwrap()));
    assert!(sizes.iter().all(|size| (1..=1_000).contains(size)), "{sizes:?}");
    assert_eq!((stats.sent.lines, stats.buffered), (next, Tally::default()));
    assert_eq!(
        Discrepancies { lost: 0, ..arrivals.compare_with(&stats) },
        Discrepancies::default()
    );
    assert!(stats.sent.bytes - arrivals.tally().bytes <= buffered, "{stats}");
}

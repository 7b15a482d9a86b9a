//! Tests of TCP servers that stop, or that close connections.

use crate::support::{
    Arrivals, Close, Listener, Load, TcpReceiver, assert_balanced, assert_whole_and_in_order,
    emit_all, emit_numbered, eventually, flush, numbered_line, numbers_by_thread, started, tcp,
    unused_port,
};
use freewheel::{Connector, Framing, Tally};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder as RuntimeBuilder;

/// A TCP server stops and restarts ten times while three threads emit. Only lines that a stopped
/// server had not read are lost, and the others arrive whole, once and in order. Every line emitted
/// after the last restart arrives.
#[test]
fn server_dying_ten_times_loses_only_received_lines() {
    let port = unused_port();
    let statsd = started(tcp(port).queue_capacity(256 << 10));
    let load = Load::begin(&statsd, 3);
    let mut received = Vec::new();
    for death in 0..10 {
        let close = if death % 2 == 0 { Close::Abrupt } else { Close::Orderly };
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, close);
        receiver.wait_for_lines(300);
        if death % 3 == 0 {
            receiver.stall();
            thread::sleep(Duration::from_millis(20));
        }
        received.append(&mut receiver.kill());
    }
    let mut emitted = load.end();

    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    flush(&statsd);
    let sent_before = statsd.stats().sent;
    emitted = (0..1_000).fold(emitted, |sum, number| sum + emit_numbered(&statsd, 3, number));
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!((stats.emitted, stats.buffered), (emitted, Tally::default()));
    assert_eq!(stats.lost(), Tally::default());
    assert!(stats.connections >= 11, "{stats:?}");
    assert_balanced(&stats);
    let _report = statsd.blocking_stop();
    receiver.wait_for_end();
    received.append(&mut receiver.kill());

    assert_eq!(stats.sent.lines - sent_before.lines, 1_000);
    assert_eq!(numbers_by_thread(&received)[&3], Vec::from_iter(0..1_000));
    assert_whole_and_in_order(&received);
    assert!(received.len() as u64 <= stats.sent.lines);
}

/// Emits lines until the server's socket buffer is full, so that a line is probably partly written.
/// Returns the number of the next line.
fn emit_until_stalled(statsd: &Connector, mut number: u64) -> u64 {
    eventually("the server's socket is full", || {
        let before = statsd.stats().sent;
        for _ in 0..500 {
            emit_numbered(statsd, 0, number);
            number += 1;
        }
        thread::sleep(Duration::from_millis(5));
        let stats = statsd.stats();
        stats.sent == before && stats.buffered.lines > 1_000
    });
    number
}

/// A server reads a part of a line and closes the connection. The next connection begins with the
/// first line that does not count as sent, from its start. It and all later lines arrive once.
#[test]
fn line_cut_by_a_broken_connection_is_sent_again_from_its_start() {
    let port = unused_port();
    let statsd = started(tcp(port).queue_capacity(64 << 20));
    let mut next = 0;
    for (round, length) in [1, 7, 1_000, 65_536, 100_001].into_iter().enumerate() {
        let first = statsd.stats().sent.lines;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let (mut connection, _) = listener.accept().unwrap();
        drop(listener);
        next = emit_until_stalled(&statsd, next);
        // After a connection that ended soon, an empty line probes the server.
        let mut probe = vec![0; usize::from(round > 0)];
        connection.read_exact(&mut probe).unwrap();
        assert!(probe.iter().all(|byte| *byte == b'\n'));
        let mut text = vec![0; length];
        connection.read_exact(&mut text).unwrap();
        // While the client probes, it is not connected either.
        eventually("the client has ended its probe", || statsd.connected());
        drop(connection);
        eventually("the client notices the end", || !statsd.connected());

        let lines = (first..next).map(|number| numbered_line(0, number) + "\n");
        let expected = lines.collect::<String>().into_bytes();
        assert_eq!(text.utf8_chunks().next(), expected[..length].utf8_chunks().next());
    }
    let first = statsd.stats().sent.lines;
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    flush(&statsd);
    receiver.wait_for_lines(next - first);
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(first..next));
    assert_eq!(statsd.stats().dropped(), Tally::default());
}

/// A server that closes the connection between two lines loses none, because the flusher checks for
/// the end of the connection before each write. The first write to a closed connection would
/// succeed, and its data would be lost.
#[test]
fn hang_up_between_lines_loses_nothing() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    for number in 0..20 {
        emit_numbered(&statsd, 0, number);
        flush(&statsd);
        receiver.wait_for_lines(number + 1);
        receiver.close_connections();
    }
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(0..20));
}

/// A server that closes the connection while the flusher's tokio runtime does not run loses no
/// line. Only the operating system knows then that the connection has ended.
#[test]
fn hang_up_while_the_runtime_is_idle_loses_nothing() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    for number in 0..5 {
        emit_numbered(&statsd, 0, number);
        assert_eq!(runtime.block_on(statsd.flush()), Ok(()));
        receiver.wait_for_lines(number + 1);
        receiver.close_connections();
    }
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(0..5));
}

/// A TCP proxy without a server accepts connections, and closes each some milliseconds later. Its
/// operating system acknowledges what it is sent until then. Only the first connection loses lines:
/// each later one first waits for the close. Then a server accepts a connection, and gets all other
/// lines after a moment.
#[test]
fn proxy_without_a_server_costs_the_lines_of_one_connection() {
    for framing in [Framing::Newlines, Framing::LengthPrefixed] {
        let proxy = Listener::tcp(0);
        let statsd = started(tcp(proxy.port()).framing(framing));
        let mut next = 0;
        let mut emit = || {
            emit_all(&statsd, 0, next..next + 100);
            next += 100;
        };
        emit();
        let peer = proxy.accept();
        eventually("lines are acknowledged", || statsd.stats().sent.lines > 0);
        peer.reset();
        let mut lost = statsd.stats().sent.lines;
        for number in 0..8 {
            let peer = proxy.accept();
            emit();
            thread::sleep(Duration::from_millis(30));
            if number == 0 {
                // The first connection may have had more lines until its end.
                lost = statsd.stats().sent.lines;
            }
            assert!(!statsd.connected());
            if number % 2 == 0 { peer.reset() } else { drop(peer) }
        }
        assert_eq!(statsd.stats().sent.lines, lost);
        let server = proxy.accept();
        emit();
        let reading = thread::spawn(|| server.read_to_end());
        flush(&statsd);
        assert!(statsd.connected());
        assert_eq!(statsd.blocking_stop().kept, Tally::default());
        let (bytes, mut arrivals) = (reading.join().unwrap(), Arrivals::default());
        match framing {
            Framing::Newlines => arrivals.count_stream(&bytes),
            _ => _ = arrivals.count_frames(&bytes),
        }
        assert_eq!(arrivals.numbers(0), Vec::from_iter(lost..next));
    }
}

/// A connection lasts for longer than the connect timeout. The next one carries lines at once, as
/// the first one does.
#[test]
fn end_of_a_long_connection_delays_no_line() {
    let server = Listener::tcp(0);
    let timeout = Duration::from_millis(100);
    let statsd = started(tcp(server.port()).connect_timeout(timeout));
    for number in 0..3 {
        emit_all(&statsd, 0, number..number + 1);
        let mut peer = server.accept();
        let line = numbered_line(0, number) + "\n";
        assert_eq!(peer.read(line.len()), line.as_bytes());
        thread::sleep(timeout * 3);
    }
}

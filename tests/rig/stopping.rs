//! Tests of stopping a connector in various states of the server, the socket path or the tokio
//! runtime. Each stop returns by its deadline, and its report agrees with the lines that arrived.

use crate::support::{
    Arrivals, Listener, SocketPath, TcpReceiver, UdpReceiver, WAIT_TIMEOUT, assert_balanced,
    emit_all, eventually, flush, numbers_by_thread, promptly, runtime, started, tcp, udp,
    unused_port,
};
use freewheel::{Builder, Connector, Framing, Protocol, StopReport, Tally};
use std::fs;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder as RuntimeBuilder;

const STOP_TIMEOUT: Duration = Duration::from_millis(200);

/// Starts a connector with these settings, emits `lines` lines, and stops the connector.
///
/// Asserts that the stop uses its whole timeout and then returns promptly.
fn stop_at_the_deadline(settings: Builder, lines: u64) -> (Connector, StopReport) {
    let statsd = started(settings.stop_timeout(STOP_TIMEOUT).queue_capacity(64 << 20));
    let emitted = emit_all(&statsd, 0, 0..lines);
    let stopping = statsd.clone();
    let start = Instant::now();
    let report = promptly(move || stopping.blocking_stop());
    assert!(start.elapsed() >= STOP_TIMEOUT, "the stop returned before its timeout");
    assert!(!statsd.connected());
    assert_eq!(report.stats.emitted, emitted);
    assert_eq!(report.kept, report.stats.buffered);
    assert_balanced(&report.stats);
    (statsd, report)
}

#[test]
fn stop_keeps_refused_datagrams() {
    let port = unused_port();
    let (statsd, report) = stop_at_the_deadline(udp(port), 200);
    assert_eq!((report.sent, report.kept), (Tally::default(), report.stats.emitted));
    let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    statsd.start_on_thread().unwrap();
    eventually("all lines are sent", || statsd.stats().buffered.lines == 0);
    Arrivals::of(&server.lines(200)).assert_agree_with(&statsd.stats());
}

#[test]
fn stop_at_a_full_datagram_receiver_keeps_unsent_lines() {
    let socket_path = SocketPath::new("stop-full");
    let receiver = socket_path.bind();
    let (statsd, report) =
        stop_at_the_deadline(socket_path.settings(Protocol::UnixDatagram), 20_000);
    assert!(report.stats.sent.lines > 0 && report.kept.lines > 0, "{report:?}");
    let mut arrivals = Arrivals::default();
    let mut datagram = vec![0; 1 << 16];
    let mut count = |arrivals: &mut Arrivals, lines: u64| {
        while arrivals.tally().lines < lines {
            let size = receiver.recv(&mut datagram).unwrap();
            arrivals.count_datagram(&datagram[..size]);
        }
    };
    count(&mut arrivals, report.stats.sent.lines);
    // The arrivals agree with the report to the byte.
    assert_eq!(arrivals.tally(), report.stats.sent);
    statsd.start_on_thread().unwrap();
    count(&mut arrivals, 20_000);
    eventually("all lines are sent", || statsd.stats().buffered.lines == 0);
    arrivals.assert_agree_with(&statsd.stats());
}

#[test]
fn stop_without_a_socket_path_keeps_all_lines() {
    for protocol in [Protocol::UnixDatagram, Protocol::UnixStream] {
        let socket_path = SocketPath::new(&format!("stop-none-{protocol:?}"));
        let (_, report) = stop_at_the_deadline(socket_path.settings(protocol), 1_000);
        assert_eq!((report.sent, report.kept), (Tally::default(), report.stats.emitted));
        assert!(fs::metadata(socket_path.path()).is_err(), "the client created the path");
    }
}

/// A stop keeps its unsent lines if the stream server does not read. Lines already written to the
/// socket still arrive, and the kept lines arrive after the next start.
#[test]
fn stop_at_a_stalled_server_keeps_unsent_lines() {
    let socket_path = SocketPath::new("stop-stalled");
    let unix_server = Listener::unix(socket_path.path());
    let tcp_server = Listener::tcp(0);
    let settings = [
        (&tcp_server, tcp(tcp_server.port())),
        (&unix_server, socket_path.settings(Protocol::UnixStream)),
    ];
    for (server, settings) in settings {
        let (statsd, report) = stop_at_the_deadline(settings, 60_000);
        let stats = report.stats;
        assert!(report.kept.lines > 0 && stats.sent.lines > 0, "{report:?}");
        let mut arrivals = Arrivals::of_stream(&server.accept().read_to_end());
        arrivals.assert_agree_with(&stats);
        statsd.start_on_thread().unwrap();
        let peer = server.accept();
        let reading = thread::spawn(|| peer.read_to_end());
        eventually("all lines are sent", || statsd.stats().buffered.lines == 0);
        let stats = promptly(move || statsd.blocking_stop()).stats;
        arrivals.count_stream(&reading.join().unwrap());
        arrivals.assert_agree_with(&stats);
    }
}

#[test]
fn stop_at_a_stalled_server_ends_on_a_whole_frame() {
    let server = Listener::tcp(0);
    let settings = tcp(server.port()).framing(Framing::LengthPrefixed);
    let (_, report) = stop_at_the_deadline(settings, 60_000);
    let mut arrivals = Arrivals::default();
    arrivals.count_frames(&server.accept().read_to_end());
    arrivals.assert_agree_with(&report.stats);
}

/// A stop returns by its deadline while the server closes each connection at once, so that the
/// client keeps reconnecting.
#[test]
fn stop_keeps_its_deadline_while_connections_are_closed() {
    let server = Listener::tcp(0);
    let port = server.port();
    let statsd = started(tcp(port).stop_timeout(STOP_TIMEOUT).queue_capacity(64 << 20));
    thread::scope(|scope| {
        let stopped = scope.spawn(|| {
            emit_all(&statsd, 0, 0..100_000);
            let stopping = statsd.clone();
            promptly(move || stopping.blocking_stop())
        });
        while !stopped.is_finished() {
            let _ = server.drop_pending_connection();
        }
        let report = stopped.join().unwrap();
        assert_balanced(&report.stats);
        assert_eq!(report.kept, report.stats.buffered);
        assert_eq!(report.stats.emitted.lines, 100_000);
    });
}

/// A stop returns by its deadline and keeps unsent lines, although the tokio runtime of the flusher
/// task shuts down during the stop.
#[test]
fn stop_returns_while_the_runtime_shuts_down() {
    for pause in [0, 1, 5, 20] {
        let port = unused_port();
        let statsd = tcp(port).stop_timeout(STOP_TIMEOUT).build().unwrap();
        let runtime = runtime();
        runtime.block_on(statsd.start()).unwrap();
        let emitted = emit_all(&statsd, 0, 0..100);
        let stopping = statsd.clone();
        let stop = thread::spawn(move || promptly(move || stopping.blocking_stop()));
        thread::sleep(Duration::from_millis(pause));
        drop(runtime);
        let report = stop.join().unwrap();
        assert_eq!((report.sent, report.kept), (Tally::default(), emitted));

        let server = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, crate::support::Close::Orderly);
        statsd.start_on_thread().unwrap();
        eventually("all lines are sent", || statsd.stats().buffered.lines == 0);
        server.wait_for_lines(100);
        Arrivals::of(&server.lines()).assert_agree_with(&statsd.stats());
    }
}

/// No line is lost if tokio runtimes are repeatedly dropped while they run the flusher task. The
/// flusher on the next runtime sends the lines that remain.
#[test]
fn successive_runtimes_lose_no_line() {
    let server = TcpReceiver::start();
    let statsd = tcp(server.port()).queue_capacity(64 << 20).build().unwrap();
    for round in 0..20 {
        let runtime = runtime();
        runtime.block_on(statsd.start()).unwrap();
        emit_all(&statsd, round, 0..1_000);
        thread::sleep(Duration::from_millis(round % 4));
        drop(runtime);
    }
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    server.wait_for_lines(20_000);
    let found = Arrivals::of(&server.lines()).compare_with(&stats);
    // Two tasks read the end of one connection and the beginning of the next, so order is lost.
    assert_eq!((found.lost, found.unaccounted, found.duplicated, found.torn), (0, 0, 0, 0));
    let threads = numbers_by_thread(&server.lines());
    assert!(threads.values().all(|numbers| numbers.len() == 1_000));
    assert_eq!(stats.sent, stats.emitted);
}

/// Lines in flight (written but not acknowledged) are kept if the server resets the connection and
/// the runtime ends before the flusher notices. The next connection delivers them.
#[test]
#[cfg(target_os = "linux")]
fn runtime_dropped_after_a_reset_keeps_lines_in_flight() {
    let socket_path = SocketPath::new("stop-gone");
    let unix_server = Listener::unix(socket_path.path());
    let tcp_server = Listener::tcp(0);
    let settings = [
        (&tcp_server, tcp(tcp_server.port())),
        (&unix_server, socket_path.settings(Protocol::UnixStream)),
    ];
    for (server, settings) in settings {
        let statsd = settings.queue_capacity(16 << 20).build().unwrap();
        // This runtime runs only inside `block_on`.
        let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(statsd.start()).unwrap();
        emit_all(&statsd, 0, 0..20_000);
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
        let sent = statsd.stats().sent;
        server.accept().reset();
        drop(runtime);
        assert_eq!(statsd.stats().sent, sent);
        statsd.start_on_thread().unwrap();
        let peer = server.accept();
        let reading = thread::spawn(|| peer.read_to_end());
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        let arrivals = Arrivals::of_stream(&reading.join().unwrap());
        assert_eq!(arrivals.numbers(0), Vec::from_iter(sent.lines..20_000));
        assert_eq!(stats.sent.lines, 20_000);
    }
}

/// Several threads concurrently start the connector, emit lines and stop the connector. No line is
/// lost.
#[test]
fn concurrent_stops_and_starts_lose_no_line() {
    let server = TcpReceiver::start();
    let settings = tcp(server.port()).queue_capacity(64 << 20).stop_timeout(WAIT_TIMEOUT);
    let statsd = settings.build().unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let statsd = statsd.clone();
            scope.spawn(move || {
                for round in 0..50 {
                    let _ = statsd.start_on_thread();
                    emit_all(&statsd, thread, round * 20..(round + 1) * 20);
                    let report = statsd.blocking_stop();
                    assert_eq!(report.kept, report.stats.buffered);
                }
            });
        }
    });
    let _ = statsd.start_on_thread();
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    server.wait_for_lines(4_000);
    let found = Arrivals::of(&server.lines()).compare_with(&stats);
    assert_eq!((found.lost, found.unaccounted, found.duplicated, found.torn), (0, 0, 0, 0));
    assert_eq!(stats.sent, stats.emitted);
}

//! Stops in states that a server, a path or a runtime can be in: the deadline is kept, and the
//! report agrees with what arrived.

use crate::support::{
    Arrivals, Listener, PATIENCE, Place, TcpReceiver, UdpReceiver, assert_balanced, emit_all,
    eventually, flush, numbers_by_thread, promptly, quiet_port, runtime, started, tcp, udp,
};
use freewheel::{Builder, Connector, Framing, Protocol, StopReport, Tally};
use std::fs;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder as RuntimeBuilder;

const STOP_TIMEOUT: Duration = Duration::from_millis(200);

/// Starts with these settings, emits so many lines, and stops, which must take as long as it may
/// and no longer.
fn stop_in_vain(settings: Builder, lines: u64) -> (Connector, StopReport) {
    let statsd = started(settings.stop_timeout(STOP_TIMEOUT).queue_capacity(64 << 20));
    let emitted = emit_all(&statsd, 0, 0..lines);
    let stopping = statsd.clone();
    let start = Instant::now();
    let report = promptly(move || stopping.blocking_stop());
    assert!(start.elapsed() >= STOP_TIMEOUT, "it did not try for as long as it may");
    assert!(!statsd.connected());
    assert_eq!(report.stats.emitted, emitted);
    assert_eq!(report.kept, report.stats.buffered);
    assert_balanced(&report.stats);
    (statsd, report)
}

#[test]
fn stop_keeps_refused_datagrams() {
    let port = quiet_port();
    let (statsd, report) = stop_in_vain(udp(port), 200);
    assert_eq!((report.sent, report.kept), (Tally::default(), report.stats.emitted));
    let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    statsd.start_on_thread().unwrap();
    eventually("all is sent", || statsd.stats().buffered.lines == 0);
    Arrivals::of(&server.lines(200)).assert_faultless(&statsd.stats());
}

#[test]
fn stop_at_a_full_datagram_receiver_keeps_unsent_lines() {
    let place = Place::new("stop-full");
    let receiver = place.bind();
    let (statsd, report) = stop_in_vain(place.settings(Protocol::UnixDatagram), 20_000);
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
    // To the byte what the report says was sent.
    assert_eq!(arrivals.tally(), report.stats.sent);
    statsd.start_on_thread().unwrap();
    count(&mut arrivals, 20_000);
    eventually("all is sent", || statsd.stats().buffered.lines == 0);
    arrivals.assert_faultless(&statsd.stats());
}

#[test]
fn stop_without_a_socket_path_keeps_all_lines() {
    for protocol in [Protocol::UnixDatagram, Protocol::UnixStream] {
        let place = Place::new(&format!("stop-none-{protocol:?}"));
        let (_, report) = stop_in_vain(place.settings(protocol), 1_000);
        assert_eq!((report.sent, report.kept), (Tally::default(), report.stats.emitted));
        assert!(fs::metadata(place.path()).is_err(), "it makes no path");
    }
}

/// Nor where a stream's server accepts and never reads, in lines or in frames: what was left to the
/// operating system arrives, and the rest after the next start.
#[test]
fn stop_at_a_stalled_server_keeps_unsent_lines() {
    let place = Place::new("stop-stalled");
    let at_path = Listener::unix(place.path());
    let at_port = Listener::tcp(0);
    let settings =
        [(&at_port, tcp(at_port.port())), (&at_path, place.settings(Protocol::UnixStream))];
    for (server, settings) in settings {
        let (statsd, report) = stop_in_vain(settings, 60_000);
        let stats = report.stats;
        assert!(report.kept.lines > 0 && stats.sent.lines > 0, "{report:?}");
        let mut arrivals = Arrivals::of_stream(&server.accept().read_to_end());
        arrivals.assert_faultless(&stats);
        statsd.start_on_thread().unwrap();
        let peer = server.accept();
        let reading = thread::spawn(|| peer.read_to_end());
        eventually("all is sent", || statsd.stats().buffered.lines == 0);
        let stats = promptly(move || statsd.blocking_stop()).stats;
        arrivals.count_stream(&reading.join().unwrap());
        arrivals.assert_faultless(&stats);
    }
}

#[test]
fn stop_at_a_stalled_server_ends_on_a_whole_frame() {
    let server = Listener::tcp(0);
    let settings = tcp(server.port()).framing(Framing::LengthPrefixed);
    let (_, report) = stop_in_vain(settings, 60_000);
    let mut arrivals = Arrivals::default();
    arrivals.count_frames(&server.accept().read_to_end());
    arrivals.assert_faultless(&report.stats);
}

/// Where each connection is accepted and closed, and the next attempt is always near.
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
            let _ = server.is_called();
        }
        let report = stopped.join().unwrap();
        assert_balanced(&report.stats);
        assert_eq!(report.kept, report.stats.buffered);
        assert_eq!(report.stats.emitted.lines, 100_000);
    });
}

/// The runtime goes while the stop is waited for: it is answered, by the deadline, and what is not
/// sent is still there.
#[test]
fn stop_returns_while_the_runtime_shuts_down() {
    for pause in [0, 1, 5, 20] {
        let port = quiet_port();
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
        eventually("all is sent", || statsd.stats().buffered.lines == 0);
        server.wait_for_lines(100);
        Arrivals::of(&server.lines()).assert_faultless(&statsd.stats());
    }
}

/// A runtime that is dropped with the flusher on it, again and again, under load: each next one
/// goes on where the last was.
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
    let found = Arrivals::of(&server.lines()).against(&stats);
    // The end of one connection and the beginning of the next are read by two readers.
    assert_eq!((found.lost, found.unaccounted, found.duplicated, found.torn), (0, 0, 0, 0));
    let threads = numbers_by_thread(&server.lines());
    assert!(threads.values().all(|numbers| numbers.len() == 1_000));
    assert_eq!(stats.sent, stats.emitted);
}

/// A runtime that ends after its server has gone, and before the flusher has learnt of that: what
/// was under way goes nowhere, and is kept.
#[test]
#[cfg(target_os = "linux")]
fn runtime_dropped_after_a_reset_keeps_lines_in_flight() {
    let place = Place::new("stop-gone");
    let at_path = Listener::unix(place.path());
    let at_port = Listener::tcp(0);
    let settings =
        [(&at_port, tcp(at_port.port())), (&at_path, place.settings(Protocol::UnixStream))];
    for (server, settings) in settings {
        let statsd = settings.queue_capacity(16 << 20).build().unwrap();
        // This runtime turns only while it is waited for.
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

/// Stops and starts by several threads at once, under load: whoever wins, nothing is lost.
#[test]
fn concurrent_stops_and_starts_lose_no_line() {
    let server = TcpReceiver::start();
    let settings = tcp(server.port()).queue_capacity(64 << 20).stop_timeout(PATIENCE);
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
    let found = Arrivals::of(&server.lines()).against(&stats);
    assert_eq!((found.lost, found.unaccounted, found.duplicated, found.torn), (0, 0, 0, 0));
    assert_eq!(stats.sent, stats.emitted);
}

//! Tests that lines which the server's kernel never acknowledged do not count as sent, and are sent
//! on the next connection.

use crate::namespace::{Host, resolve_server_to, with_a_network};
use crate::network::{receiver, settings};
use crate::support::{
    Arrivals, Discrepancies, Listener, ServerConnection, SocketPath, emit_all, eventually, flush,
    promptly, started, tcp,
};
use freewheel::{Builder, Connector, Protocol, Tally};
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder as RuntimeBuilder;

/// Emits lines until the server's socket accepts no more; returns the number of lines.
fn emit_until_stalled(statsd: &Connector) -> u64 {
    let (mut next, mut previous) = (0, Tally::default());
    eventually("the server accepts no more", || {
        emit_all(statsd, 0, next..next + 5_000);
        next += 5_000;
        thread::sleep(Duration::from_millis(50));
        let sent = std::mem::replace(&mut previous, statsd.stats().sent);
        sent == previous && statsd.stats().buffered.bytes > 3 << 20
    });
    next
}

/// Emits lines to a server that reads only the first `read` bytes, and then ends the connection by
/// the function `close`. A second connection receives the remaining lines.
///
/// Returns the discrepancies, and the tally of the lines acknowledged before the end.
fn stall_then_close(
    server: &Listener,
    settings: Builder,
    read: usize,
    close: fn(ServerConnection),
) -> (Discrepancies, Tally) {
    let statsd = started(settings.queue_capacity(64 << 20));
    let mut peer = server.accept();
    let mut arrivals = Arrivals::default();
    let emitted = emit_until_stalled(&statsd);
    arrivals.count_stream(&peer.read(read));
    thread::sleep(Duration::from_millis(200));
    let acknowledged = statsd.stats().sent;
    close(peer);
    let next = server.accept();
    let reading = thread::spawn(|| next.read_to_end());
    flush(&statsd);
    let report = statsd.blocking_stop();
    arrivals.count_stream(&reading.join().unwrap());
    assert_eq!((report.stats.sent.lines, report.kept), (emitted, Tally::default()));
    // The missing lines are the last ones that the first connection had acknowledged.
    let missing = arrivals.missing(0, emitted);
    assert_eq!(arrivals.missing(0, acknowledged.lines), missing);
    (arrivals.compare_with(&report.stats), acknowledged)
}

const RESET: fn(ServerConnection) = ServerConnection::reset;

/// A TCP server that stops reading and then resets its connection loses only lines that its kernel
/// had acknowledged. These lines are few, although the client has written megabytes.
#[test]
fn reset_of_a_stalled_server_loses_only_its_kernel_buffer() {
    let server = Listener::tcp(0);
    for read in [0, 1, 10_000, 500_000] {
        let (found, acknowledged) = stall_then_close(&server, tcp(server.port()), read, RESET);
        // The kernel doubles the requested buffer size, and uses a part of it for headers.
        assert!(acknowledged.bytes < read as u64 + (64 << 10), "{acknowledged:?} of {read}");
        assert_eq!(Discrepancies { lost: 0, ..found }, Discrepancies::default(), "{read}");
    }
}

/// A line that the server acknowledged before a reset is not sent again, even if the client's tokio
/// runtime did not run between the acknowledgement and the reset.
#[test]
fn lines_acknowledged_before_a_reset_arrive_once() {
    let server = Listener::tcp(0);
    let statsd = tcp(server.port()).queue_capacity(16 << 20).build().unwrap();
    // This runtime runs only inside `block_on`.
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    emit_all(&statsd, 0, 0..20_000);
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
    let mut peer = server.accept();
    let mut arrivals = Arrivals::of_stream(&peer.read(250_000));
    thread::sleep(Duration::from_millis(100));
    peer.reset();
    let next = thread::spawn(move || server.accept().read_to_end());
    assert_eq!(runtime.block_on(statsd.flush()), Ok(()));
    let stats = runtime.block_on(statsd.stop()).stats;
    arrivals.count_stream(&next.join().unwrap());
    assert_eq!((stats.sent.lines, stats.connections), (20_000, 2));
    assert_eq!(
        Discrepancies { lost: 0, ..arrivals.compare_with(&stats) },
        Discrepancies::default()
    );
}

/// A server that stops reading and then closes its Unix socket connection loses no line. The kernel
/// tells the client how many bytes the server has not read. The data of a partly read socket buffer
/// is sent again.
#[test]
fn closing_stalled_unix_server_loses_no_line() {
    let socket_path = SocketPath::new("stalled");
    let server = Listener::unix(socket_path.path());
    for read in [0, 1, 10_000, 500_000] {
        let settings = socket_path.settings(Protocol::UnixStream);
        let (found, acknowledged) = stall_then_close(&server, settings, read, drop);
        assert!(acknowledged.bytes <= read as u64, "{acknowledged:?} of {read}");
        println!("{read}: {acknowledged:?}, {found:?}");
        assert_eq!(Discrepancies { duplicated: 0, ..found }, Discrepancies::default(), "{read}");
    }
}

/// A host crashes, and its TCP state is lost. A new host at the same address gets the lines that
/// the crashed host never acknowledged.
#[test]
fn crashed_host_loses_no_unacknowledged_line() {
    with_a_network(|| {
        let host = Host::start(1);
        let server = receiver(&host);
        let statsd = started(settings(&host.address().to_string()));
        emit_all(&statsd, 0, 0..1_000);
        flush(&statsd);
        server.wait_for_lines(1_000);
        host.unplug();
        emit_all(&statsd, 0, 1_000..3_000);
        thread::sleep(Duration::from_millis(300));
        let mut received = server.kill();
        assert_eq!(statsd.stats().sent.lines, 1_000);
        drop(host);

        let host = Host::start(1);
        let server = receiver(&host);
        flush(&statsd);
        server.wait_for_lines(2_000);
        received.append(&mut server.lines());
        let stats = statsd.stats();
        Arrivals::of(&received).assert_agree_with(&stats);
        assert_eq!((stats.sent.lines, stats.connections), (3_000, 2));
    });
}

/// A host becomes unreachable, and its name then resolves to another host. After the peer timeout,
/// the other host gets the lines that the unreachable host has not acknowledged.
#[test]
fn silent_host_is_left_after_the_peer_timeout() {
    with_a_network(|| {
        let hosts = [Host::start(1), Host::start(2)];
        let servers = [receiver(&hosts[0]), receiver(&hosts[1])];
        resolve_server_to(&[hosts[0].address()]);
        let settings = settings("server").peer_timeout(Duration::from_millis(500));
        let statsd = started(settings);
        emit_all(&statsd, 0, 0..1_000);
        flush(&statsd);
        servers[0].wait_for_lines(1_000);
        hosts[0].unplug();
        resolve_server_to(&[hosts[1].address()]);
        emit_all(&statsd, 0, 1_000..3_000);
        flush(&statsd);
        servers[1].wait_for_lines(2_000);
        let mut arrivals = Arrivals::of(&servers[0].lines());
        arrivals.count_all(&servers[1].lines());
        arrivals.assert_agree_with(&statsd.stats());
        assert_eq!(statsd.stats().connections, 2);
    });
}

/// A stop keeps its deadline while the network is down and the connection is open. It reports the
/// unacknowledged lines, which the kernel delivers once the network is back.
#[test]
fn stop_in_a_partition_reports_lines_in_flight() {
    with_a_network(|| {
        let host = Host::start(1);
        let server = receiver(&host);
        let settings = settings(&host.address().to_string());
        let statsd = started(settings.stop_timeout(Duration::from_millis(300)));
        emit_all(&statsd, 0, 0..100);
        eventually("the flush completes", || statsd.blocking_flush() == Ok(()));
        server.wait_for_lines(100);
        host.unplug();
        let emitted = emit_all(&statsd, 0, 100..200);
        let stopping = statsd.clone();
        let report = promptly(move || stopping.blocking_stop());
        assert_eq!((report.unacknowledged, report.kept), (emitted, Tally::default()));
        assert_eq!(server.lines().len(), 100);
        host.plug_in();
        statsd.start_on_thread().unwrap();
        emit_all(&statsd, 0, 200..300);
        eventually("the flush completes", || statsd.blocking_flush() == Ok(()));
        server.wait_for_lines(300);
        // Two connections are open at the same time, and the second one's lines may arrive first.
        let found = Arrivals::of(&server.lines()).compare_with(&statsd.stats());
        assert_eq!(Discrepancies { reordered: 0, ..found }, Discrepancies::default());
    });
}

//! Tests with Unix sockets: servers that close or are replaced, and paths with a file of the wrong
//! kind.

use crate::support::{
    Arrivals, Discrepancies, Listener, SocketPath, emit_all, eventually, flush, started,
};
use freewheel::{Delivery, Framing, Protocol, WhenFull};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Receives datagrams until they hold `lines` lines, and counts these lines in `arrivals`.
fn count(arrivals: &mut Arrivals, receiver: &UnixDatagram, lines: u64) {
    let mut datagram = vec![0; 1 << 16];
    let wanted = arrivals.tally().lines + lines;
    while arrivals.tally().lines < wanted {
        let size = receiver.recv(&mut datagram).unwrap();
        arrivals.count_datagram(&datagram[..size]);
    }
}

/// Client socket that detects when the datagram server currently bound at a path has closed its
/// socket.
///
/// A child process of another test may hold the receiver a little longer than the test itself.
struct ReceiverWatch(UnixDatagram);

impl ReceiverWatch {
    fn new(socket_path: &SocketPath) -> Self {
        let socket = UnixDatagram::unbound().unwrap();
        socket.connect(socket_path.path()).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    /// Waits until the watched server has closed its socket.
    fn wait(&self) {
        eventually("the receiver is closed", || {
            self.0.send(b"?").is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
        });
    }
}

#[test]
fn vanished_receiver_loses_only_unread_datagrams() {
    let socket_path = SocketPath::new("vanishes");
    let statsd = started(socket_path.settings(Protocol::UnixDatagram));
    let mut arrivals = Arrivals::default();
    for round in 0..10 {
        let receiver = socket_path.bind();
        emit_all(&statsd, 0, round * 300..round * 300 + 200);
        flush(&statsd);
        count(&mut arrivals, &receiver, 200);
        emit_all(&statsd, 0, round * 300 + 200..(round + 1) * 300);
        flush(&statsd);
        let watch = ReceiverWatch::new(&socket_path);
        drop(receiver);
        watch.wait();
    }
    let stats = statsd.stats();
    assert_eq!(
        arrivals.compare_with(&stats),
        Discrepancies { lost: 10 * 100, ..Discrepancies::default() }
    );
    assert_eq!((stats.sent, stats.connections), (stats.emitted, 10));
}

/// A second datagram server takes over the socket path while the first server still runs. The
/// client connects to the second server once the first has closed its socket, and no line is lost.
#[test]
fn replaced_receiver_misses_no_line() {
    let socket_path = SocketPath::new("replaced");
    let mut receiver = socket_path.bind();
    let statsd = started(socket_path.settings(Protocol::UnixDatagram));
    eventually("the client connects", || statsd.connected());
    let mut arrivals = Arrivals::default();
    for round in 0..10 {
        let watch = ReceiverWatch::new(&socket_path);
        let successor = socket_path.bind();
        emit_all(&statsd, 0, round * 200..round * 200 + 100);
        flush(&statsd);
        count(&mut arrivals, &receiver, 100);
        receiver = successor;
        watch.wait();
        emit_all(&statsd, 0, round * 200 + 100..(round + 1) * 200);
        flush(&statsd);
        count(&mut arrivals, &receiver, 100);
    }
    arrivals.assert_agree_with(&statsd.stats());
    assert_eq!(arrivals.numbers(0), Vec::from_iter(0..2_000));
}

/// The client sends nothing while the path holds a regular file, or a socket of another type than
/// the protocol requires. The lines wait until a socket of the right type is bound.
#[test]
fn path_of_the_wrong_kind_gets_no_line() {
    for protocol in [Protocol::UnixDatagram, Protocol::UnixStream] {
        let socket_path = SocketPath::new(&format!("{protocol:?}"));
        fs::write(socket_path.path(), "").unwrap();
        let statsd = started(socket_path.settings(protocol));
        let emitted = emit_all(&statsd, 0, 0..1_000);
        let mut arrivals = Arrivals::default();
        match protocol {
            Protocol::UnixStream => {
                let _other = socket_path.bind();
                std::thread::sleep(std::time::Duration::from_millis(50));
                assert_eq!(statsd.stats().buffered, emitted);
                let mut peer = Listener::unix(socket_path.path()).accept();
                arrivals.count_stream(&peer.read(emitted.bytes as usize));
                flush(&statsd);
            }
            _ => {
                let other = Listener::unix(socket_path.path());
                std::thread::sleep(std::time::Duration::from_millis(50));
                assert!(!other.drop_pending_connection());
                assert_eq!(statsd.stats().buffered, emitted);
                let receiver = socket_path.bind();
                count(&mut arrivals, &receiver, 1_000);
                flush(&statsd);
            }
        }
        assert_eq!(fs::metadata(socket_path.path()).unwrap().len(), 0);
        arrivals.assert_agree_with(&statsd.stats());
    }
}

/// Removing the file of a Unix socket does not end the existing connection. The client reconnects
/// only once a server listens at the path again, and no line is lost.
#[test]
fn removed_and_restored_path_loses_no_line() {
    let socket_path = SocketPath::new("path");
    let statsd = started(socket_path.settings(Protocol::UnixStream));
    let mut arrivals = Arrivals::default();
    for round in 0..10 {
        let mut peer = Listener::unix(socket_path.path()).accept();
        fs::remove_file(socket_path.path()).unwrap();
        emit_all(&statsd, 0, round * 200..round * 200 + 100);
        let due = statsd.stats().emitted.bytes - arrivals.tally().bytes;
        arrivals.count_stream(&peer.read(due as usize));
        flush(&statsd);
        drop(peer);
        eventually("the client notices the end", || !statsd.connected());
        emit_all(&statsd, 0, round * 200 + 100..(round + 1) * 200);
    }
    let stats = statsd.stats();
    assert_eq!((stats.buffered.lines, stats.connections), (100, 10));
    arrivals.assert_agree_with(&stats);
}

/// The client finishes a partly written frame with its original lines, even if a full queue evicts
/// other lines in the meantime.
///
/// The delivery is `Written`: otherwise all lines of so small a queue would be in flight, and none
/// could be evicted.
#[test]
fn partly_written_frame_is_not_evicted() {
    let socket_path = SocketPath::new("evicted");
    let server = Listener::unix(socket_path.path());
    let settings = socket_path.settings(Protocol::UnixStream).framing(Framing::LengthPrefixed);
    let settings = settings.delivery(Delivery::Written).when_full(WhenFull::DropOldest);
    for _ in 0..10 {
        let statsd = started(settings.clone().queue_capacity(64 << 10));
        let peer = server.accept();
        let mut next = 0;
        eventually("lines are evicted", || {
            emit_all(&statsd, 0, next..next + 100);
            next += 100;
            std::thread::sleep(std::time::Duration::from_millis(1));
            statsd.stats().losses.evicted.lines > 1_000
        });
        let reading = std::thread::spawn(|| peer.read_to_end());
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        let mut arrivals = Arrivals::default();
        arrivals.count_frames(&reading.join().unwrap());
        arrivals.assert_agree_with(&stats);
    }
}

/// The client switches from a datagram server with a full socket buffer to a new server at the same
/// path, although the old server is still open.
///
/// If the old server were closed, the kernel would refuse datagrams to it.
#[test]
fn full_receiver_is_left_once_its_path_is_taken() {
    let socket_path = SocketPath::new("full-replaced");
    let old = socket_path.bind();
    let statsd = started(socket_path.settings(Protocol::UnixDatagram));
    emit_all(&statsd, 0, 0..5_000);
    eventually("the receiver is full", || {
        let before = statsd.stats().sent;
        std::thread::sleep(Duration::from_millis(20));
        before.lines > 0 && statsd.stats().sent == before
    });
    let new = socket_path.bind();
    let mut arrivals = Arrivals::default();
    // The old receiver holds the first of these lines.
    let sent = statsd.stats().sent.lines;
    count(&mut arrivals, &new, 5_000 - sent);
    flush(&statsd);
    count(&mut arrivals, &old, sent);
    let stats = statsd.stats();
    assert_eq!(
        Discrepancies { reordered: 0, ..arrivals.compare_with(&stats) },
        Discrepancies::default()
    );
    assert_eq!(arrivals.numbers(0), Vec::from_iter(0..5_000));
}

/// The client leaves a Unix stream server that reads nothing for the peer timeout, but only once
/// another server listens at the same path. The new server receives all lines that the old server
/// has not read.
///
/// While the same server listens at the path, the client keeps its connection: a second connection
/// would deliver lines twice.
#[test]
#[cfg(target_os = "linux")]
fn stalled_server_is_left_once_its_path_is_taken() {
    for framing in [Framing::Newlines, Framing::LengthPrefixed] {
        let socket_path = SocketPath::new(&format!("taken-{framing:?}"));
        let old = Listener::unix(socket_path.path());
        let settings = socket_path.settings(Protocol::UnixStream).framing(framing);
        let statsd = started(settings.peer_timeout(Duration::from_millis(100)));
        let stalled = old.accept();
        emit_all(&statsd, 0, 0..5_000);
        eventually("the client counts as disconnected", || !statsd.connected());
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!((statsd.stats().connections, statsd.stats().sent.lines), (1, 0));
        let new = Listener::unix(socket_path.path());
        // The first connection only probes whether a server listens.
        let (_probe, next) = (new.accept(), new.accept());
        let reading = std::thread::spawn(|| next.read_to_end());
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        let mut arrivals = Arrivals::default();
        match framing {
            Framing::LengthPrefixed => _ = arrivals.count_frames(&reading.join().unwrap()),
            _ => arrivals.count_stream(&reading.join().unwrap()),
        }
        arrivals.assert_agree_with(&stats);
        assert_eq!((arrivals.numbers(0), stats.connections), (Vec::from_iter(0..5_000), 2));
        drop(stalled);
    }
}

/// The client keeps its connection to a Unix stream server that reads nothing for the peer timeout,
/// if no other server listens at the path.
#[test]
#[cfg(target_os = "linux")]
fn stalled_server_is_kept_while_its_path_has_no_listener() {
    let socket_path = SocketPath::new("not-taken");
    let server = Listener::unix(socket_path.path());
    let settings =
        socket_path.settings(Protocol::UnixStream).peer_timeout(Duration::from_millis(50));
    let statsd = started(settings);
    let mut stalled = server.accept();
    let emitted = emit_all(&statsd, 0, 0..3_000);
    eventually("the client counts as disconnected", || !statsd.connected());
    drop(server);
    // This socket is bound to the path but does not listen.
    let _other = socket_path.bind();
    std::thread::sleep(Duration::from_millis(200));
    let arrivals = Arrivals::of_stream(&stalled.read(emitted.bytes as usize));
    flush(&statsd);
    assert!(statsd.connected());
    arrivals.assert_agree_with(&statsd.stats());
    assert_eq!(statsd.stats().connections, 1);
}

/// A connector counts as disconnected if a datagram server with a full socket buffer reads nothing
/// for longer than the peer timeout. It counts as connected again once the server reads.
#[test]
fn full_receiver_counts_as_disconnected_after_the_timeout() {
    let socket_path = SocketPath::new("full-for-long");
    let receiver = socket_path.bind();
    let settings = socket_path.settings(Protocol::UnixDatagram);
    let statsd = started(settings.peer_timeout(Duration::from_millis(100)));
    emit_all(&statsd, 0, 0..5_000);
    eventually("the client counts as disconnected", || !statsd.connected());
    let mut arrivals = Arrivals::default();
    count(&mut arrivals, &receiver, 5_000);
    flush(&statsd);
    assert!(statsd.connected());
    arrivals.assert_agree_with(&statsd.stats());
}

//! Unix sockets whose servers vanish, are replaced, or are not sockets at all.

use crate::support::{Arrivals, Findings, Listener, Place, emit_all, eventually, flush, started};
use freewheel::{Delivery, Framing, Protocol, WhenFull};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Counts the datagrams that hold this many lines.
fn count(arrivals: &mut Arrivals, receiver: &UnixDatagram, lines: u64) {
    let mut datagram = vec![0; 1 << 16];
    let wanted = arrivals.tally().lines + lines;
    while arrivals.tally().lines < wanted {
        let size = receiver.recv(&mut datagram).unwrap();
        arrivals.count_datagram(&datagram[..size]);
    }
}

/// Knows when the receiver that is there by now is gone. A child that another test has at that moment
/// may hold it a little longer than the test that drops it.
struct Watch(UnixDatagram);

impl Watch {
    fn over(place: &Place) -> Self {
        let socket = UnixDatagram::unbound().unwrap();
        socket.connect(place.path()).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    fn wait(&self) {
        eventually("it is gone", || {
            self.0.send(b"?").is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
        });
    }
}

#[test]
fn vanished_receiver_loses_only_unread_datagrams() {
    let place = Place::new("vanishes");
    let statsd = started(place.settings(Protocol::UnixDatagram));
    let mut arrivals = Arrivals::default();
    for round in 0..10 {
        let receiver = place.bind();
        emit_all(&statsd, 0, round * 300..round * 300 + 200);
        flush(&statsd);
        count(&mut arrivals, &receiver, 200);
        emit_all(&statsd, 0, round * 300 + 200..(round + 1) * 300);
        flush(&statsd);
        let watch = Watch::over(&place);
        drop(receiver);
        watch.wait();
    }
    let stats = statsd.stats();
    assert_eq!(arrivals.against(&stats), Findings { lost: 10 * 100, ..Findings::default() });
    assert_eq!((stats.sent, stats.connections), (stats.emitted, 10));
}

/// An agent that is replaced while it still runs: its successor takes the path, and the client
/// follows once the old one has gone.
#[test]
fn replaced_receiver_misses_no_line() {
    let place = Place::new("replaced");
    let mut receiver = place.bind();
    let statsd = started(place.settings(Protocol::UnixDatagram));
    eventually("it has found it", || statsd.connected());
    let mut arrivals = Arrivals::default();
    for round in 0..10 {
        let watch = Watch::over(&place);
        let successor = place.bind();
        emit_all(&statsd, 0, round * 200..round * 200 + 100);
        flush(&statsd);
        count(&mut arrivals, &receiver, 100);
        receiver = successor;
        watch.wait();
        emit_all(&statsd, 0, round * 200 + 100..(round + 1) * 200);
        flush(&statsd);
        count(&mut arrivals, &receiver, 100);
    }
    arrivals.assert_faultless(&statsd.stats());
    assert_eq!(arrivals.numbers(0), Vec::from_iter(0..2_000));
}

/// What lies at the path may be no socket, or one of the other kind: lines wait for the right
/// one.
#[test]
fn path_of_the_wrong_kind_gets_no_line() {
    for protocol in [Protocol::UnixDatagram, Protocol::UnixStream] {
        let place = Place::new(&format!("{protocol:?}"));
        fs::write(place.path(), "").unwrap();
        let statsd = started(place.settings(protocol));
        let emitted = emit_all(&statsd, 0, 0..1_000);
        let mut arrivals = Arrivals::default();
        match protocol {
            Protocol::UnixStream => {
                let _other = place.bind();
                std::thread::sleep(std::time::Duration::from_millis(50));
                assert_eq!(statsd.stats().buffered, emitted);
                let mut peer = Listener::unix(place.path()).accept();
                arrivals.count_stream(&peer.read(emitted.bytes as usize));
                flush(&statsd);
            }
            _ => {
                let other = Listener::unix(place.path());
                std::thread::sleep(std::time::Duration::from_millis(50));
                assert!(!other.is_called());
                assert_eq!(statsd.stats().buffered, emitted);
                let receiver = place.bind();
                count(&mut arrivals, &receiver, 1_000);
                flush(&statsd);
            }
        }
        assert_eq!(fs::metadata(place.path()).unwrap().len(), 0);
        arrivals.assert_faultless(&statsd.stats());
    }
}

/// A path that is removed takes no connection with it; the next one waits until it is back.
#[test]
fn removed_and_restored_path_loses_no_line() {
    let place = Place::new("path");
    let statsd = started(place.settings(Protocol::UnixStream));
    let mut arrivals = Arrivals::default();
    for round in 0..10 {
        let mut peer = Listener::unix(place.path()).accept();
        fs::remove_file(place.path()).unwrap();
        emit_all(&statsd, 0, round * 200..round * 200 + 100);
        let due = statsd.stats().emitted.bytes - arrivals.tally().bytes;
        arrivals.count_stream(&peer.read(due as usize));
        flush(&statsd);
        drop(peer);
        eventually("its end is noticed", || !statsd.connected());
        emit_all(&statsd, 0, round * 200 + 100..(round + 1) * 200);
    }
    let stats = statsd.stats();
    assert_eq!((stats.buffered.lines, stats.connections), (100, 10));
    arrivals.assert_faultless(&stats);
}

/// A frame that was begun is finished with the lines that it was begun with, whatever is given up
/// for newer ones meanwhile. (Where lines count when they are written: otherwise all of so small a
/// capacity is in flight, and nothing is given up.)
#[test]
fn partly_written_frame_is_not_evicted() {
    let place = Place::new("evicted");
    let server = Listener::unix(place.path());
    let settings = place.settings(Protocol::UnixStream).framing(Framing::LengthPrefixed);
    let settings = settings.delivery(Delivery::Written).when_full(WhenFull::DropOldest);
    for _ in 0..10 {
        let statsd = started(settings.clone().queue_capacity(64 << 10));
        let peer = server.accept();
        let mut next = 0;
        eventually("some are evicted", || {
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
        arrivals.assert_faultless(&stats);
    }
}

/// The old receiver is full, and still open somewhere; the path is another one's by now. (Its end would be
/// a refusal.)
#[test]
fn full_receiver_is_left_once_its_path_is_taken() {
    let place = Place::new("full-replaced");
    let old = place.bind();
    let statsd = started(place.settings(Protocol::UnixDatagram));
    emit_all(&statsd, 0, 0..5_000);
    eventually("it is full", || {
        let before = statsd.stats().sent;
        std::thread::sleep(Duration::from_millis(20));
        before.lines > 0 && statsd.stats().sent == before
    });
    let new = place.bind();
    let mut arrivals = Arrivals::default();
    // Of these the old one has some.
    let sent = statsd.stats().sent.lines;
    count(&mut arrivals, &new, 5_000 - sent);
    flush(&statsd);
    count(&mut arrivals, &old, sent);
    let stats = statsd.stats();
    assert_eq!(Findings { reordered: 0, ..arrivals.against(&stats) }, Findings::default());
    assert_eq!(arrivals.numbers(0), Vec::from_iter(0..5_000));
}

/// The old server keeps the connection and reads nothing; after the peer timeout the one that listens at
/// the path by now gets all that the old one has not read. As long as it is the same one, it is not left: it
/// would get lines twice.
#[test]
#[cfg(target_os = "linux")]
fn stalled_server_is_left_once_its_path_is_taken() {
    for framing in [Framing::Newlines, Framing::LengthPrefixed] {
        let place = Place::new(&format!("taken-{framing:?}"));
        let old = Listener::unix(place.path());
        let settings = place.settings(Protocol::UnixStream).framing(framing);
        let statsd = started(settings.peer_timeout(Duration::from_millis(100)));
        let stalled = old.accept();
        emit_all(&statsd, 0, 0..5_000);
        eventually("it is not taken for connected", || !statsd.connected());
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!((statsd.stats().connections, statsd.stats().sent.lines), (1, 0));
        let new = Listener::unix(place.path());
        // The first only looks whether somebody listens.
        let (_look, next) = (new.accept(), new.accept());
        let reading = std::thread::spawn(|| next.read_to_end());
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        let mut arrivals = Arrivals::default();
        match framing {
            Framing::LengthPrefixed => _ = arrivals.count_frames(&reading.join().unwrap()),
            _ => arrivals.count_stream(&reading.join().unwrap()),
        }
        arrivals.assert_faultless(&stats);
        assert_eq!((arrivals.numbers(0), stats.connections), (Vec::from_iter(0..5_000), 2));
        drop(stalled);
    }
}

/// A path that leads nowhere by now is no reason to leave a server that stalls.
#[test]
#[cfg(target_os = "linux")]
fn stalled_server_is_kept_while_its_path_has_no_listener() {
    let place = Place::new("taken-by-nobody");
    let server = Listener::unix(place.path());
    let settings = place.settings(Protocol::UnixStream).peer_timeout(Duration::from_millis(50));
    let statsd = started(settings);
    let mut stalled = server.accept();
    let emitted = emit_all(&statsd, 0, 0..3_000);
    eventually("it is not taken for connected", || !statsd.connected());
    drop(server);
    // Bound, and nobody listens.
    let _other = place.bind();
    std::thread::sleep(Duration::from_millis(200));
    let arrivals = Arrivals::of_stream(&stalled.read(emitted.bytes as usize));
    flush(&statsd);
    assert!(statsd.connected());
    arrivals.assert_faultless(&statsd.stats());
    assert_eq!(statsd.stats().connections, 1);
}

/// Nothing is taken for longer than the peer timeout: that is no connection.
#[test]
fn full_receiver_counts_as_disconnected_after_the_timeout() {
    let place = Place::new("full-for-long");
    let receiver = place.bind();
    let settings = place.settings(Protocol::UnixDatagram);
    let statsd = started(settings.peer_timeout(Duration::from_millis(100)));
    emit_all(&statsd, 0, 0..5_000);
    eventually("it is not taken for connected", || !statsd.connected());
    let mut arrivals = Arrivals::default();
    count(&mut arrivals, &receiver, 5_000);
    flush(&statsd);
    assert!(statsd.connected());
    arrivals.assert_faultless(&statsd.stats());
}

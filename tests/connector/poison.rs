//! Tests of servers that disconnect on certain lines, called poison. The connector discards these
//! lines and delivers the others. While a server disconnects on every line, the connector discards
//! none.

#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

use crate::support::{
    Arrivals, Listener, SocketPath, assert_balanced, emit_all, eventually, flush, numbered_line,
    started, tcp,
};
use freewheel::{Builder, Connector, FlushError, Framing, Protocol, Tally, WhenFull};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::Read;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Predicate that is true for the lines or frames on which a test server disconnects. The server
/// does not read them.
pub(super) type Poison = fn(&str) -> bool;

/// Test server at a Unix socket path that reads line by line or frame by frame, and disconnects on
/// certain lines.
pub(super) struct Server {
    lines: Arc<Mutex<Vec<String>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(socket_path: &SocketPath, framing: Framing, poison: Poison) -> Self {
        let _ = std::fs::remove_file(socket_path.path());
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(socket_path.path()).unwrap()).unwrap();
        socket.listen(16).unwrap();
        socket.set_nonblocking(true).unwrap();
        let (lines, end) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (recorded, thread_end) = (Arc::clone(&lines), Arc::clone(&end));
        let thread = thread::spawn(move || {
            while !thread_end.load(Ordering::Relaxed) {
                match socket.accept() {
                    Ok((peer, _)) => serve(&peer, framing, poison, &recorded, &thread_end),
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            }
        });
        Self { lines, end, thread: Some(thread) }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Returns the lines that arrived, without repetitions, in order of first arrival. Lines may
    /// arrive again after a disconnect: the kernel counts a socket buffer as unread until the
    /// server has read all of it.
    pub(super) fn distinct(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        self.lines().into_iter().filter(|line| seen.insert(line.clone())).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// Reads complete lines or frames from a client, and disconnects before one for which the predicate
/// `poison` is true.
fn serve(
    peer: &Socket,
    framing: Framing,
    poison: Poison,
    recorded: &Mutex<Vec<String>>,
    end: &AtomicBool,
) {
    peer.set_nonblocking(true).unwrap();
    while !end.load(Ordering::Relaxed) {
        let mut bytes = [MaybeUninit::uninit(); 1 << 16];
        let available = match peer.peek(&mut bytes) {
            Ok(0) => return,
            Ok(available) => available,
            Err(_) => {
                thread::sleep(Duration::from_micros(200));
                continue;
            }
        };
        // SAFETY: `peek` initialised this many bytes.
        let bytes =
            bytes[..available].iter().map(|byte| unsafe { byte.assume_init() }).collect::<Vec<_>>();
        let (from, to) = match framing {
            Framing::LengthPrefixed => {
                let Some(header) = bytes.first_chunk() else { continue };
                (4, 4 + u32::from_le_bytes(*header) as usize)
            }
            _ => (
                0,
                bytes.iter().position(|byte| *byte == b'\n').map_or(available + 1, |end| end + 1),
            ),
        };
        // Like the Datadog Agent, the server refuses a frame that exceeds its buffer.
        if to > 4 + 8_192 && framing == Framing::LengthPrefixed {
            return;
        }
        let text =
            String::from_utf8_lossy(&bytes[from.min(available)..to.min(available)]).into_owned();
        if poison(&text) {
            return;
        }
        if to <= available {
            (&*peer).read_exact(&mut vec![0; to]).unwrap();
            let lines = text.lines().filter(|line| !line.is_empty()).map(str::to_owned);
            recorded.lock().unwrap().extend(lines);
        }
    }
}

fn settings(socket_path: &SocketPath, framing: Framing) -> Builder {
    socket_path.settings(Protocol::UnixStream).framing(framing)
}

/// Asserts that exactly the expected lines arrived, and that the statistics count them as sent and
/// `rejected` other lines as rejected.
#[track_caller]
fn assert_all_but(statsd: &Connector, rejected: u64, server: &Server, expected: &[String]) {
    let stats = statsd.stats();
    // The server may have read lines that it has not recorded yet.
    eventually("all lines are recorded", || server.distinct().len() >= expected.len());
    assert_eq!(server.distinct(), expected);
    assert_eq!((stats.losses.rejected.lines, stats.lost()), (rejected, stats.losses.rejected));
    assert_eq!((stats.sent.lines, stats.buffered), (expected.len() as u64, Tally::default()));
    assert_balanced(&stats);
}

#[test]
fn poison_line_does_not_stop_other_lines() {
    for framing in [Framing::Newlines, Framing::LengthPrefixed] {
        let socket_path = SocketPath::new(&format!("poison-{framing:?}"));
        let statsd = settings(&socket_path, framing).build().unwrap();
        emit_all(&statsd, 0, 0..300);
        statsd.incr("poison");
        emit_all(&statsd, 0, 300..600);
        let server = Server::start(&socket_path, framing, |text| text.contains("poison"));
        statsd.start_on_thread().unwrap();
        flush(&statsd);
        let expected = Vec::from_iter((0..600).map(|number| numbered_line(0, number)));
        assert_all_but(&statsd, 1, &server, &expected);
        assert_eq!(statsd.stats().losses.rejected.bytes, "poison:1|c\n".len() as u64);
        // Later lines are delivered normally.
        emit_all(&statsd, 0, 600..1_000);
        flush(&statsd);
        let expected = Vec::from_iter((0..1_000).map(|number| numbered_line(0, number)));
        assert_all_but(&statsd, 1, &server, &expected);
    }
}

/// Lines on which the server disconnects occur one to four in a row. All of them are discarded and
/// counted as rejected, and the lines before and after them arrive.
#[test]
fn consecutive_poison_lines_are_rejected() {
    let socket_path = SocketPath::new("poisons");
    let statsd = settings(&socket_path, Framing::LengthPrefixed).build().unwrap();
    for number in 0..5 {
        emit_all(&statsd, 0, number..number + 1);
        (0..number).for_each(|_| statsd.incr("poison"));
    }
    emit_all(&statsd, 0, 5..6);
    let server =
        Server::start(&socket_path, Framing::LengthPrefixed, |text| text.contains("poison"));
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    let expected = Vec::from_iter((0..6).map(|number| numbered_line(0, number)));
    assert_all_but(&statsd, 10, &server, &expected);
}

/// Frames that exceed the server's buffer make the server disconnect. The connector then sends
/// their lines one by one, and discards none.
#[test]
fn poison_frames_are_sent_line_by_line() {
    let socket_path = SocketPath::new("large-frames");
    let settings = settings(&socket_path, Framing::LengthPrefixed).max_datagram_payload(20_000);
    let statsd = settings.build().unwrap();
    emit_all(&statsd, 0, 0..500);
    let server = Server::start(&socket_path, Framing::LengthPrefixed, |_| false);
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    let expected = Vec::from_iter((0..500).map(|number| numbered_line(0, number)));
    assert_all_but(&statsd, 0, &server, &expected);
}

/// The connector discards no line while a server disconnects on every line. A server that then
/// accepts all lines receives them in order, except at most eight that the connector had held back
/// and now rejects.
#[test]
fn server_closing_on_every_line_loses_none() {
    for framing in [Framing::Newlines, Framing::LengthPrefixed] {
        let socket_path = SocketPath::new(&format!("all-{framing:?}"));
        let statsd = settings(&socket_path, framing).build().unwrap();
        emit_all(&statsd, 0, 0..100);
        let server = Server::start(&socket_path, framing, |text| text.contains(':'));
        statsd.start_on_thread().unwrap();
        // The detection quarantines lines and requeues them several times.
        eventually("many attempts", || statsd.stats().connections > 35);
        assert_eq!((server.lines().len(), statsd.stats().buffered.lines), (0, 100));
        drop(server);
        let server = Server::start(&socket_path, framing, |_| false);
        flush(&statsd);
        let rejected = statsd.stats().losses.rejected.lines;
        assert!(rejected <= 8, "{rejected}");
        let expected = Vec::from_iter((rejected..100).map(|number| numbered_line(0, number)));
        assert_all_but(&statsd, rejected, &server, &expected);
    }
}

/// A flush keeps its deadline while a line is in quarantine (held back because the server
/// disconnected on it), and a stop keeps the line. The next server receives the line normally.
#[test]
fn stop_keeps_quarantined_lines() {
    let socket_path = SocketPath::new("aside");
    let settings = settings(&socket_path, Framing::LengthPrefixed);
    let statsd = settings.stop_timeout(Duration::from_millis(200)).build().unwrap();
    let server =
        Server::start(&socket_path, Framing::LengthPrefixed, |text| text.contains("t0.0."));
    emit_all(&statsd, 0, 0..10);
    statsd.start_on_thread().unwrap();
    // Five connections carry all lines, and one carries only the first line.
    eventually("the line is in quarantine", || {
        statsd.stats().connections == 6 && !statsd.connected()
    });
    drop(server);
    std::fs::remove_file(socket_path.path()).unwrap();
    assert_eq!(statsd.blocking_flush(), Err(FlushError::TimedOut));
    let report = statsd.blocking_stop();
    assert_eq!((report.kept.lines, report.stats.lost()), (10, Tally::default()));
    let server = Server::start(&socket_path, Framing::LengthPrefixed, |_| false);
    statsd.start_on_thread().unwrap();
    eventually("all lines are sent", || statsd.stats().buffered.lines == 0);
    let expected = Vec::from_iter((0..10).map(|number| numbered_line(0, number)));
    assert_all_but(&statsd, 0, &server, &expected);
}

/// A line in quarantine (held back because the server disconnected on it) is not evicted when the
/// queue is full. The statistics still account for every line.
#[test]
fn lines_set_aside_are_not_evicted() {
    /// Number of times that the test server disconnected on the line `poison`.
    static DISCONNECTS: AtomicU64 = AtomicU64::new(0);
    let poison = |text: &str| {
        let is_poison = text.contains("poison");
        DISCONNECTS.fetch_add(u64::from(is_poison), Ordering::Relaxed);
        is_poison
    };
    let socket_path = SocketPath::new("aside-full");
    let settings = settings(&socket_path, Framing::Newlines).when_full(WhenFull::DropOldest);
    let settings = settings.reconnect_sleep(Duration::from_millis(200));
    let statsd = settings.queue_capacity(64 << 10).build().unwrap();
    let server = Server::start(&socket_path, Framing::Newlines, poison);
    statsd.incr("poison");
    statsd.incr("next");
    statsd.start_on_thread().unwrap();
    // The poison was sent five times with the other lines, and once alone.
    let is_quarantined = || DISCONNECTS.load(Ordering::Relaxed) == 6 && !statsd.connected();
    eventually("the line is in quarantine", is_quarantined);
    drop(server);
    std::fs::remove_file(socket_path.path()).unwrap();
    let mut next = 0;
    eventually("some lines are evicted", || {
        emit_all(&statsd, 0, next..next + 100);
        next += 100;
        thread::sleep(Duration::from_millis(1));
        statsd.stats().losses.evicted.lines > 1_000
    });
    assert_balanced(&statsd.stats());
    let server = Server::start(&socket_path, Framing::Newlines, poison);
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!((stats.losses.rejected.lines, stats.buffered), (1, Tally::default()));
    eventually("all lines are recorded", || server.distinct().len() as u64 == stats.sent.lines);
    assert_balanced(&stats);
}

/// A TCP server resets the connection on a certain line, and gets all other lines. This line counts
/// as sent if the server's kernel acknowledges it before the reset, and is sent again otherwise.
#[test]
fn tcp_server_resetting_on_a_line_gets_the_others() {
    let listener = Listener::tcp(0);
    let statsd = started(tcp(listener.port()));
    let resets = Arc::<AtomicU64>::default();
    let counter = Arc::clone(&resets);
    let server = thread::spawn(move || {
        let mut lines = Vec::new();
        while lines.len() < 30 {
            let (mut peer, mut text) = (listener.accept(), Vec::new());
            loop {
                let some = peer.read_some(1 << 16);
                text.extend_from_slice(&some);
                let whole = String::from_utf8_lossy(&text).into_owned();
                if whole.contains("poison") {
                    peer.reset();
                    counter.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                if some.is_empty() || lines.len() + whole.matches('\n').count() >= 30 {
                    lines.extend(whole.lines().filter(|line| !line.is_empty()).map(str::to_owned));
                    break;
                }
            }
        }
        lines
    });
    for number in 1..=3 {
        statsd.incr("poison");
        eventually("the connection is reset, and no line is buffered", || {
            resets.load(Ordering::Relaxed) >= number && statsd.stats().buffered.lines == 0
        });
    }
    emit_all(&statsd, 0, 0..30);
    flush(&statsd);
    assert_eq!(Arrivals::of(&server.join().unwrap()).numbers(0), Vec::from_iter(0..30));
    let stats = statsd.stats();
    assert_eq!((stats.sent.lines + stats.losses.rejected.lines, stats.buffered.lines), (33, 0));
    assert_balanced(&stats);
}

/// A server ends every connection for ten minutes of simulated time, before or after it reads a
/// byte. No line is lost, and the server receives all lines in order once it keeps its connections.
#[tokio::test(start_paused = true)]
async fn ten_minutes_of_closed_connections_lose_nothing() {
    for framing in [Framing::Newlines, Framing::LengthPrefixed] {
        let socket_path = SocketPath::new(&format!("minutes-{framing:?}"));
        let settings = settings(&socket_path, framing).reconnect_sleep(Duration::from_secs(1));
        let statsd = settings.build().unwrap();
        let listener = tokio::net::UnixListener::bind(socket_path.path()).unwrap();
        statsd.start().await.unwrap();
        let emitted = emit_all(&statsd, 0, 0..1_000);
        let ending = async {
            for number in 0_u64.. {
                let (mut peer, _) = listener.accept().await.unwrap();
                match number % 4 {
                    0 => {}
                    1 => _ = peer.read(&mut [0]).await.unwrap(),
                    2 => tokio::time::sleep(Duration::from_millis(50)).await,
                    _ => {
                        peer.readable().await.unwrap();
                        peer.into_std().unwrap().shutdown(Shutdown::Both).unwrap();
                    }
                }
            }
        };
        _ = tokio::time::timeout(Duration::from_secs(600), ending).await;
        let stats = statsd.stats();
        assert!(stats.connections > 300, "{stats:?}");
        assert_eq!((stats.buffered, stats.sent), (emitted, Tally::default()));
        let reading = tokio::spawn(async move {
            let mut connections = Vec::new();
            loop {
                let (mut peer, _) = listener.accept().await.unwrap();
                let mut bytes = Vec::new();
                peer.read_to_end(&mut bytes).await.unwrap();
                connections.push(bytes);
                if connections.iter().map(Vec::len).sum::<usize>() as u64 >= emitted.bytes {
                    return connections.concat();
                }
            }
        });
        assert_eq!(statsd.flush().await, Ok(()));
        let stats = statsd.stop().await.stats;
        assert_eq!((stats.sent, stats.lost()), (emitted, Tally::default()));
        let bytes = reading.await.unwrap();
        let arrivals = if framing == Framing::Newlines {
            Arrivals::of_stream(&bytes)
        } else {
            let mut arrivals = Arrivals::default();
            arrivals.count_frames(&bytes);
            arrivals
        };
        arrivals.assert_agree_with(&stats);
        assert_eq!(arrivals.numbers(0), Vec::from_iter(0..1_000));
    }
}

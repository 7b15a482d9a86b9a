//! Tests of server endpoints: URLs, host names, frames on Unix streams, and Unix sockets that
//! appear, disappear, or are full.

#![cfg(unix)]

use crate::support::{
    SocketPath, assert_balanced, emit_numbered, eventually, flush, numbered_line, started,
};
use freewheel::{Builder, Connector, Dialect, Framing, Protocol, Tally};
use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::time::Duration;

/// Emits the lines with these numbers, marked as lines of thread 0. Returns the number of emitted
/// lines and bytes.
fn emit(statsd: &Connector, numbers: std::ops::Range<u64>) -> Tally {
    numbers.map(|number| emit_numbered(statsd, 0, number)).fold(Tally::default(), |a, b| a + b)
}

/// Returns the lines that [`emit`] emits for these numbers.
fn expected(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| numbered_line(0, number)).collect()
}

/// Receives datagrams until `count` lines have arrived. Returns the lines, and the sizes of the
/// datagrams.
fn receive(receiver: &UnixDatagram, count: usize) -> (Vec<String>, Vec<usize>) {
    let (mut lines, mut sizes) = (Vec::new(), Vec::new());
    let mut datagram = [0; 65_536];
    while lines.len() < count {
        let size = receiver.recv(&mut datagram).unwrap();
        let text = std::str::from_utf8(&datagram[..size]).unwrap();
        assert!(text.ends_with('\n'), "unterminated: {text:?}");
        lines.extend(text.lines().map(str::to_owned));
        sizes.push(size);
    }
    (lines, sizes)
}

#[test]
fn datagrams_are_filled_to_8192_bytes() {
    let socket_path = SocketPath::new("filled");
    let receiver = socket_path.bind();
    let statsd = socket_path.settings(Protocol::UnixDatagram).build().unwrap();
    let emitted = emit(&statsd, 0..2_000);
    statsd.start_on_thread().unwrap();
    let (lines, sizes) = receive(&receiver, 2_000);
    flush(&statsd);
    assert_eq!(lines, expected(0..2_000));
    assert_eq!(statsd.stats().sent, emitted);
    let (_, full) = sizes.split_last().unwrap();
    assert!(full.iter().all(|&size| (7_800..=8_192).contains(&size)), "{sizes:?}");
}

#[test]
fn receiver_restarts_lose_nothing() {
    let socket_path = SocketPath::new("restarted");
    let statsd = started(socket_path.settings(Protocol::UnixDatagram));
    emit(&statsd, 0..1_000);
    for round in 0..5 {
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(statsd.stats().sent.lines, 1_000 * round);
        let receiver = socket_path.bind();
        let numbers = 1_000 * round..1_000 * (round + 1);
        assert_eq!(receive(&receiver, 1_000).0, expected(numbers));
        flush(&statsd);
        drop(receiver);
        emit(&statsd, 1_000 * (round + 1)..1_000 * (round + 2));
    }
    let stats = statsd.stats();
    assert_eq!((stats.sent.lines, stats.buffered.lines), (5_000, 1_000));
    assert_eq!((stats.lost(), stats.dropped()), (Tally::default(), Tally::default()));
    assert_balanced(&stats);
}

#[test]
fn full_receiver_loses_no_line() {
    let socket_path = SocketPath::new("full");
    let receiver = socket_path.bind();
    let statsd = started(socket_path.settings(Protocol::UnixDatagram));
    let emitted = emit(&statsd, 0..5_000);
    // Waits until the receiver's queue is full.
    eventually("some lines are sent", || statsd.stats().sent.lines > 0);
    std::thread::sleep(Duration::from_millis(50));
    let stats = statsd.stats();
    assert!(stats.buffered.lines > 1_000, "{stats}");
    assert!(statsd.connected());
    assert_eq!(receive(&receiver, 5_000).0, expected(0..5_000));
    flush(&statsd);
    assert_eq!(statsd.stats().sent, emitted);
}

#[test]
fn a_line_longer_than_the_payload_goes_alone() {
    let socket_path = SocketPath::new("long");
    let receiver = socket_path.bind();
    let statsd = started(socket_path.settings(Protocol::UnixDatagram));
    statsd.incr("before");
    statsd.incr(&"n".repeat(10_000));
    statsd.incr("after");
    let (lines, _) = receive(&receiver, 3);
    assert_eq!((lines[0].as_str(), lines[2].as_str()), ("before:1|c", "after:1|c"));
    assert_eq!(lines[1].len(), 10_004);
}

#[test]
fn a_stream_is_followed_to_its_next_server() {
    let socket_path = SocketPath::new("stream");
    let statsd = started(socket_path.settings(Protocol::UnixStream));
    for round in 0..3 {
        let numbers = 1_000 * round..1_000 * (round + 1);
        emit(&statsd, numbers.clone());
        let _ = fs::remove_file(socket_path.path());
        let listener = UnixListener::bind(socket_path.path()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let wanted = expected(numbers).join("\n") + "\n";
        let mut received = vec![0; wanted.len()];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(String::from_utf8(received).unwrap(), wanted);
        flush(&statsd);
    }
    let report = statsd.blocking_stop();
    assert_eq!((report.stats.sent.lines, report.kept.lines), (3_000, 0));
    assert_balanced(&report.stats);
}

/// Returns the text of each complete length-prefixed frame in a byte stream.
fn unframe(mut stream: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some((frame, rest)) = rest.split_at_checked(length) else { break };
        frames.push(String::from_utf8(frame.to_vec()).unwrap());
        stream = rest;
    }
    frames
}

/// DogStatsD lines on a Unix stream are sent in length-prefixed frames by default, because the
/// Datadog Agent reads frames there. The setting `Framing::Newlines` turns the frames off.
#[test]
fn dogstatsd_is_framed_on_a_unix_stream() {
    for (framing, expected) in
        [(None, &b"\x06\0\0\0a:1|c\n"[..]), (Some(Framing::Newlines), b"a:1|c\n")]
    {
        let socket_path = SocketPath::new("agent");
        let listener = UnixListener::bind(socket_path.path()).unwrap();
        let settings = socket_path.settings(Protocol::UnixStream).dialect(Dialect::DogStatsD);
        let statsd = started(framing.into_iter().fold(settings, Builder::framing));
        let (mut stream, _) = listener.accept().unwrap();
        statsd.incr("a");
        let mut received = vec![0; expected.len()];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, expected);
        flush(&statsd);
        drop(stream);
        // Otherwise the connector would connect to the listener of the next round.
        assert_eq!(statsd.blocking_stop().kept.lines, 0);
    }
}

/// The flusher looks up host names without the blocking pool of its tokio runtime. The application
/// may have used up that pool, and a runtime that shuts down waits for it.
#[test]
fn names_are_looked_up_without_the_blocking_pool() {
    let receiver = crate::support::UdpReceiver::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || ended.recv());
    let settings = Connector::builder("localhost").port(receiver.port());
    let statsd = settings.protocol(Protocol::Udp).prefix("").build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    statsd.incr("a");
    // A name may have addresses at which nobody listens.
    assert_eq!(receiver.lines(1), ["counters.a:1|c"]);
    drop(end);
}

/// Frames on a Unix stream follow the Datadog Agent's format. A server closes the connection within
/// a frame, and the next server receives this frame from its start.
#[test]
fn frames_are_whole_and_follow_to_the_next_server() {
    let socket_path = SocketPath::new("frames");
    let settings = socket_path.settings(Protocol::UnixStream).framing(Framing::LengthPrefixed);
    let statsd = started(settings);
    // No server listens yet, so that frames are filled.
    let emitted = emit(&statsd, 0..5_000);
    let listener = UnixListener::bind(socket_path.path()).unwrap();
    // The first server reads this many bytes, and then closes the connection.
    let (mut first, _) = listener.accept().unwrap();
    let mut partial = vec![0; 100_000];
    first.read_exact(&mut partial).unwrap();
    drop(first);
    eventually("the flusher reconnects", || statsd.stats().connections > 1);
    let (mut second, _) = listener.accept().unwrap();
    let rest = std::thread::spawn(move || {
        let mut rest = Vec::new();
        second.read_to_end(&mut rest).map(|_| rest)
    });
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.sent, emitted);
    assert_balanced(&stats);
    let (partial, rest) = (unframe(&partial), unframe(&rest.join().unwrap().unwrap()));
    assert!(partial.iter().chain(&rest).all(|frame| (1..=8192).contains(&frame.len())));
    assert!(
        partial.iter().all(|frame| frame.len() > 7_500),
        "a frame of the first server is not filled"
    );
    let partial = partial.concat();
    let rest = rest.concat();
    let first: Vec<_> = partial.lines().map(str::to_owned).collect();
    let last: Vec<_> = rest.lines().map(str::to_owned).collect();
    assert_eq!(first, expected(0..first.len() as u64));
    assert_eq!(last, expected(5_000 - last.len() as u64..5_000));
    // Frames that the first server had not read are sent again.
    #[cfg(target_os = "linux")]
    assert!(first.len() + last.len() >= 5_000, "{} and {}", first.len(), last.len());
}

#[test]
fn datagrams_have_no_frames() {
    let socket_path = SocketPath::new("no-frames");
    let settings = socket_path.settings(Protocol::UnixDatagram).framing(Framing::LengthPrefixed);
    assert_eq!(settings.build().unwrap_err().setting(), "framing");
}

#[test]
fn missing_receiver_at_the_path_is_not_connected() {
    let socket_path = SocketPath::new("nobody");
    let statsd =
        started(socket_path.settings(Protocol::UnixStream).stop_timeout(Duration::from_millis(50)));
    emit(&statsd, 0..10);
    assert!(!statsd.connected());
    let report = statsd.blocking_stop();
    assert_eq!(report.kept.lines, 10);
    assert_eq!(fs::metadata(socket_path.path()).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn urls_are_taken_apart() {
    // Returns the endpoint that the connector shows, or the text of the error.
    let endpoint = |url: &str| {
        let statsd = Builder::from_url(url).and_then(Builder::build);
        let text =
            statsd.map(|statsd| format!("{statsd:?}")).map_err(|refused| refused.to_string())?;
        let (_, rest) = text.split_once("endpoint: ").unwrap();
        Ok(rest.split(", ").next().unwrap().to_owned())
    };
    for (url, meant) in [
        ("udp://127.0.0.1", "udp://127.0.0.1:8125"),
        ("UDP://127.0.0.1", "udp://127.0.0.1:8125"),
        ("udp://statsd.example:9125/", "udp://statsd.example:9125"),
        ("tcp://[::1]:9125", "tcp://[::1]:9125"),
        ("tcp://[::1]", "tcp://[::1]:8125"),
        ("unix:///run/statsd.sock", "unixgram:///run/statsd.sock"),
        ("unixgram:///run/a b:1.sock", "unixgram:///run/a b:1.sock"),
        ("unix:///run/a%20b.sock", "unixgram:///run/a%20b.sock"),
        ("unixstream:///run/statsd.sock", "unixstream:///run/statsd.sock"),
    ] {
        assert_eq!(endpoint(url).as_deref(), Ok(meant), "{url}");
    }
    for (url, setting) in [
        ("127.0.0.1:8125", "url"),
        ("http://127.0.0.1", "url"),
        ("udp://[::1", "url"),
        ("udp://[::1]x:1", "url"),
        ("udp://127.0.0.1:", "url"),
        ("udp://127.0.0.1:+1", "url"),
        ("udp://127.0.0.1:65536", "url"),
        ("udp://::1", "url"),
        ("udp://::1:8125", "url"),
        ("udp://127.0.0.1:0", "port"),
        ("udp://", "host"),
        ("udp://user@127.0.0.1", "host"),
        ("udp://127.0.0.1/path", "host"),
        ("unixgram://", "host"),
        ("unixgram:///run/\0", "host"),
    ] {
        let refused: Result<String, String> = endpoint(url);
        assert!(
            refused.as_ref().is_err_and(|text| text.contains(&format!(" for {setting}: "))),
            "{url}: {refused:?}"
        );
    }
    let longest = Path::new("/").join("n".repeat(106));
    let url = format!("unixgram://{}", longest.display());
    assert_eq!(endpoint(&url).is_ok(), cfg!(target_os = "linux"));
    assert!(endpoint(&(url + "n")).is_err());
}

//! Helpers that the test crates share: a line parser, test servers, producer threads and timeouts.

// Each test crate compiles all of these helpers and uses some of them.
#![allow(dead_code, unused_imports)]

mod arrivals;
mod raw_server;
mod receivers;
#[cfg(unix)]
mod socket_path;

pub(crate) use arrivals::{Arrivals, Discrepancies};
pub(crate) use raw_server::{Listener, ServerConnection};
pub(crate) use receivers::{Close, FullAcceptQueue, TcpReceiver, UdpReceiver, lines_of};
#[cfg(unix)]
pub(crate) use socket_path::SocketPath;

use freewheel::{Builder, Connector, Protocol, Stats, Tally};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::net::{TcpListener, UdpSocket};
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};
use tokio::runtime::{self, Runtime};

/// Maximum time that a test waits for an event. Only a failing test waits this long.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum time that `promptly` waits for a call. The calls should take a fraction of a second, but
/// a busy machine is slow.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits until `condition` returns true. Panics after [`WAIT_TIMEOUT`], with `event` in the
/// message.
pub(crate) fn eventually(event: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < WAIT_TIMEOUT, "timed out waiting: {event}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs `call` on another thread and returns its result. Panics if the call takes longer than
/// [`CALL_TIMEOUT`].
///
/// A call that hangs therefore fails its test instead of blocking it.
pub(crate) fn promptly<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(call()));
    match result.recv_timeout(CALL_TIMEOUT) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("the call took longer than {CALL_TIMEOUT:?}"),
        Err(RecvTimeoutError::Disconnected) => panic!("the call panicked"),
    }
}

/// Runs `future` to completion on the calling thread, with a minimal executor that is independent
/// of tokio.
///
/// It polls only when it is woken.
pub(crate) fn park_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Starts a tokio runtime that runs its tasks on a separate thread, like the runtime of a service.
pub(crate) fn runtime() -> Runtime {
    let mut builder = runtime::Builder::new_multi_thread();
    builder
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("the machine has the resources for a runtime")
}

/// Returns a free port of 127.0.0.1 below the range of ephemeral ports.
///
/// The kernel assigns no such port, so that only the test itself will listen there. An ephemeral
/// port is not suitable: a connection to it can get the same source port and connect to itself.
pub(crate) fn unused_port() -> u16 {
    static FIRST: OnceLock<u16> = OnceLock::new();
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test crates may run at the same time, so each starts its search at a random port.
    let first = FIRST.get_or_init(|| RandomState::new().hash_one(()) as u16);
    let candidates = std::iter::repeat_with(|| {
        let offset = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        10_000 + offset
    });
    let is_free = |port: &u16| {
        TcpListener::bind(("127.0.0.1", *port)).is_ok()
            && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
    };
    candidates.take(20_000).find(is_free).expect("one of 20,000 ports is free")
}

/// Returns connector settings with short flush and reconnect intervals, for a TCP server at this
/// port of 127.0.0.1.
///
/// Metric names carry no type prefix.
pub(crate) fn tcp(port: u16) -> Builder {
    Connector::builder("127.0.0.1")
        .port(port)
        .type_prefixes(false)
        .flush_interval(Duration::from_millis(5))
        .reconnect_sleep(Duration::from_millis(10))
        .stop_timeout(WAIT_TIMEOUT)
}

/// Returns the settings of [`tcp`], but for a UDP server.
pub(crate) fn udp(port: u16) -> Builder {
    tcp(port).protocol(Protocol::Udp)
}

/// Builds a connector with these settings, and starts its flusher on a dedicated thread.
pub(crate) fn started(settings: Builder) -> Connector {
    let statsd = settings.build().expect("the settings are valid");
    statsd.start_on_thread().expect("the connector is not running yet");
    statsd
}

/// Parts of a StatsD line `path:value|code`, as a server splits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) path: &'a str,
    pub(crate) value: &'a str,
    pub(crate) code: &'a str,
}

impl<'a> Line<'a> {
    /// Splits a StatsD line, without its newline, into its parts. Returns `None` if a part is
    /// missing or malformed.
    pub(crate) fn split(line: &'a str) -> Option<Self> {
        let (path, rest) = line.split_once(':')?;
        let (value, code) = rest.split_once('|')?;
        let field = |text: &str| !text.is_empty() && !text.contains(['|', ':']);
        let clean = !line.contains(char::is_control);
        (clean && field(path) && field(value) && !code.is_empty()).then_some(Self {
            path,
            value,
            code,
        })
    }

    /// Parses a StatsD line of a counter, a gauge or a timer, in the form that every server
    /// accepts. Returns `None` for all other lines.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let Self { path, value, code } = Self::split(line)?;
        let magnitude = match (code, value.as_bytes()[0]) {
            ("c" | "g", b'-') | ("g", b'+') => &value[1..],
            ("c" | "g" | "ms", _) => value,
            _ => return None,
        };
        is_plain_decimal(magnitude).then_some(Self { path, value, code })
    }
}

/// Returns true if `text` consists of digits, optionally followed by a decimal point and more
/// digits.
///
/// A sign, an exponent or a redundant leading zero is not accepted.
fn is_plain_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

/// Returns the number of these lines and of their bytes. Each line counts with its newline, as in
/// the connector's statistics.
pub(crate) fn tally(lines: &[String]) -> Tally {
    let bytes = lines.iter().map(|line| line.len() as u64 + 1).sum();
    Tally { lines: lines.len() as u64, bytes }
}

/// Asserts that the emitted lines equal the sum of the sent, buffered, dropped, lost and merged lines,
/// and likewise their bytes.
#[track_caller]
pub(crate) fn assert_balanced(stats: &Stats) {
    let accounted = stats.sent + stats.buffered + stats.dropped() + stats.lost() + stats.merged;
    assert_eq!(stats.emitted, accounted, "{stats:?}");
}

/// Flushes the connector, which waits until all lines emitted so far are sent. Panics if the flush
/// fails.
pub(crate) fn flush(statsd: &Connector) {
    assert_eq!(statsd.blocking_flush(), Ok(()), "{:?}", statsd.stats());
}

/// Returns a counter line for tests, with the number of its producer thread and its line number in
/// the metric name.
///
/// Its length follows from the number, so that torn, duplicated and reordered lines are detected.
/// Lines have at most about 400 bytes, and about 200 on average.
pub(crate) fn numbered_line(thread: u64, number: u64) -> String {
    format!("{}:1|c", numbered_name(thread, number))
}

/// Returns the metric name of the line that [`numbered_line`] returns.
pub(crate) fn numbered_name(thread: u64, number: u64) -> String {
    let padding = "x".repeat((number * 97 % 389) as usize);
    format!("t{thread}.{number}.{padding}")
}

/// Emits the line that `numbered_line` returns. Returns the tally of the line: one line and its
/// number of bytes.
pub(crate) fn emit_numbered(statsd: &Connector, thread: u64, number: u64) -> Tally {
    let name = numbered_name(thread, number);
    statsd.incr(&name);
    Tally { lines: 1, bytes: (name.len() + ":1|c\n".len()) as u64 }
}

/// Emits lines with these line numbers for the producer thread `thread`. Returns the number of the
/// lines and of their bytes.
pub(crate) fn emit_all(statsd: &Connector, thread: u64, numbers: Range<u64>) -> Tally {
    let emitted = numbers.map(|number| emit_numbered(statsd, thread, number));
    emitted.fold(Tally::default(), |sum, tally| sum + tally)
}

/// Parses a line that `numbered_line` has created, and returns its thread and line number. Panics
/// if the line is torn (truncated or joined to another line).
#[track_caller]
pub(crate) fn numbered(line: &str) -> (u64, u64) {
    parse_numbered(line).unwrap_or_else(|| panic!("torn: {line:?}"))
}

/// Parses a line that `numbered_line` has created, and returns its thread and line number. Returns
/// `None` for any other line.
fn parse_numbered(line: &str) -> Option<(u64, u64)> {
    let mut path = Line::parse(line)?.path.strip_prefix('t')?.splitn(3, '.');
    let (thread, number) = (path.next()?.parse().ok()?, path.next()?.parse().ok()?);
    (line == numbered_line(thread, number)).then_some((thread, number))
}

/// Asserts that each of these numbered lines is whole and unique, and that the lines of each
/// producer thread are in order.
#[track_caller]
pub(crate) fn assert_whole_and_in_order(lines: &[String]) {
    let mut last = HashMap::new();
    for line in lines {
        let (thread, number) = numbered(line);
        if let Some(previous) = last.insert(thread, number) {
            assert!(previous < number, "thread {thread}: {number} came after {previous}");
        }
    }
}

/// Returns the line numbers of these numbered lines by producer thread, in the order of the lines.
pub(crate) fn numbers_by_thread(lines: &[String]) -> BTreeMap<u64, Vec<u64>> {
    let mut threads = BTreeMap::<u64, Vec<u64>>::new();
    for (thread, number) in lines.iter().map(|line| numbered(line)) {
        threads.entry(thread).or_default().push(number);
    }
    threads
}

/// Producer threads that emit numbered lines until the test calls [`Load::end`].
pub(crate) struct Load {
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// Starts the producer threads. Each thread repeatedly emits ten lines and sleeps for 100 µs.
    pub(crate) fn begin(statsd: &Connector, threads: u64) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let spawn = |thread| {
            let (statsd, end) = (statsd.clone(), Arc::clone(&end));
            thread::spawn(move || {
                let mut emitted = Tally::default();
                for number in 0.. {
                    if number % 10 == 0 {
                        if end.load(Ordering::Relaxed) {
                            break;
                        }
                        thread::sleep(Duration::from_micros(100));
                    }
                    emitted += emit_numbered(&statsd, thread, number);
                }
                emitted
            })
        };
        let threads = (0..threads).map(spawn).collect();
        Self { end, threads }
    }

    /// Stops the producer threads, and returns the number of lines and bytes that they emitted.
    pub(crate) fn end(self) -> Tally {
        self.end.store(true, Ordering::Relaxed);
        let ended = self
            .threads
            .into_iter()
            .map(|thread| thread.join().expect("the producer threads do not panic"));
        ended.fold(Tally::default(), |sum, tally| sum + tally)
    }
}

//! What the tests share: a reader of the protocol of their own, receivers, and patience.

// Each test crate is compiled with all of this, and uses a part.
#![allow(dead_code, unused_imports)]

mod arrivals;
#[cfg(unix)]
mod place;
mod raw_server;
mod receivers;

pub(crate) use arrivals::{Arrivals, Findings};
#[cfg(unix)]
pub(crate) use place::Place;
pub(crate) use raw_server::{Listener, Peer};
pub(crate) use receivers::{BlackHole, Close, TcpReceiver, UdpReceiver, lines_of};

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

/// How long a test waits for what must happen. Only a failing test waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long a call may take that keeps a deadline of a fraction of a second, however busy the
/// machine is.
const PROMPT: Duration = Duration::from_secs(5);

/// Waits until `condition` holds; how long that takes decides nothing.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// What `call` returns, which must be soon. A call that hangs fails its test, and does not hang
/// it.
pub(crate) fn promptly<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(call()));
    match result.recv_timeout(PROMPT) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("it took longer than {PROMPT:?}"),
        Err(RecvTimeoutError::Disconnected) => panic!("it panicked"),
    }
}

/// An executor that knows nothing of tokio: it polls when woken.
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

/// A runtime that turns without being waited for, as a service has it.
pub(crate) fn runtime() -> Runtime {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("the machine has room for a runtime")
}

/// A port where nobody listens, and nobody will unless told to: it lies below those that the
/// operating system hands out by itself. (Among those, a connection to a port without a
/// listener can even be given that port as its own, and be connected to itself.)
pub(crate) fn quiet_port() -> u16 {
    static FIRST: OnceLock<u16> = OnceLock::new();
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test crates may run at the same time, and begin at different places.
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

/// Settings that lose no time, for a server at this port; paths are names and nothing else.
pub(crate) fn tcp(port: u16) -> Builder {
    Connector::builder("127.0.0.1")
        .port(port)
        .type_prefixes(false)
        .flush_interval(Duration::from_millis(5))
        .reconnect_sleep(Duration::from_millis(10))
        .stop_timeout(PATIENCE)
}

/// As [`tcp`].
pub(crate) fn udp(port: u16) -> Builder {
    tcp(port).protocol(Protocol::Udp)
}

/// A connector with these settings that runs on a thread of its own.
pub(crate) fn started(settings: Builder) -> Connector {
    let statsd = settings.build().expect("valid settings");
    statsd.start_on_thread().expect("it is not running");
    statsd
}

/// A line as a server takes it apart: `path:value|code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) path: &'a str,
    pub(crate) value: &'a str,
    pub(crate) code: &'a str,
}

impl<'a> Line<'a> {
    /// Takes apart a line without its newline. None if a field is missing or ends where it
    /// should not.
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

    /// Takes apart a line that holds a counter, a gauge or a timer, and nothing beyond what
    /// every server accepts.
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

/// Digits, and a point with digits on both sides of it. No sign, no exponent, no idle zeros.
fn is_plain_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

/// What these lines are in the account, where each has its newline.
pub(crate) fn tally(lines: &[String]) -> Tally {
    let bytes = lines.iter().map(|line| line.len() as u64 + 1).sum();
    Tally { lines: lines.len() as u64, bytes }
}

/// Every line that was handed over is in one place, in lines and in bytes.
#[track_caller]
pub(crate) fn assert_balanced(stats: &Stats) {
    let places = stats.sent + stats.buffered + stats.dropped() + stats.lost();
    assert_eq!(stats.emitted, places, "{stats:?}");
}

/// Waits until all that was emitted so far has been sent.
pub(crate) fn flush(statsd: &Connector) {
    assert_eq!(statsd.blocking_flush(), Ok(()), "{:?}", statsd.stats());
}

/// A counter that tells who emitted it and as which, and has a length that follows from that:
/// what is torn, doubled or out of order shows. The longest have about 400 bytes, the mean half
/// of that.
pub(crate) fn numbered_line(thread: u64, number: u64) -> String {
    format!("{}:1|c", numbered_name(thread, number))
}

pub(crate) fn numbered_name(thread: u64, number: u64) -> String {
    let padding = "x".repeat((number * 97 % 389) as usize);
    format!("t{thread}.{number}.{padding}")
}

/// Emits that line, and returns its size.
pub(crate) fn emit_numbered(statsd: &Connector, thread: u64, number: u64) -> Tally {
    let name = numbered_name(thread, number);
    statsd.incr(&name);
    Tally { lines: 1, bytes: (name.len() + ":1|c\n".len()) as u64 }
}

/// Emits this thread's lines of these numbers.
pub(crate) fn emit_all(statsd: &Connector, thread: u64, numbers: Range<u64>) -> Tally {
    let emitted = numbers.map(|number| emit_numbered(statsd, thread, number));
    emitted.fold(Tally::default(), |sum, tally| sum + tally)
}

/// The thread and number of a line that arrived.
#[track_caller]
pub(crate) fn numbered(line: &str) -> (u64, u64) {
    parse_numbered(line).unwrap_or_else(|| panic!("torn: {line:?}"))
}

/// As above; None if that is not what it is.
fn parse_numbered(line: &str) -> Option<(u64, u64)> {
    let mut path = Line::parse(line)?.path.strip_prefix('t')?.splitn(3, '.');
    let (thread, number) = (path.next()?.parse().ok()?, path.next()?.parse().ok()?);
    (line == numbered_line(thread, number)).then_some((thread, number))
}

/// Every line is whole, none came twice, and each thread's came in its order.
#[track_caller]
pub(crate) fn assert_whole_and_in_order(lines: &[String]) {
    let mut last = HashMap::new();
    for line in lines {
        let (thread, number) = numbered(line);
        if let Some(before) = last.insert(thread, number) {
            assert!(before < number, "thread {thread}: {number} came after {before}");
        }
    }
}

/// The numbers that arrived of each thread.
pub(crate) fn numbers_by_thread(lines: &[String]) -> BTreeMap<u64, Vec<u64>> {
    let mut threads = BTreeMap::<u64, Vec<u64>>::new();
    for (thread, number) in lines.iter().map(|line| numbered(line)) {
        threads.entry(thread).or_default().push(number);
    }
    threads
}

/// Threads that emit numbered lines until they are told to end.
pub(crate) struct Load {
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// Each thread emits ten lines at a time and rests for a moment.
    pub(crate) fn begin(statsd: &Connector, threads: u64) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let emitter = |thread| {
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
        let threads = (0..threads).map(emitter).collect();
        Self { end, threads }
    }

    /// Ends it; returns all that was emitted.
    pub(crate) fn end(self) -> Tally {
        self.end.store(true, Ordering::Relaxed);
        let ended = self.threads.into_iter().map(|thread| thread.join().expect("no panic"));
        ended.fold(Tally::default(), |sum, tally| sum + tally)
    }
}

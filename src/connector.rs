//! The connector: what an application holds.

use crate::emit::{
    BelowZero, Head, Injected, Invalid, Line, Number, Scratch, Sign, Value, milliseconds,
    seconds_as_milliseconds,
};
use crate::error::{BuildError, StartError};
use crate::handoff::Exchange;
use crate::lifecycle::Lifecycle;
use crate::send::{Shared, Warnings};
use crate::settings::{Builder, Settings, Shape};
use crate::stats::{Account, FlushOutcome, Stats, StopReport};
use crate::timer::Timer;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Emits metrics to a StatsD server.
///
/// A connector is a cheap handle: clone it, share it, keep one in each part of a service. The
/// calls that emit take `&self`, return nothing, never fail and never wait. A line that cannot
/// be accepted is dropped and counted, see [`Stats`].
///
/// # What may be lost, and when
///
/// * Lines wait in memory until the flusher sends them, at most one flush interval while the
///   server takes them. What is in memory when the process ends is lost:
///   [`stop`](Self::stop) before that.
/// * Over TCP, what the other side did not acknowledge survives a broken connection, on Linux and unless
///   the [delivery](crate::Delivery) says otherwise; what it did acknowledge counts as sent. Over
///   UDP what the operating system took counts as sent, and can be lost on the way.
/// * Beyond the capacity the newest lines are dropped, or the
///   [oldest](crate::WhenFull::DropOldest), and counted.
///
/// # Life
///
/// Lines emitted before [`start`](Self::start), and between [`stop`](Self::stop) and the next
/// start, are kept up to the capacity and sent after it. Dropping a handle never stops the
/// others. When the last is dropped without a stop, the flusher sends what it can within the
/// stop timeout, if its runtime lives that long, and ends.
///
/// # Example
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use freewheel::{Connector, Protocol};
///
/// let statsd = Connector::builder("127.0.0.1").protocol(Protocol::Udp).build()?;
/// statsd.start().await?;
/// statsd.incr("requests");
/// let report = statsd.stop().await;
/// assert_eq!(report.kept.lines, 0);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Connector {
    /// None for a disabled one.
    pub(crate) inner: Option<Inner>,
}

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) exchange: Arc<Exchange>,
    owner: Arc<Owner>,
}

/// What is owned by the handles, and not by the flusher.
struct Owner {
    heads: Heads,
    lifecycle: Lifecycle,
    shared: Arc<Shared>,
}

/// One for each kind of line.
struct Heads {
    counter: Head,
    gauge: Head,
    timer: Head,
    bare: Head,
}

impl Heads {
    fn new(prefix: &str, type_prefixes: bool) -> Self {
        let head = |kind| Head::new(prefix, if type_prefixes { kind } else { "" });
        Self {
            counter: head("counters"),
            gauge: head("gauges"),
            timer: head("timers"),
            bare: head(""),
        }
    }
}

impl Connector {
    /// Begins the settings of a connector to this host: an IPv4 or IPv6 address, or a name,
    /// which is looked up at each connection.
    pub fn builder(host: impl Into<String>) -> Builder {
        Builder::new(host.into())
    }

    /// Begins the settings of a connector to this endpoint: `udp://host[:port]`,
    /// `tcp://host[:port]`, and on Unix `unixgram:///path` (or `unix:///path`) and
    /// `unixstream:///path`. IPv6 addresses stand in brackets. The port's default is 8125.
    ///
    /// ```
    /// use freewheel::Connector;
    ///
    /// let statsd = Connector::from_url("udp://[::1]:9125")?.prefix("my-service").build()?;
    /// let refused = Connector::from_url("http://127.0.0.1").unwrap_err();
    /// assert_eq!(refused.setting(), "url");
    /// # Ok::<(), freewheel::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// What is no such URL. What is wrong with the host, the port or the path is refused by
    /// [`build`](Builder::build).
    pub fn from_url(url: &str) -> Result<Builder, BuildError> {
        Builder::from_url(url)
    }

    /// A connector of the same interface that does nothing, at no cost.
    ///
    /// Its numbers stay 0, and it is never connected.
    #[must_use]
    pub const fn disabled() -> Self {
        Self { inner: None }
    }

    pub(crate) fn new(settings: Settings, shape: Shape) -> Self {
        let wake = Arc::new(Notify::new());
        let ring = Arc::clone(&wake);
        let exchange = Arc::new(Exchange::new(
            shape.block_size,
            shape.blocks,
            shape.ring_at,
            Box::new(move || ring.notify_one()),
        ));
        let shared = Shared {
            exchange: Arc::clone(&exchange),
            settings,
            account: Account::default(),
            connected: AtomicBool::new(false),
            warned_of: AtomicU64::new(0),
            wake,
            warnings: Warnings::default(),
        };
        let owner = Owner {
            heads: Heads::new(&shape.prefix, shape.type_prefixes),
            lifecycle: Lifecycle::default(),
            shared: Arc::new(shared),
        };
        Self { inner: Some(Inner { exchange, owner: Arc::new(owner) }) }
    }

    /// Counts one.
    #[inline]
    pub fn incr(&self, name: &str) {
        if let Some(inner) = &self.inner {
            inner.incr(name);
        }
    }

    /// Counts `amount`, which may be negative or fractional.
    #[inline]
    pub fn incr_by(&self, name: &str, amount: impl Value) {
        if let Some(inner) = &self.inner {
            inner.incr_by(name, amount);
        }
    }

    /// Counts one down.
    #[inline]
    pub fn decr(&self, name: &str) {
        self.decr_by(name, 1);
    }

    /// Counts `amount` down: `decr_by(name, 2)` sends `-2`.
    #[inline]
    pub fn decr_by(&self, name: &str, amount: impl Value) {
        if let Some(inner) = &self.inner {
            inner.decr_by(name, amount);
        }
    }

    /// Sets a gauge.
    ///
    /// Servers take a signed value for a delta. So a number below zero is sent as two lines,
    /// `0` and then the number; they always travel in one datagram.
    #[inline]
    pub fn gauge(&self, name: &str, value: impl Value) {
        if let Some(inner) = &self.inner {
            inner.gauge(name, value);
        }
    }

    /// Raises a gauge by `delta`, or lowers it where that is negative. May be fractional.
    #[inline]
    pub fn gauge_delta(&self, name: &str, delta: impl Value) {
        if let Some(inner) = &self.inner {
            inner.gauge_delta(name, delta);
        }
    }

    /// Records how long something took, in milliseconds, exact to the nanosecond.
    #[inline]
    pub fn timing(&self, name: &str, elapsed: Duration) {
        if let Some(inner) = &self.inner {
            inner.timing(name, elapsed);
        }
    }

    /// Records how many seconds something took; sent as milliseconds with the digits that
    /// `seconds` has. What is negative or not finite is dropped and counted as invalid.
    #[inline]
    pub fn timing_seconds(&self, name: &str, seconds: f64) {
        if let Some(inner) = &self.inner {
            inner.timing_seconds(name, seconds);
        }
    }

    /// Begins a timing that is recorded when the guard is dropped, also by a panic.
    #[inline]
    pub fn timer<'a>(&'a self, name: &'a str) -> Timer<'a> {
        // A disabled one does not even look at the clock.
        let start = self.inner.is_some().then(Instant::now);
        Timer::new(self, name, start)
    }

    /// Sends `{prefix.}{path}:{value}|{type_code}`: for what the other calls do not offer.
    ///
    /// The path is made safe like any name. A value with `:`, `|` or a control character is
    /// dropped and counted as invalid, as is an empty one. The type code may be followed by
    /// further fields (`c|@0.1`): only control characters are refused there.
    pub fn inject_metric(&self, path: &str, value: &str, type_code: &str) {
        if let Some(inner) = &self.inner {
            inner.inject(path, value, type_code);
        }
    }

    /// Starts the flusher on the current tokio runtime. It returns once the flusher runs, and
    /// does not wait for a connection: that is made, and made again, from now on.
    ///
    /// A disabled connector starts at once.
    ///
    /// # Errors
    /// [`StartError::AlreadyRunning`], and nothing changes; [`StartError::NoRuntime`] outside a
    /// tokio runtime; [`StartError::RuntimeUnfit`] if the flusher cannot run there.
    ///
    /// # Panics
    /// Not here. But tokio tells the flusher by a panic in its task that the runtime has no time
    /// or I/O driver: that is caught, unless panics abort the process.
    ///
    /// It waits for as long as nobody drives that runtime.
    ///
    /// # Cancel safety
    /// If the future is dropped after it was polled, the flusher runs nevertheless.
    pub async fn start(&self) -> Result<(), StartError> {
        match &self.inner {
            Some(inner) => inner.owner.lifecycle.start(&inner.owner.shared).await,
            None => Ok(()),
        }
    }

    /// Starts the flusher on a thread of its own, named `freewheel`, with a small runtime of
    /// its own: for programs without tokio, and for services whose requests should not share
    /// their runtime with it.
    ///
    /// # Errors
    /// [`StartError::AlreadyRunning`], and nothing changes; [`StartError::Thread`] if the
    /// operating system refuses the thread.
    pub fn start_on_thread(&self) -> Result<(), StartError> {
        match &self.inner {
            Some(inner) => inner.owner.lifecycle.start_on_thread(&inner.owner.shared),
            None => Ok(()),
        }
    }

    /// Waits until what was emitted before it, by this thread or ordered before this call by
    /// other means, is with the operating system, over TCP with the
    /// [other side's](crate::Delivery); no longer than the stop timeout.
    ///
    /// # Cancel safety
    /// Dropping the future gives up waiting, and nothing else. Any executor will do.
    pub async fn flush(&self) -> FlushOutcome {
        match &self.inner {
            Some(inner) => inner.owner.lifecycle.flush(&inner.owner.shared).await,
            None => FlushOutcome::Done,
        }
    }

    /// Sends what was emitted before it, until the stop timeout has passed, and ends the
    /// flusher. Says what was sent and what was not: that is kept for the next start.
    ///
    /// A connector that is not running answers at once; stopped twice at a time, it answers
    /// both.
    ///
    /// # Cancel safety
    /// The flusher stops nevertheless, once the future was polled. Any executor will do.
    pub async fn stop(&self) -> StopReport {
        match &self.inner {
            Some(inner) => inner.owner.lifecycle.stop(&inner.owner.shared).await,
            None => StopReport::default(),
        }
    }

    /// [`flush`](Self::flush) for programs without an executor.
    ///
    /// # Panics
    /// Within a tokio runtime, whose thread it would block.
    pub fn blocking_flush(&self) -> FlushOutcome {
        if self.inner.is_none() {
            return FlushOutcome::Done;
        }
        block_on(self.flush())
    }

    /// [`stop`](Self::stop) for programs without an executor.
    ///
    /// # Panics
    /// Within a tokio runtime, whose thread it would block.
    pub fn blocking_stop(&self) -> StopReport {
        if self.inner.is_none() {
            return StopReport::default();
        }
        block_on(self.stop())
    }

    /// The account: where every line is by now. Reads one place for each thread that emits;
    /// the threads do not notice.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.as_ref().map_or_else(Stats::default, |inner| inner.owner.shared.stats())
    }

    /// Whether the flusher has a connection; over UDP, whether it has a socket that no
    /// refusal has come back to.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| {
            // In this order: what is left of a flusher that ended is gone once the next one runs.
            // ORDERING: Relaxed. A flag to look at, which publishes nothing.
            inner.owner.lifecycle.is_running() && inner.owner.shared.connected.load(Relaxed)
        })
    }
}

/// The calls, once it is known that there is something to do. Each is a function of its own,
/// so that what is compiled into the caller's code is one test and one call.
impl Inner {
    fn incr(&self, name: &str) {
        let one = || Number { sign: Sign::None, digits: b"1" };
        let head = &self.owner.heads.counter;
        self.exchange.emit(|| Line::new(head, name, one(), b"|c\n"));
    }

    fn incr_by(&self, name: &str, amount: impl Value) {
        let mut scratch = Scratch::new();
        let Some(number) = amount.format(&mut scratch) else { return self.refuse() };
        let head = &self.owner.heads.counter;
        self.exchange.emit(|| Line::new(head, name, number, b"|c\n"));
    }

    fn decr_by(&self, name: &str, amount: impl Value) {
        let mut scratch = Scratch::new();
        let Some(number) = amount.format(&mut scratch) else { return self.refuse() };
        let head = &self.owner.heads.counter;
        self.exchange.emit(|| Line::new(head, name, number.negated(), b"|c\n"));
    }

    fn gauge(&self, name: &str, value: impl Value) {
        let mut scratch = Scratch::new();
        let Some(number) = value.format(&mut scratch) else { return self.refuse() };
        let head = &self.owner.heads.gauge;
        let line = || Line::new(head, name, number, b"|g\n");
        if number.is_negative() {
            self.exchange.emit(|| BelowZero(line()));
        } else {
            self.exchange.emit(line);
        }
    }

    fn gauge_delta(&self, name: &str, delta: impl Value) {
        let mut scratch = Scratch::new();
        let Some(number) = delta.format(&mut scratch) else { return self.refuse() };
        let head = &self.owner.heads.gauge;
        self.exchange.emit(|| Line::new(head, name, number.signed(), b"|g\n"));
    }

    fn timing(&self, name: &str, elapsed: Duration) {
        let mut scratch = Scratch::new();
        let number = milliseconds(elapsed, &mut scratch);
        let head = &self.owner.heads.timer;
        self.exchange.emit(|| Line::new(head, name, number, b"|ms\n"));
    }

    fn timing_seconds(&self, name: &str, seconds: f64) {
        let mut scratch = Scratch::new();
        let number = seconds_as_milliseconds(seconds, &mut scratch);
        let Some(number) = number else { return self.refuse() };
        let head = &self.owner.heads.timer;
        self.exchange.emit(|| Line::new(head, name, number, b"|ms\n"));
    }

    fn inject(&self, path: &str, value: &str, code: &str) {
        let Some(digits) = Injected::new(value, code) else { return self.refuse() };
        let number = Number { sign: Sign::None, digits };
        let head = &self.owner.heads.bare;
        self.exchange.emit(|| Line::new(head, path, number, b"\n"));
    }

    #[cold]
    fn refuse(&self) {
        self.exchange.emit(|| Invalid);
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Connector");
        match &self.inner {
            Some(inner) => {
                let settings = &inner.owner.shared.settings;
                text.field("endpoint", &format_args!("{}", settings.endpoint));
                text.field("stats", &self.stats());
            }
            None => {
                text.field("disabled", &true);
            }
        }
        text.finish()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers needs nothing").block_on(future)
}

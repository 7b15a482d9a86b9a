//! Connectors: the client handles through which an application emits metrics.

mod build;
mod calls;
mod prepare;
mod scoped;

use crate::config::{FlusherConfig, ProducerConfig};
use crate::connector_core::{ConnectorCore, FlusherOwner, ScopeContext, ScopedExchange};
use crate::emit::Exchange;
use crate::error::{FlushError, StartError};
use crate::flush::{Shared, Wake, process_barrier};
use crate::lifecycle::Lifecycle;
use crate::stats::{Stats, StopReport};
use freewheel_handoff::Barrier;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Client that emits metrics to a StatsD server.
///
/// A connector is a cheap handle that can be cloned and shared. The calls that emit take `&self`,
/// return nothing, never fail and never block. A line that cannot be accepted is dropped and
/// counted: see [`Stats`].
///
/// # What may be lost, and when
///
/// * **When the process ends**, the lines in memory are lost. Call [`stop`](Self::stop) first. While
///   the server accepts lines, a line stays in memory for at most one flush interval.
/// * **When a stream breaks**, lines that the server's operating system did not acknowledge over TCP,
///   or that the server did not read from a Unix stream, are sent again on Linux, unless the
///   [delivery](crate::Delivery) is `Written`. Lines that it acknowledged over TCP, and that the
///   server did not read, are lost.
/// * **Over UDP**, a line counts as sent once the operating system has accepted its datagram. The
///   network can still lose it.
/// * **When the capacity is used up**, the newest lines are dropped and counted, or the
///   [oldest](crate::WhenFull::DropOldest).
///
/// # Order
///
/// Gauges, gauge deltas and service checks are sent in the order of their calls, across all threads.
/// Other lines are sent in the order of the calls of their own thread.
///
/// # Start and end
///
/// * A connector that is not started keeps lines up to its capacity. A later [`start`](Self::start)
///   sends them, also after a [`stop`](Self::stop).
/// * Dropping a handle does not stop the others. When the last handle is dropped without a stop, the
///   flusher sends for up to the stop timeout, provided that its runtime lives that long. The drop
///   does not wait: a program that ends right afterwards may have sent nothing.
/// * When a runtime ends without a stop, its flusher ends too, with a warning. Lines are then kept for
///   the next start.
///
/// # Fork
///
/// A process that forks should build its connectors after the fork. The flusher of an earlier
/// connector runs only in the parent. In the child such a connector is harmless:
///
/// * It accepts lines up to its capacity, and sends none.
/// * [`flush`](Self::flush) and [`stop`](Self::stop) return at once and report that it is not running.
///   [`start`](Self::start) returns an error, and [`connected`](Self::connected) returns false.
/// * A connector that was not running at the fork can be started in both processes. Both then send the
///   lines that it held at the fork.
///
/// No call in the child waits for a lock that was held at the fork, provided that no other thread of
/// the parent was in a call of this crate at that moment.
///
/// # Example
///
/// ```
/// use freewheel::{Connector, Protocol};
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// # let lines = tokio::runtime::Runtime::new()?.block_on(async {
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port())
///     .protocol(Protocol::Udp)
///     .build()?;
/// statsd.start().await?;
/// statsd.incr("requests"); // counters.requests:1|c
/// let report = statsd.stop().await;
/// assert_eq!(report.kept.lines, 0);
/// # Ok::<_, Box<dyn std::error::Error>>(server.lines(report.stats.sent.lines))
/// # })?;
/// # assert_eq!(lines, ["counters.requests:1|c"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Connector(ConnectorCore);

impl Connector {
    /// Returns a connector that discards all metrics. Each call only tests that the connector is
    /// disabled.
    ///
    /// Its [`stats`](Self::stats) stay 0, and it is never connected.
    #[must_use]
    pub const fn disabled() -> Self {
        Self(ConnectorCore::DISABLED)
    }

    pub(crate) fn new(flusher: FlusherConfig, producer: ProducerConfig) -> Self {
        let wake = Arc::new(Wake::default());
        let (wake_flusher, barrier): (freewheel_handoff::Wake, _) = if producer.never_wake {
            // Without a barrier the flusher never becomes dormant, so that it needs no wake-up.
            (Box::new(|| ()), Barrier::none())
        } else {
            let ring = Arc::clone(&wake);
            (Box::new(move || ring.notify()), process_barrier())
        };
        let settings = freewheel_handoff::Settings {
            block_size: producer.block_size,
            blocks: producer.blocks,
            ring_at: producer.ring_at,
            max_record: producer.max_line,
        };
        let mut exchange = Exchange::new(&settings, wake_flusher, barrier);
        if producer.never_wake {
            exchange.forbid_moves_by_producers();
        }
        if let Some(threads) = producer.prefault {
            prepare::prefault(&mut exchange, threads);
        }
        let exchange = Arc::new(exchange);
        let shared = Shared::new(Arc::clone(&exchange), flusher, wake);
        let owner = FlusherOwner {
            sampling: producer.sampling,
            lifecycle: Lifecycle::default(),
            shared: Arc::new(shared),
        };
        let scoped = ScopeContext { scope: producer.scope, owner: Arc::new(owner) };
        Self(ConnectorCore::new(ScopedExchange { exchange, scoped: Arc::new(scoped) }))
    }

    /// Returns the exchange (the buffers of lines for the flusher) and the scope (prefix and tags),
    /// or `None` if the connector is disabled.
    #[inline(always)]
    pub(crate) fn inner(&self) -> Option<&ScopedExchange> {
        self.0.enabled()
    }

    fn owner(&self) -> Option<&FlusherOwner> {
        self.inner().map(|inner| &*inner.scoped.owner)
    }

    /// Starts the flusher, the task that sends the lines, on the current tokio runtime. Returns
    /// once this task runs.
    ///
    /// The call does not wait for a connection. The flusher connects in the background, and
    /// reconnects whenever the connection breaks. A disabled connector starts at once.
    ///
    /// # Errors
    /// A failed start changes nothing.
    ///
    /// * [`StartError::AlreadyRunning`] if the connector is running.
    /// * [`StartError::Forked`] if it was running when this process was forked.
    /// * [`StartError::NoRuntime`] outside a tokio runtime.
    /// * [`StartError::UnsuitableRuntime`] if the flusher cannot run on this runtime.
    /// * [`StartError::Descriptor`] if the process has no file descriptor left.
    ///
    /// # Panics
    /// Never panics. If the runtime lacks a time or I/O driver, tokio panics in the flusher's task. The flusher
    /// catches this panic, unless panics abort the process.
    ///
    /// If the runtime is not driven, this returns after the stop timeout, and after at least a second, and
    /// logs a warning. The flusher runs once the runtime is driven.
    ///
    /// # Cancel safety
    /// Once the future has been polled, the flusher runs even if the future is dropped.
    pub async fn start(&self) -> Result<(), StartError> {
        match self.owner() {
            Some(owner) => owner.lifecycle.start(&owner.shared).await,
            None => Ok(()),
        }
    }

    /// Starts the flusher, the task that sends the lines, on a new thread named `freewheel` with a
    /// single-threaded tokio runtime. The builder can set another [name](crate::Builder::thread_name),
    /// and a function that the thread [calls first](crate::Builder::on_thread_start).
    ///
    /// Suits programs without tokio, and services whose requests should not share a runtime with the
    /// flusher.
    ///
    /// # Errors
    /// A failed start changes nothing.
    ///
    /// * [`StartError::AlreadyRunning`] if the connector is running.
    /// * [`StartError::Forked`] if it was running when this process was forked.
    /// * [`StartError::Thread`] if the operating system refuses the thread, or if the function that the
    ///   thread calls first panics.
    /// * [`StartError::Descriptor`] if the process has no file descriptor left.
    pub fn start_on_thread(&self) -> Result<(), StartError> {
        match self.owner() {
            Some(owner) => owner.lifecycle.start_on_thread(&owner.shared),
            None => Ok(()),
        }
    }

    /// Waits until every line emitted before this call counts as sent or lost, for at most the stop
    /// timeout.
    ///
    /// These are the lines of this thread, and lines of other threads whose call happened before this
    /// one. Datagrams count as sent once the operating system has accepted them. The
    /// [delivery](crate::Delivery) defines when lines on a stream count as sent.
    ///
    /// The future runs in any executor. A short-lived thread keeps the deadline.
    ///
    /// # Errors
    /// * [`FlushError::TimedOut`] if the stop timeout passed first.
    /// * [`FlushError::NotRunning`] if the connector is not running, or was stopped during the flush.
    ///
    /// A disabled connector returns `Ok(())`.
    ///
    /// # Cancel safety
    /// Dropping the future only ends the wait.
    pub async fn flush(&self) -> Result<(), FlushError> {
        match self.owner() {
            Some(owner) => owner.lifecycle.flush(&owner.shared).await,
            None => Ok(()),
        }
    }

    /// Sends the lines that were emitted before this call, for at most the stop timeout, and then
    /// ends the flusher task.
    ///
    /// The report has the lines that were sent, and those that were not. The latter are kept for the
    /// next start.
    ///
    /// A connector that is not running returns its report at once. Two simultaneous stops both return
    /// a report. If the flusher's runtime is blocked, the flusher cannot reply. The call then
    /// returns a quarter of a second after the stop timeout, with an
    /// [unfinished](StopReport::unfinished) report.
    ///
    /// Warnings of the stop are logged on another thread, for which the call waits at most 50 ms.
    ///
    /// The future runs in any executor. A short-lived thread keeps the deadline.
    ///
    /// # Cancel safety
    /// Once the future has been polled, the flusher stops even if the future is dropped.
    pub async fn stop(&self) -> StopReport {
        match self.owner() {
            Some(owner) => owner.lifecycle.stop(&owner.shared).await,
            None => StopReport::default(),
        }
    }

    /// Flushes as [`flush`](Self::flush) does, and blocks the calling thread until the flush has
    /// ended.
    ///
    /// Any thread can make this call: in a program without an executor, in a destructor, in a panic
    /// hook, at the exit of the process, or within a runtime. If the flusher needs the blocked thread
    /// itself, the call returns [`TimedOut`](FlushError::TimedOut) after the stop timeout.
    ///
    /// # Errors
    /// The errors of [`flush`](Self::flush).
    pub fn blocking_flush(&self) -> Result<(), FlushError> {
        match self.owner() {
            Some(owner) => owner.lifecycle.blocking_flush(&owner.shared),
            None => Ok(()),
        }
    }

    /// Stops the connector as [`stop`](Self::stop) does, and blocks the calling thread until the
    /// stop has ended.
    ///
    /// Any thread can make this call, as [`blocking_flush`](Self::blocking_flush). If the flusher needs
    /// the blocked thread itself, the report is [unfinished](StopReport::unfinished).
    pub fn blocking_stop(&self) -> StopReport {
        match self.owner() {
            Some(owner) => owner.lifecycle.blocking_stop(&owner.shared),
            None => StopReport::default(),
        }
    }

    /// Returns the counts of all lines: emitted, sent, buffered, dropped and lost. The call reads
    /// the counters of the producer threads without synchronizing with these threads.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.owner().map_or_else(Stats::default, |owner| owner.shared.stats())
    }

    /// Returns true if the flusher task is connected to the server. Over UDP, it is connected while
    /// its socket has received no refusal.
    ///
    /// Returns false if the server has accepted nothing for the [peer timeout](crate::Builder::peer_timeout) while
    /// lines waited.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.owner().is_some_and(|owner| {
            // `is_running` comes first: a new flusher resets the flag that an ended flusher left.
            // ORDERING: Relaxed. The flag publishes nothing.
            owner.lifecycle.is_running() && owner.shared.connected.load(Relaxed)
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Connector");
        match self.owner() {
            Some(owner) => {
                let settings = &owner.shared.settings;
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

//! The connector: the handle that an application holds.

mod calls;
mod scoped;

use crate::config::{FlusherConfig, ProducerConfig};
use crate::connector_core::{ConnectorCore, FlusherOwner, ScopeContext, ScopedExchange};
use crate::error::{FlushError, StartError};
use crate::handoff::Exchange;
use crate::lifecycle::Lifecycle;
use crate::send::{Shared, Wake};
use crate::stats::{Stats, StopReport};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

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
/// * On Linux, what the other side did not acknowledge over TCP, or not read from a Unix stream,
///   survives a broken connection, unless the [delivery](crate::Delivery) says otherwise; what it
///   did acknowledge or read counts as sent. Over UDP what the operating system took counts as
///   sent, and can be lost on the way.
/// * Beyond the capacity the newest lines are dropped, or the
///   [oldest](crate::WhenFull::DropOldest), and counted.
///
/// # Order
///
/// Gauges, their changes and service checks are sent in the order in which their calls were made, whichever
/// threads those were of. All else is sent in the order of its thread.
///
/// # Life
///
/// Lines emitted before [`start`](Self::start), and between [`stop`](Self::stop) and the next
/// start, are kept up to the capacity and sent after it. Dropping a handle never stops the
/// others. When the last is dropped without a stop, the flusher sends what it can within the
/// stop timeout, if its runtime lives that long, and ends. A program that ends right after that has
/// sent nothing: [`stop`](Self::stop) is what waits. A runtime that ends without a stop takes
/// the flusher with it: a warning says so, and what is emitted waits for the next start.
///
/// A connector that is never started gathers lines up to the capacity, and sends none.
///
/// # Fork
///
/// A process that forks builds its connectors after the fork. One that was running before it is of no use to
/// the child, since its flusher stayed with the parent, and does no harm there. It accepts lines up to the
/// capacity and sends none; [`flush`](Self::flush) and [`stop`](Self::stop) answer at once that nothing
/// runs; [`start`](Self::start) is refused; it is not [`connected`](Self::connected). One that was not running
/// can be started in either process, and in both: what it held at the fork is sent by both then.
///
/// No call on either waits for a lock that another thread held at the fork, as long as none of the parent's
/// threads was within a call to this crate then.
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
    /// Returns a connector of the same interface that does nothing, at no cost.
    ///
    /// Its numbers stay 0, and it is never connected.
    #[must_use]
    pub const fn disabled() -> Self {
        Self(ConnectorCore::DISABLED)
    }

    pub(crate) fn new(settings: FlusherConfig, shape: ProducerConfig) -> Self {
        let wake = Arc::new(Wake::default());
        let ring = Arc::clone(&wake);
        let wakes = Box::new(move || ring.notify());
        let exchange = Exchange::new(shape.block_size, shape.blocks, shape.ring_at, wakes);
        let exchange = Arc::new(exchange.with_max_line(shape.max_line));
        let shared = Shared::new(Arc::clone(&exchange), settings, wake);
        let owner = FlusherOwner {
            sampling: shape.sampling,
            lifecycle: Lifecycle::default(),
            shared: Arc::new(shared),
        };
        let scoped = ScopeContext { scope: shape.scope, owner: Arc::new(owner) };
        Self(ConnectorCore::new(ScopedExchange { exchange, scoped: Arc::new(scoped) }))
    }

    /// Returns the exchange and the scope, or `None` if the connector is disabled.
    #[inline(always)]
    pub(crate) fn inner(&self) -> Option<&ScopedExchange> {
        self.0.enabled()
    }

    fn owner(&self) -> Option<&FlusherOwner> {
        self.inner().map(|inner| &*inner.scoped.owner)
    }

    /// Starts the flusher on the current tokio runtime. It returns once the flusher runs, and
    /// does not wait for a connection: that is made, and made again, from now on.
    ///
    /// A disabled connector starts at once.
    ///
    /// # Errors
    /// [`StartError::AlreadyRunning`], and nothing changes; [`StartError::Forked`] if it was running when this
    /// process was forked; [`StartError::NoRuntime`] outside a tokio runtime; [`StartError::UnsuitableRuntime`] if
    /// the flusher cannot run there; [`StartError::Descriptor`] if no descriptor is left.
    ///
    /// # Panics
    /// Never panics. If the runtime lacks a time or I/O driver, tokio panics in the flusher's task. The flusher
    /// catches this panic, unless panics abort the process.
    ///
    /// If the runtime is not driven, this returns after the stop timeout. The flusher runs once the runtime
    /// is driven.
    ///
    /// # Cancel safety
    /// If the future is dropped after it was polled, the flusher runs nevertheless.
    pub async fn start(&self) -> Result<(), StartError> {
        match self.owner() {
            Some(owner) => owner.lifecycle.start(&owner.shared).await,
            None => Ok(()),
        }
    }

    /// Starts the flusher on a separate thread, named `freewheel`, with a separate small runtime.
    ///
    /// Suits programs without tokio, and services whose requests should not share their runtime with the
    /// flusher.
    ///
    /// # Errors
    /// [`StartError::AlreadyRunning`], and nothing changes; [`StartError::Forked`] if it was running when this
    /// process was forked; [`StartError::Thread`] if the operating system refuses the thread;
    /// [`StartError::Descriptor`] if no descriptor is left.
    pub fn start_on_thread(&self) -> Result<(), StartError> {
        match self.owner() {
            Some(owner) => owner.lifecycle.start_on_thread(&owner.shared),
            None => Ok(()),
        }
    }

    /// Waits until what was emitted before it, by this thread or ordered before this call by
    /// other means, is with the operating system, over TCP with the
    /// [other side's](crate::Delivery), over a Unix stream read by the server, or lost and
    /// counted; no longer than the stop timeout.
    ///
    /// # Errors
    /// [`FlushError::TimedOut`] if the stop timeout passed first, and [`FlushError::NotRunning`] if the
    /// connector was not running, or was stopped during the flush. A disabled connector returns `Ok(())`.
    ///
    /// # Cancel safety
    /// Dropping the future stops the waiting, and nothing else. Any executor can run it: a thread that lives
    /// as long as the wait keeps the deadline.
    pub async fn flush(&self) -> Result<(), FlushError> {
        match self.owner() {
            Some(owner) => owner.lifecycle.flush(&owner.shared).await,
            None => Ok(()),
        }
    }

    /// Sends what was emitted before it, until the stop timeout has passed, and ends the
    /// flusher. Says what was sent and what was not: that is kept for the next start.
    ///
    /// A connector that is not running answers at once; stopped twice at a time, it answers
    /// both. The flusher answers when all is sent, or when the stop timeout has passed. Only where its
    /// runtime does not let it, as on a thread that is blocked, the account answers in its place, a
    /// quarter of a second after the stop timeout, and the report says that it is
    /// [unfinished](StopReport::unfinished).
    ///
    /// # Cancel safety
    /// The flusher stops nevertheless, once the future was polled. Any executor will do.
    pub async fn stop(&self) -> StopReport {
        match self.owner() {
            Some(owner) => owner.lifecycle.stop(&owner.shared).await,
            None => StopReport::default(),
        }
    }

    /// [`flush`](Self::flush) that blocks the thread: for programs without an executor, and wherever else
    /// there is none, as in a destructor, a panic hook, or at the process's exit.
    ///
    /// It does so on any thread, and needs nothing of it. On one of a tokio runtime that thread does
    /// nothing else meanwhile; where the flusher lives on that very thread, it cannot answer, and the
    /// outcome is [`TimedOut`](FlushError::TimedOut) once the stop timeout has passed.
    ///
    /// # Errors
    /// The errors of [`flush`](Self::flush).
    pub fn blocking_flush(&self) -> Result<(), FlushError> {
        match self.owner() {
            Some(owner) => owner.lifecycle.blocking_flush(&owner.shared),
            None => Ok(()),
        }
    }

    /// [`stop`](Self::stop) that blocks the thread: as [`blocking_flush`](Self::blocking_flush), and
    /// where the flusher cannot answer, the report says that it is [unfinished](StopReport::unfinished).
    pub fn blocking_stop(&self) -> StopReport {
        match self.owner() {
            Some(owner) => owner.lifecycle.blocking_stop(&owner.shared),
            None => StopReport::default(),
        }
    }

    /// Returns the account, which says where every line is. Reads the counters of each producer thread
    /// without disturbing it.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.owner().map_or_else(Stats::default, |owner| owner.shared.stats())
    }

    /// Returns true if the flusher has a connection, or over UDP a socket that has received no refusal.
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

//! Connector (the StatsD client) for request handlers, which joins the parts of metric paths.

use super::path::{MetricPath, PathText};
use crate::connector::Connector;
use crate::encode::Value;
use std::fmt;
use std::ops::Deref;
use std::time::{Duration, Instant};

/// Connector (the StatsD client) for request handlers, with methods that take
/// [metric paths](MetricPath) in parts.
///
/// It dereferences to [`Connector`]. In axum it is an extractor: see [`freewheel::axum`](crate::axum).
///
/// ```
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// # let builder = freewheel::Connector::builder("127.0.0.1").port(server.port());
/// # let connector = builder.protocol(freewheel::Protocol::Udp).build()?;
/// # connector.start_on_thread()?;
/// # let statsd = freewheel::tower::Statsd::new(connector.clone());
/// # async fn load() {}
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let timer = statsd.execution_timer(("users", "load")); // timers.users.load, when dropped
/// load().await;
/// drop(timer);
/// statsd.increase_counter(("users", 17, "loads"), 1); // counters.users.17.loads:1|c
/// statsd.gauge("users", 3); // gauges.users:3|g
/// # });
/// # let report = connector.blocking_stop();
/// # let (timers, lines): (Vec<_>, Vec<_>) = server
/// #     .lines(report.stats.sent.lines)
/// #     .into_iter()
/// #     .partition(|line| line.starts_with("timers.users.load:") && line.ends_with("|ms"));
/// # assert_eq!(timers.len(), 1);
/// # assert_eq!(lines, ["counters.users.17.loads:1|c", "gauges.users:3|g"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Statsd(Connector);

impl Statsd {
    /// Wraps a connector, for handlers that do not use axum's extractors.
    #[must_use]
    pub fn new(connector: Connector) -> Self {
        Self(connector)
    }

    /// Starts a timer for the timing `path`. The returned guard records the elapsed time when it is
    /// dropped.
    ///
    /// It also records if the handler panics, or if its future is dropped because the client
    /// disconnected.
    pub fn execution_timer(&self, path: impl MetricPath) -> ExecutionTimer {
        // A disabled connector reads neither the path nor the clock.
        let running = self.0.inner().is_some().then(|| {
            let path = PathText::new(&path);
            RunningTimer { connector: self.0.clone(), path, start: Instant::now() }
        });
        ExecutionTimer { running }
    }

    /// Adds `amount`, which may be negative or fractional, to the counter `path`.
    pub fn increase_counter(&self, path: impl MetricPath, amount: impl Value) {
        if self.0.inner().is_some() {
            self.0.incr_by(PathText::new(&path).as_str(), amount);
        }
    }

    /// Records the duration `elapsed` for the timing `path`.
    pub fn record_timing(&self, elapsed: Duration, path: impl MetricPath) {
        if self.0.inner().is_some() {
            self.0.timing(PathText::new(&path).as_str(), elapsed);
        }
    }
}

impl Deref for Statsd {
    type Target = Connector;

    fn deref(&self) -> &Connector {
        &self.0
    }
}

/// Guard that records the time since [`Statsd::execution_timer`] when it is dropped.
///
/// The guard borrows nothing, so it can be held across awaits and moved to another task.
#[must_use = "the time ends when the guard is dropped"]
pub struct ExecutionTimer {
    /// Connector, path and start of the timer, or `None` if the timer is discarded or its connector
    /// is disabled.
    running: Option<RunningTimer>,
}

struct RunningTimer {
    connector: Connector,
    path: PathText,
    start: Instant,
}

impl ExecutionTimer {
    /// Returns the time since the start of the timer, or zero if the connector is disabled.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.running.as_ref().map_or(Duration::ZERO, |running| running.start.elapsed())
    }

    /// Ends the timer without recording anything.
    pub fn discard(mut self) {
        self.running = None;
    }
}

impl Drop for ExecutionTimer {
    fn drop(&mut self) {
        if let Some(RunningTimer { connector, path, start }) = &self.running {
            connector.timing(path.as_str(), start.elapsed());
        }
    }
}

impl fmt::Debug for ExecutionTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.running.as_ref().map(|running| running.path.as_str());
        f.debug_struct("ExecutionTimer").field("path", &path).finish_non_exhaustive()
    }
}

//! The flusher's warnings: of failed links, missing lines and unexpected exits.
//!
//! A warning runs code of the application, which may use this connector, or build, start and stop
//! others. So the flusher warns only between two events, while it holds no lock.

use super::shared::Shared;
use crate::stats::Stats;
use crate::tally::Tally;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::Instant;

/// A failed link or connection attempt.
pub(super) struct LinkFailure {
    error: io::Error,
    retry_in: Duration,
    /// Number of failures that were not reported since the last warning.
    suppressed: u64,
}

impl LinkFailure {
    /// Returns a failure to report, or `None` if the rate limit suppresses the warning.
    pub(super) fn new(
        shared: &Shared,
        error: io::Error,
        now: Instant,
        retry_in: Duration,
    ) -> Option<Self> {
        let suppressed = shared.warning_limits.link_failure.admit(now)?;
        Some(Self { error, retry_in, suppressed })
    }

    /// Warns that the server cannot be reached.
    pub(super) fn warn(&self, shared: &Shared) {
        let Self { error, retry_in, suppressed } = self;
        let endpoint = &shared.settings.endpoint;
        guarded(|| {
            tracing::warn!(
                %error,
                %endpoint,
                ?retry_in,
                suppressed,
                "cannot reach the StatsD server, retrying"
            );
        });
    }
}

/// Returns the number of lines that were dropped or lost since the last warning.
pub(super) fn unreported_lines(shared: &Shared, stats: &Stats) -> u64 {
    let missing = stats.dropped().lines + stats.lost().lines;
    // ORDERING: Relaxed. One flusher at a time uses the number.
    missing.saturating_sub(shared.reported_missing.load(Relaxed))
}

/// Warns if more lines were dropped or lost since the last warning, and if a line was rejected. The
/// last warning of a flusher is not limited by the time since the one before.
pub(super) fn warn_of_missing_lines(shared: &Shared, is_last: bool) {
    let stats = shared.stats();
    let limits = &shared.warning_limits;
    let lines = unreported_lines(shared, &stats);
    if lines > 0 && (limits.missing_lines.admit(Instant::now()).is_some() || is_last) {
        // ORDERING: Relaxed. One flusher at a time uses the number.
        shared.reported_missing.fetch_add(lines, Relaxed);
        let (drops, losses) = (stats.drops, stats.losses);
        guarded(|| tracing::warn!(lines, ?drops, ?losses, "metrics were dropped or lost"));
    }
    if let Some(line) = shared.account.take_rejected_line()
        && let Some(suppressed) = limits.rejected_line.admit(Instant::now())
    {
        guarded(|| {
            tracing::warn!(
                line,
                suppressed,
                "the server closes the connection on a metric, which is discarded"
            );
        });
    }
}

/// Warns of the lines of a connector whose last handle is dropped while no flusher runs.
pub(crate) fn warn_of_abandoned_lines(shared: &Shared) {
    warn_of_missing_lines(shared, true);
    let Tally { lines, bytes } = shared.stats().buffered;
    if lines > 0 {
        guarded(|| tracing::warn!(lines, bytes, "{HANDLES_DROPPED}"));
    }
}

const HANDLES_DROPPED: &str = "the last connector was dropped with metrics unsent";

/// The reason for a flusher's exit.
pub(super) enum ExitCause {
    /// A handle stopped the flusher.
    Stopped,
    /// The last handle was dropped.
    HandlesDropped,
    /// The flusher's runtime ended, or the flusher panicked.
    RuntimeEnded,
}

impl ExitCause {
    /// Warns of lines that an exiting flusher leaves unsent or unacknowledged. An exit of which the
    /// owner may not know is always reported.
    pub(super) fn warn(&self, shared: &Shared, kept: Tally, unacknowledged: Tally) {
        if unacknowledged.lines > 0 {
            let Tally { lines, bytes } = unacknowledged;
            guarded(|| {
                tracing::warn!(
                    lines,
                    bytes,
                    "the server had not acknowledged all metrics at the end, and may lose them"
                );
            });
        }
        let Tally { lines, bytes } = kept;
        let limiter = &shared.warning_limits.kept_lines;
        let is_due = || lines > 0 && limiter.admit(Instant::now()).is_some();
        match self {
            Self::Stopped if is_due() => guarded(|| {
                tracing::warn!(
                    lines,
                    bytes,
                    "stopped with metrics unsent: kept for the next start"
                );
            }),
            Self::HandlesDropped if lines > 0 => guarded(|| {
                tracing::warn!(lines, bytes, "{HANDLES_DROPPED}");
            }),
            Self::RuntimeEnded => guarded(|| {
                tracing::warn!(
                    lines,
                    bytes,
                    "the flusher's runtime ended without a stop: metrics are kept, up to the capacity, \
                     and sent only if the connector is started again"
                );
            }),
            _ => {}
        }
    }
}

/// Warns on drop, for a flusher that is dropped before it reports its exit.
pub(super) struct ExitWarning {
    shared: Arc<Shared>,
    /// Cause to report, or `None` if there is nothing to report.
    pub(super) cause: Option<ExitCause>,
    pub(super) unacknowledged: Tally,
}

impl ExitWarning {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), cause: None, unacknowledged: Tally::default() }
    }
}

impl Drop for ExitWarning {
    fn drop(&mut self) {
        if let Some(cause) = self.cause.take() {
            cause.warn(&self.shared, self.shared.stats().buffered, self.unacknowledged);
        }
    }
}

/// Calls `warn` and catches its panic: a subscriber that panics must not end the flusher, nor a
/// process whose flusher ends by a panic.
fn guarded(warn: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(warn));
}

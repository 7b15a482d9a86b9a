//! Warnings that the flusher logs: failed connections, dropped or lost lines, and unexpected exits
//! of the flusher.
//!
//! A warning runs code of the application, which may use this connector, build, start and stop
//! others, or block. So all warnings are logged on a separate thread (see [`crate::log_thread`]). The
//! functions of this module read the numbers at once, and add the warning to a batch.

use super::shared::Shared;
use crate::log_thread::{Batch, LogThread, log, log_on_thread};
use crate::stats::Stats;
use crate::tally::Tally;
use std::io;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Failure of the connection to the server, or of an attempt to connect, that the flusher logs.
pub(super) struct LinkFailure {
    error: io::Error,
    retry_in: Duration,
    /// Number of failures that the rate limit kept out of the log since the last logged failure.
    suppressed: u64,
}

impl LinkFailure {
    /// Returns a failure to log, or `None` if the rate limit suppresses the warning.
    pub(super) fn new(shared: &Shared, error: io::Error, retry_in: Duration) -> Option<Self> {
        let suppressed = shared.warning_limits.link_failure.admit()?;
        Some(Self { error, retry_in, suppressed })
    }

    /// Adds a warning that the server cannot be reached.
    pub(super) fn warn(self, batch: &mut Batch, shared: &Shared) {
        let Self { error, retry_in, suppressed } = self;
        let endpoint = shared.settings.endpoint.clone();
        batch.add(move || {
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

/// Adds a warning that a lookup of the server's name failed, and that the addresses of an earlier
/// lookup are used.
pub(super) fn warn_of_failed_lookup(batch: &mut Batch, shared: &Shared, error: io::Error) {
    if let Some(suppressed) = shared.warning_limits.failed_lookup.admit() {
        let endpoint = shared.settings.endpoint.clone();
        batch.add(move || {
            tracing::warn!(
                %error,
                %endpoint,
                suppressed,
                "cannot look up the StatsD server's name, using its last known addresses"
            );
        });
    }
}

/// Adds a warning that the server has accepted nothing for the peer timeout, although lines wait.
pub(super) fn warn_of_stalled_server(batch: &mut Batch, shared: &Shared) {
    if shared.warning_limits.stalled_server.admit().is_some() {
        let Tally { lines, bytes } = shared.stats().buffered;
        let endpoint = shared.settings.endpoint.clone();
        batch.add(move || {
            tracing::warn!(%endpoint, lines, bytes, "the StatsD server accepts nothing, waiting");
        });
    }
}

/// Returns the number of lines that were dropped or lost since the last warning.
pub(super) fn unreported_lines(shared: &Shared, stats: &Stats) -> u64 {
    let missing = stats.dropped().lines + stats.lost().lines;
    // ORDERING: Relaxed. One flusher at a time uses the number.
    missing.saturating_sub(shared.reported_missing.load(Relaxed))
}

/// Adds a warning if lines were dropped or lost since the last such warning, and another if the
/// server or the operating system rejected a line. With `is_last`, the warning about dropped and
/// lost lines ignores its rate limit.
pub(super) fn warn_of_missing_lines(batch: &mut Batch, shared: &Shared, is_last: bool) {
    let stats = shared.stats();
    let limits = &shared.warning_limits;
    let lines = unreported_lines(shared, &stats);
    if lines > 0 && (limits.missing_lines.admit().is_some() || is_last) {
        // ORDERING: Relaxed. One flusher at a time uses the number.
        shared.reported_missing.fetch_add(lines, Relaxed);
        let (drops, losses) = (stats.drops, stats.losses);
        batch.add(move || {
            tracing::warn!(lines, ?drops, ?losses, "metrics were dropped or lost");
        });
    }
    if let Some(line) = shared.account.take_rejected_line()
        && let Some(suppressed) = limits.rejected_line.admit()
    {
        let is_stream = shared.settings.endpoint.protocol().is_stream();
        batch.add(move || {
            if is_stream {
                tracing::warn!(
                    line,
                    suppressed,
                    "the server closes the connection on a metric, which is discarded"
                );
            } else {
                tracing::warn!(
                    line,
                    suppressed,
                    "the operating system refuses to send a metric, which is discarded"
                );
            }
        });
    }
}

/// Logs a warning about unsent lines if the application drops its last handle of the client while
/// no flusher runs.
pub(crate) fn warn_of_abandoned_lines(shared: &Shared) {
    let stats = shared.stats();
    let unsent = Unsent { lines: stats.buffered, undrained: shared.aggregates.undrained() };
    if !unsent.is_any() && unreported_lines(shared, &stats) == 0 {
        return;
    }
    let mut batch = Batch::default();
    warn_of_missing_lines(&mut batch, shared, true);
    ExitCause::HandlesDropped.warn(&mut batch, shared, unsent, Tally::default());
    batch.log();
}

/// Logs a warning that a start ended without the flusher's reply.
pub(crate) fn warn_of_unfinished_start() {
    let text = "the flusher did not reply to a start in time: its runtime does not run it";
    log(vec![text.to_owned()]);
}

/// Logs a warning that a stop ended without the flusher's reply. `kept` is the count of the lines
/// that are unsent at that time.
pub(crate) fn warn_of_unfinished_stop(shared: &Shared, kept: Tally) {
    if shared.warning_limits.unfinished_stop.admit().is_some() {
        let Tally { lines, bytes } = kept;
        log_on_thread(move || {
            tracing::warn!(
                lines,
                bytes,
                "the flusher did not reply to a stop in time: its runtime does not run it"
            );
        });
    }
}

/// Lines and values that are unsent when a flusher ends.
#[derive(Clone, Copy)]
pub(super) struct Unsent {
    pub(super) lines: Tally,
    /// Number of aggregated metrics with a value that was not handed on.
    pub(super) undrained: u64,
}

impl Unsent {
    fn is_any(&self) -> bool {
        self.lines.lines > 0 || self.undrained > 0
    }
}

/// Reason for which a flusher ended.
pub(super) enum ExitCause {
    /// The application stopped the flusher.
    Stopped,
    /// The application dropped its last handle of the client.
    HandlesDropped,
    /// The tokio runtime of the flusher ended, or the flusher panicked.
    RuntimeEnded,
}

impl ExitCause {
    /// Adds a warning about the lines that an ended flusher leaves unsent (`kept`) or
    /// unacknowledged. Always warns of the end of the runtime, since the application may not know
    /// that the flusher ended.
    pub(super) fn warn(
        &self,
        batch: &mut Batch,
        shared: &Shared,
        unsent: Unsent,
        unacknowledged: Tally,
    ) {
        if unacknowledged.lines > 0 {
            let Tally { lines, bytes } = unacknowledged;
            batch.add(move || {
                tracing::warn!(
                    lines,
                    bytes,
                    "the server had not acknowledged all metrics at the end, and may lose them"
                );
            });
        }
        let Unsent { lines: Tally { lines, bytes }, undrained } = unsent;
        let limiter = &shared.warning_limits.kept_lines;
        let is_due = || unsent.is_any() && limiter.admit().is_some();
        match self {
            Self::Stopped if is_due() => batch.add(move || {
                tracing::warn!(
                    lines,
                    bytes,
                    undrained,
                    "stopped with metrics unsent: kept for the next start"
                );
            }),
            Self::HandlesDropped if unsent.is_any() => batch.add(move || {
                tracing::warn!(
                    lines,
                    bytes,
                    undrained,
                    "the last connector was dropped with metrics unsent"
                );
            }),
            Self::RuntimeEnded => batch.add(move || {
                tracing::warn!(
                    lines,
                    bytes,
                    undrained,
                    "the flusher's runtime ended without a stop: metrics are kept, up to the capacity, \
                     and sent only if the connector is started again"
                );
            }),
            _ => {}
        }
    }
}

/// Guard of a flusher that logs warnings on drop, if the flusher is dropped without an orderly end:
/// of that end, and of lines dropped or lost shortly before.
pub(super) struct ExitWarning {
    shared: Arc<Shared>,
    /// Cause of the flusher's end to log on drop, or `None` if there is nothing to log.
    pub(super) cause: Option<ExitCause>,
    pub(super) unacknowledged: Tally,
    /// Earlier warnings that the flusher has yet to log.
    pub(super) earlier: Batch,
    /// Logger of the flusher's warnings.
    pub(super) log_thread: LogThread,
}

impl ExitWarning {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            cause: None,
            unacknowledged: Tally::default(),
            earlier: Batch::default(),
            log_thread: LogThread::default(),
        }
    }
}

impl Drop for ExitWarning {
    fn drop(&mut self) {
        if let Some(cause) = self.cause.take() {
            let mut batch = take(&mut self.earlier);
            let undrained = self.shared.aggregates.undrained();
            let unsent = Unsent { lines: self.shared.stats().buffered, undrained };
            cause.warn(&mut batch, &self.shared, unsent, self.unacknowledged);
            warn_of_missing_lines(&mut batch, &self.shared, true);
            self.log_thread.log(batch);
            self.log_thread.wait();
        }
    }
}

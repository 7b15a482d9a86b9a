//! Warnings, rate-limited by time: one of a kind, then silence for a while.
//!
//! They reach code of the application's, which may use this connector, or build, start and stop others.
//! So none is given while a lock is held, or anything is half done.

use super::flusher::Shared;
use crate::handoff::Tally;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

const SILENCE: Duration = Duration::from_secs(10);

/// One for each kind, kept from one flusher to the next.
#[derive(Default)]
pub(crate) struct Warnings {
    pub(super) link: Limiter,
    missing: Limiter,
    kept: Limiter,
    rejected: Limiter,
}

/// Lets one in [`SILENCE`] through. Without a lock, which a fork could find held.
#[derive(Default)]
pub(super) struct Limiter {
    /// When it was asked first.
    first: OnceLock<Instant>,
    /// When the last one is over, in nanoseconds since then.
    silent_until: AtomicU64,
    held_back: AtomicU64,
}

impl Limiter {
    /// Whether to warn now, and how many times it was held back since the last time.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        let first = *self.first.get_or_init(|| now);
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let now = now.saturating_duration_since(first);
        let next = nanoseconds(now + SILENCE);
        // ORDERING: Relaxed, here and below. Numbers that publish nothing but themselves.
        let until = self.silent_until.load(Relaxed);
        let is_silent = nanoseconds(now) < until;
        // Of two that come at once, one is let through. ORDERING: Relaxed, as above.
        if is_silent || self.silent_until.compare_exchange(until, next, Relaxed, Relaxed).is_err() {
            // ORDERING: Relaxed, as above.
            self.held_back.fetch_add(1, Relaxed);
            return None;
        }
        // ORDERING: Relaxed, as above.
        Some(self.held_back.swap(0, Relaxed))
    }
}

/// That there is no link.
pub(super) struct NoLink {
    pub(super) error: io::Error,
    pub(super) retry_in: Duration,
    pub(super) held_back: u64,
}

impl NoLink {
    pub(super) fn tell(&self, shared: &Shared) {
        let Self { error, retry_in, held_back } = self;
        let endpoint = &shared.settings.endpoint;
        safely(|| {
            tracing::warn!(%error, %endpoint, ?retry_in, held_back, "no link to the StatsD server");
        });
    }
}

/// Of what was dropped or lost, if that is more than the last time.
pub(super) fn tell_of_missing(shared: &Shared) {
    let stats = shared.stats();
    let missing = stats.dropped().lines + stats.lost().lines;
    // ORDERING: Relaxed, both. This flusher's alone, and the next one's.
    let warned_of = shared.warned_of.load(Relaxed);
    if missing > warned_of && shared.warnings.missing.admit(Instant::now()).is_some() {
        shared.warned_of.store(missing, Relaxed);
        let lines = missing - warned_of;
        let (drops, losses) = (stats.drops, stats.losses);
        safely(|| tracing::warn!(lines, ?drops, ?losses, "metrics were dropped or lost"));
    }
    if let Some(line) = shared.account.take_rejected_line()
        && let Some(held_back) = shared.warnings.rejected.admit(Instant::now())
    {
        safely(|| {
            tracing::warn!(line, held_back, "the server goes away on a metric, which is given up");
        });
    }
}

/// How a flusher came to its end.
pub(super) enum End {
    /// By a stop.
    Stopped,
    /// No handle is left.
    Abandoned,
    /// Its runtime ended, or it panicked.
    Unasked,
}

impl End {
    /// Of what was not sent; and of an end that its owner may not know of, in any case.
    pub(super) fn tell(&self, shared: &Shared, kept: Tally) {
        let Tally { lines, bytes } = kept;
        let is_due = || lines > 0 && shared.warnings.kept.admit(Instant::now()).is_some();
        match self {
            Self::Stopped if is_due() => safely(|| {
                tracing::warn!(
                    lines,
                    bytes,
                    "stopped with metrics unsent: kept for the next start"
                );
            }),
            Self::Abandoned if is_due() => safely(|| {
                tracing::warn!(lines, bytes, "the last connector was dropped with metrics unsent");
            }),
            Self::Unasked => safely(|| {
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

/// Tells of the end of a flusher that did not come to tell of it itself.
pub(super) struct Farewell {
    shared: Arc<Shared>,
    /// None where there is nothing to tell.
    pub(super) end: Option<End>,
}

impl Farewell {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), end: None }
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end.tell(&self.shared, self.shared.stats().buffered);
        }
    }
}

/// A subscriber that panics ends no flusher, and no process whose flusher ends by a panic.
fn safely(warn: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(warn));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_then_silence_for_a_while() {
        let start = Instant::now();
        let limiter = Limiter::default();
        assert_eq!(limiter.admit(start), Some(0));
        assert_eq!(limiter.admit(start + SILENCE / 2), None);
        assert_eq!(limiter.admit(start + SILENCE), Some(1));
    }
}

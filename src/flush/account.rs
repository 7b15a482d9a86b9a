//! Account of the lines: what the flusher has sent and lost, and what the producer threads count.

use crate::emit::Exchange;
use crate::line_tally::LineTally;
use crate::stats::{Drops, Losses, Stats};
use crate::tally::Tally;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Counters of the lines that the flusher has sent or lost, and of its connections. Only one
/// flusher at a time updates them.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) sent: LineTally,
    pub(crate) refused: LineTally,
    pub(crate) too_long: LineTally,
    pub(crate) evicted: LineTally,
    /// Difference between the lines that were merged, and what they became.
    pub(crate) merged: LineTally,
    rejected: LineTally,
    /// Excerpt of the last line that the server rejected, until a warning reports it.
    rejected_line: Mutex<Option<String>>,
    pub(crate) connections: AtomicU64,
}

/// Maximum length in bytes of the excerpt of a rejected line, which a warning shows.
const MAX_EXCERPT: usize = 64;

impl Account {
    /// Counts lines that the server rejected, with `size` as their number and bytes, and keeps an
    /// excerpt of `line`, the first of them.
    pub(crate) fn reject(&self, size: Tally, line: impl Iterator<Item = u8>) {
        self.rejected.add(size);
        let escaped = line.flat_map(std::ascii::escape_default).take(MAX_EXCERPT);
        let mut excerpt = self.rejected_line.lock().unwrap_or_else(PoisonError::into_inner);
        *excerpt = Some(escaped.map(char::from).collect());
    }

    /// Removes and returns the excerpt of the last rejected line, or returns `None` if it was
    /// already taken.
    pub(crate) fn take_rejected_line(&self) -> Option<String> {
        self.rejected_line.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns the counts of all lines, from the flusher's counters and the producer threads'
    /// counters. The producer threads' counters are read last, so that the number of buffered lines
    /// is never negative.
    pub(crate) fn stats(&self, exchange: &Exchange) -> Stats {
        let sent = self.sent.read();
        let losses = Losses {
            refused: self.refused.read(),
            too_long: self.too_long.read(),
            evicted: self.evicted.read(),
            rejected: self.rejected.read(),
        };
        let merged = self.merged.read();
        // ORDERING: Relaxed. The count publishes nothing but itself.
        let connections = self.connections.load(Relaxed);
        let counts = exchange.counts();
        let mut drops = Drops {
            full: Tally::of_records(counts.full),
            oversize: Tally::of_records(counts.oversize),
            thread_exit: Tally::of_records(counts.thread_exit),
            reentrant: Tally::of_records(counts.reentrant),
            ..Drops::default()
        };
        let mut altered = 0;
        for thread in exchange.application_counts() {
            drops.invalid += thread.invalid.read();
            drops.unsupported += thread.unsupported.read();
            altered += thread.altered.read().lines;
        }
        let accepted = Tally::of_records(counts.accepted);
        let mut stats =
            Stats { sent, merged, drops, losses, altered, connections, ..Stats::default() };
        stats.emitted = accepted + stats.dropped();
        let settled = sent + merged + stats.lost();
        stats.buffered = Tally {
            lines: accepted.lines.saturating_sub(settled.lines),
            bytes: accepted.bytes.saturating_sub(settled.bytes),
        };
        stats
    }
}

//! The account of all lines, and the reports of flush and stop.

use crate::emit::Exchange;
use crate::tally::{LineTally, Tally};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The account of all lines of a connector since it was built.
///
/// While no thread emits and the flusher is idle, each emitted line is counted in exactly one
/// place, in lines and in bytes:
///
/// ```text
/// emitted = sent + buffered + dropped() + lost()
/// ```
///
/// While threads emit and the flusher sends, the numbers are read one after the other. Each is
/// exact when it is read, and no line counts as sent before it counts as emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// Lines that callers emitted, including dropped lines.
    pub emitted: Tally,
    /// Lines that were sent. Datagrams count once the operating system has accepted them, unless it
    /// reports a refusal later. The [delivery](crate::Delivery) defines when lines on a stream count.
    pub sent: Tally,
    /// Accepted lines that are neither sent nor lost yet.
    pub buffered: Tally,
    /// Lines that were never accepted, by reason.
    pub drops: Drops,
    /// Lines that were accepted and then lost, by reason.
    pub losses: Losses,
    /// Number of accepted lines whose text was altered: a name, a tag or the member of a set held
    /// characters that the [dialect](crate::Dialect#clean-input) forbids there.
    pub altered: u64,
    /// Number of connections that the flusher has made.
    pub connections: u64,
}

/// Lines that were never accepted, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Drops {
    /// Lines for which the queue had no room. Their bytes are the maximum length of the line, which
    /// an altered name can shorten.
    ///
    /// Lines of threads beyond the first 65,536 at a time are included, without their bytes.
    pub full: Tally,
    /// Lines longer than a block, or than the server of the [dialect](crate::Dialect#long-lines) reads.
    /// Their length is measured before a name is altered. The
    /// two lines of a gauge below zero are measured together.
    pub oversize: Tally,
    /// Lines with an empty name, a number that is not finite, or a negative time. They count no
    /// bytes.
    pub invalid: Tally,
    /// Lines that the [dialect](crate::Dialect) cannot express: it lacks the metric's type, or
    /// tags, or its servers would misread the number. They count no bytes.
    pub unsupported: Tally,
    /// Lines of a thread that was exiting and had released its block. They count no bytes.
    pub thread_exit: Tally,
    /// Lines of a thread that was already emitting, from a signal handler or an allocator. They
    /// count no bytes.
    pub reentrant: Tally,
}

/// Lines that were accepted and then lost, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Losses {
    /// UDP: no process listened at the server's port, and
    /// [`hold_when_refused`](crate::Builder::hold_when_refused) is off.
    pub refused: Tally,
    /// Single lines longer than a datagram can be.
    pub too_long: Tally,
    /// Lines that were evicted for newer ones, with
    /// [`WhenFull::DropOldest`](crate::WhenFull::DropOldest).
    pub evicted: Tally,
    /// Streams: lines that were discarded because the server closed the connection on them repeatedly,
    /// and accepted the next line. [`Delivery`](crate::Delivery#lines-that-make-a-server-close-the-connection)
    /// defines which lines can be detected.
    pub rejected: Tally,
}

impl Stats {
    /// Returns the lines that were never accepted.
    #[must_use]
    pub fn dropped(&self) -> Tally {
        let Drops { full, oversize, invalid, unsupported, thread_exit, reentrant } = self.drops;
        full + oversize + invalid + unsupported + thread_exit + reentrant
    }

    /// Returns the lines that were accepted and then lost.
    #[must_use]
    pub fn lost(&self) -> Tally {
        let Losses { refused, too_long, evicted, rejected } = self.losses;
        refused + too_long + evicted + rejected
    }
}

impl fmt::Display for Stats {
    /// Writes the counts of lines: `emitted 10 = sent 7 + buffered 1 + dropped 2 + lost 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (emitted, sent, buffered) = (self.emitted.lines, self.sent.lines, self.buffered.lines);
        let (dropped, lost) = (self.dropped().lines, self.lost().lines);
        write!(
            f,
            "emitted {emitted} = sent {sent} + buffered {buffered} + dropped {dropped} + lost {lost}"
        )
    }
}

/// The flusher's part of the account. One flusher at a time writes to it.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) sent: LineTally,
    pub(crate) refused: LineTally,
    pub(crate) too_long: LineTally,
    pub(crate) evicted: LineTally,
    rejected: LineTally,
    /// Excerpt of the last rejected line that no warning has reported.
    rejected_line: Mutex<Option<String>>,
    pub(crate) connections: AtomicU64,
}

/// Maximum length of the excerpt of a rejected line in bytes.
const MAX_EXCERPT: usize = 64;

impl Account {
    /// Counts rejected lines of this size, and keeps an excerpt of `line`, the first of them.
    pub(crate) fn reject(&self, size: Tally, line: impl Iterator<Item = u8>) {
        self.rejected.add(size);
        let escaped = line.flat_map(std::ascii::escape_default).take(MAX_EXCERPT);
        let mut excerpt = self.rejected_line.lock().unwrap_or_else(PoisonError::into_inner);
        *excerpt = Some(escaped.map(char::from).collect());
    }

    /// Takes the excerpt of the last rejected line, or returns `None` if it was taken before.
    pub(crate) fn take_rejected_line(&self) -> Option<String> {
        self.rejected_line.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns the account, joined with the counts of the producer threads. These are read last, so
    /// that the number of buffered lines is never negative.
    pub(crate) fn stats(&self, exchange: &Exchange) -> Stats {
        let sent = self.sent.read();
        let losses = Losses {
            refused: self.refused.read(),
            too_long: self.too_long.read(),
            evicted: self.evicted.read(),
            rejected: self.rejected.read(),
        };
        // ORDERING: Relaxed. The count publishes nothing but itself.
        let connections = self.connections.load(Relaxed);
        let counts = exchange.counts();
        let mut drops = Drops {
            full: counts.full.into(),
            oversize: counts.oversize.into(),
            thread_exit: counts.thread_exit.into(),
            reentrant: counts.reentrant.into(),
            ..Drops::default()
        };
        let mut altered = 0;
        for thread in exchange.application_counts() {
            drops.invalid += thread.invalid.read();
            drops.unsupported += thread.unsupported.read();
            altered += thread.altered.read().lines;
        }
        let accepted = Tally::from(counts.accepted);
        let mut stats = Stats { sent, drops, losses, altered, connections, ..Stats::default() };
        stats.emitted = accepted + stats.dropped();
        let settled = sent + stats.lost();
        stats.buffered = Tally {
            lines: accepted.lines.saturating_sub(settled.lines),
            bytes: accepted.bytes.saturating_sub(settled.bytes),
        };
        stats
    }
}

/// Result of a [`stop`](crate::Connector::stop).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
#[must_use = "the report has the number of lines that were not sent"]
pub struct StopReport {
    /// Lines that were sent between the call and its end.
    pub sent: Tally,
    /// The part of `sent` that the other side had not acknowledged, or over a Unix stream not read,
    /// when the stop timeout passed. The operating system continues to deliver these lines while it
    /// runs and the connection lasts.
    pub unacknowledged: Tally,
    /// Lines that were not sent. They are kept, within the queue capacity, and sent after the next
    /// start.
    pub kept: Tally,
    /// The account of all lines at the end of the stop.
    pub stats: Stats,
    /// True if the flusher's runtime did not let the flusher reply in time.
    ///
    /// The report is then the account at the timeout. Lines that the flusher sends later count in
    /// [`Connector::stats`](crate::Connector::stats), and not here. The flusher ends as soon as its
    /// runtime lets it. Until then the connector counts as running, and a start fails.
    pub unfinished: bool,
}

impl StopReport {
    pub(crate) fn new(stats: Stats, sent_before: Tally, unacknowledged: Tally) -> Self {
        let sent = Tally {
            lines: stats.sent.lines.saturating_sub(sent_before.lines),
            bytes: stats.sent.bytes.saturating_sub(sent_before.bytes),
        };
        Self { sent, unacknowledged, kept: stats.buffered, stats, unfinished: false }
    }
}

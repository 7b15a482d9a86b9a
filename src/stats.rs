//! The account: where every line is.

use crate::handoff::{ProducerCounts, SingleWriterTally, Tally};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The account of a connector, since it was built.
///
/// At any quiet moment every line that was handed over is in exactly one place, in lines and
/// in bytes:
///
/// ```text
/// emitted = sent + buffered + dropped() + lost()
/// ```
///
/// While threads emit and the flusher sends, each number is exact for a moment of its own, and
/// no line is sent before it is emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Handed over by callers, dropped ones included.
    pub emitted: Tally,
    /// SendWindow by the operating system, and not known to be refused. On Linux, over TCP,
    /// acknowledged by the other side's operating system; over a Unix stream, read by the server;
    /// unless the [delivery](crate::Delivery) says otherwise.
    pub sent: Tally,
    /// Accepted, and neither sent nor lost yet.
    pub buffered: Tally,
    /// Never accepted, by reason.
    pub drops: Drops,
    /// Accepted, then given up, by reason.
    pub losses: Losses,
    /// Accepted lines of which a name, a tag or the member of a set was altered, because it held
    /// what the [dialect](crate::Dialect#clean-input) forbids there.
    pub altered: u64,
    /// How many times the connection was made.
    pub connections: u64,
}

/// Lines that were never accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// The capacity was used up. Bytes as they were before a name was altered, but for gauges and
    /// service checks.
    pub full: Tally,
    /// The line was longer than a block, or in DogStatsD than
    /// [the Agent reads](crate::Dialect::DogStatsD), before its name was altered; for a gauge below
    /// zero, its two lines together.
    pub oversize: Tally,
    /// An empty name, a number that is not finite, a negative time. Such lines have no bytes.
    pub invalid: Tally,
    /// The [dialect](crate::Dialect) has no word for the metric, or no tags, or its servers would not read
    /// the number as it is meant. Such lines have no bytes.
    pub unsupported: Tally,
    /// The thread was ending and had given up its place. Their bytes are not counted.
    pub thread_exit: Tally,
    /// The thread was emitting already: a signal handler, or an allocator that emits, came between.
    /// Their bytes are not counted.
    pub reentrant: Tally,
}

/// Lines that were accepted and then given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Losses {
    /// UDP: nobody listened at the server's port, and lines are not to be
    /// [held](crate::Builder::hold_when_refused) then.
    pub refused: Tally,
    /// A line alone was longer than a datagram can be.
    pub too_long: Tally,
    /// Given up for newer ones, where [these are to be kept](crate::WhenFull::DropOldest).
    pub evicted: Tally,
    /// Streams: the server went away on the line, again and again, and took the one after it. Which lines
    /// that can be told of, [`Delivery`](crate::Delivery#lines-that-a-server-goes-away-on) says.
    pub rejected: Tally,
}

impl Stats {
    /// All that was never accepted.
    #[must_use]
    pub fn dropped(&self) -> Tally {
        let Drops { full, oversize, invalid, unsupported, thread_exit, reentrant } = self.drops;
        full + oversize + invalid + unsupported + thread_exit + reentrant
    }

    /// All that was accepted and then given up.
    #[must_use]
    pub fn lost(&self) -> Tally {
        let Losses { refused, too_long, evicted, rejected } = self.losses;
        refused + too_long + evicted + rejected
    }
}

impl fmt::Display for Stats {
    /// One line, in lines: `emitted 10 = sent 7 + buffered 1 + dropped 2 + lost 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (emitted, sent, buffered) = (self.emitted.lines, self.sent.lines, self.buffered.lines);
        let (dropped, lost) = (self.dropped().lines, self.lost().lines);
        write!(
            f,
            "emitted {emitted} = sent {sent} + buffered {buffered} + dropped {dropped} + lost {lost}"
        )
    }
}

/// The flusher's side of the account. One flusher at a time writes to it.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) sent: SingleWriterTally,
    pub(crate) refused: SingleWriterTally,
    pub(crate) too_long: SingleWriterTally,
    pub(crate) evicted: SingleWriterTally,
    rejected: SingleWriterTally,
    /// One of these, to be warned of.
    rejected_line: Mutex<Option<String>>,
    pub(crate) connections: AtomicU64,
}

/// How many bytes of a line that is given up are shown.
const EXCERPT: usize = 64;

impl Account {
    /// Lines that the server went away on, and the bytes of the first.
    pub(crate) fn reject(&self, size: Tally, line: impl Iterator<Item = u8>) {
        self.rejected.add(size);
        let escaped = line.flat_map(std::ascii::escape_default).take(EXCERPT);
        let mut place = self.rejected_line.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(escaped.map(char::from).collect());
    }

    /// The beginning of such a line, unless it was asked for before.
    pub(crate) fn take_rejected_line(&self) -> Option<String> {
        self.rejected_line.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Both sides together. `emitted` is read after this side, so that what is buffered is
    /// never less than nothing.
    pub(crate) fn stats(&self, emitted: impl FnOnce() -> ProducerCounts) -> Stats {
        let sent = self.sent.read();
        let losses = Losses {
            refused: self.refused.read(),
            too_long: self.too_long.read(),
            evicted: self.evicted.read(),
            rejected: self.rejected.read(),
        };
        // ORDERING: Relaxed. A count publishes nothing but itself.
        let connections = self.connections.load(Relaxed);
        let emitted = emitted();
        let ProducerCounts { accepted, altered, .. } = emitted;
        let ProducerCounts { full, oversize, invalid, unsupported, thread_exit, reentrant, .. } =
            emitted;
        let mut stats = Stats {
            sent,
            drops: Drops { full, oversize, invalid, unsupported, thread_exit, reentrant },
            losses,
            altered,
            connections,
            ..Stats::default()
        };
        stats.emitted = accepted + stats.dropped();
        let gone = sent + stats.lost();
        stats.buffered = Tally {
            lines: accepted.lines.saturating_sub(gone.lines),
            bytes: accepted.bytes.saturating_sub(gone.bytes),
        };
        stats
    }
}

/// How a [`stop`](crate::Connector::stop) ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it says whether lines were left behind"]
pub struct StopReport {
    /// What was sent between the call and its end.
    pub sent: Tally,
    /// The part of it that the other side had not acknowledged, or over a Unix stream not read, when
    /// the stop timeout passed. The operating system goes on delivering it, as long as it runs
    /// and the connection lasts.
    pub unacknowledged: Tally,
    /// What was not sent. It is kept, within the capacity, and delivered after the next
    /// start.
    pub kept: Tally,
    /// The account at the end.
    pub stats: Stats,
    /// The flusher's runtime did not let it answer in time, so that the account did, as it was by then.
    /// What the flusher sends after that counts in [`stats`](crate::Connector::stats), and no longer
    /// here; it ends as soon as its runtime lets it, and until then a start finds it running.
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

//! Counts of a connector's lines (emitted, sent, buffered, dropped, lost and merged), and the report of
//! a stop.

use crate::tally::Tally;
use std::fmt;

/// Counts of all lines of a connector since it was built: emitted, sent, buffered, dropped, lost and
/// merged.
///
/// While no thread emits and the flusher is idle, each emitted line is counted in exactly one
/// place, in lines and in bytes:
///
/// ```text
/// emitted = sent + buffered + dropped() + lost() + merged
/// ```
///
/// `merged` stays 0 without [`Builder::coalesce`](crate::Builder::coalesce).
///
/// While threads emit and the flusher sends, the numbers are read one after the other. Each is
/// exact when it is read, and no line counts as sent before it counts as emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// Lines that callers emitted, including dropped lines.
    pub emitted: Tally,
    /// Lines that were sent. Lines in a datagram count once the operating system has accepted the
    /// datagram, unless it is refused later.
    ///
    /// The [delivery](crate::Delivery) defines when lines on a stream count.
    pub sent: Tally,
    /// Lines that the connector has accepted, and that are neither sent, lost nor merged yet.
    pub buffered: Tally,
    /// Lines that [`Builder::coalesce`](crate::Builder::coalesce) has spared: how many lines went into
    /// sums and last values, less those that came out, and likewise their bytes.
    pub merged: Tally,
    /// Lines that were dropped when they were emitted, counted by reason.
    pub drops: Drops,
    /// Lines that were accepted when they were emitted, but lost later, counted by reason.
    pub losses: Losses,
    /// Number of accepted lines with altered text: a name, a tag or the member of a set held
    /// characters that the [dialect](crate::Dialect#clean-input) forbids there.
    pub altered: u64,
    /// Number of connections to the server that the flusher task has made. Over UDP, this is the number
    /// of sockets that it has opened, whether or not a server listens.
    pub connections: u64,
    /// Aggregated metrics, and the lines that they emitted.
    pub aggregated: Aggregated,
}

/// Aggregated metrics of a connector, and the lines that they emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Aggregated {
    /// Number of aggregated metrics. Clones of a handle are one metric. A metric whose handles are
    /// dropped is included until its last value is handed on.
    pub metrics: u64,
    /// Number of lines that the flusher task has emitted of aggregated metrics. They are included in
    /// [`emitted`](Stats::emitted).
    pub lines: u64,
}

/// Lines that were dropped when they were emitted, counted by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Drops {
    /// Lines for which the queue had no room. Their bytes are the maximum length of each line,
    /// before forbidden characters are replaced by shorter ones.
    ///
    /// Lines of threads beyond the first 65,536 at a time are included, without their bytes. A thread
    /// that emits its first line in the destructor of a pthread key counts as living ever after: see
    /// [thread_exit](Self::thread_exit).
    pub full: Tally,
    /// Lines longer than a buffer block, or than the server of the
    /// [dialect](crate::Dialect#long-lines) reads. Their length is measured after forbidden
    /// characters are replaced.
    ///
    /// The two lines of a gauge below zero are measured together.
    pub oversize: Tally,
    /// Lines with an empty name, a number that is not finite, a negative duration, or a timestamp
    /// before 1970-01-01 00:00:01 UTC. Their bytes are not counted.
    pub invalid: Tally,
    /// Lines that the [dialect](crate::Dialect) cannot express, because it lacks the metric's type
    /// or tags, or its servers would misread the number. Their bytes are not counted.
    pub unsupported: Tally,
    /// Lines that an exiting thread emitted after it had released its buffer block. Their bytes are
    /// not counted.
    ///
    /// On Linux, destructors of pthread keys run after those of thread-locals. The first line of a
    /// thread is accepted there, but its thread never releases its block. If the thread has emitted
    /// a line earlier, or has called
    /// [`Connector::prepare_thread`](crate::Connector::prepare_thread), the line is counted here
    /// instead.
    pub thread_exit: Tally,
    /// Lines that a signal handler or an allocator emitted while its thread was already emitting
    /// another line. Their bytes are not counted.
    pub reentrant: Tally,
}

/// Lines that were accepted when they were emitted, but lost later, counted by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Losses {
    /// Lines that were sent over UDP to a port without a listening process, with
    /// [`hold_when_refused`](crate::Builder::hold_when_refused) off.
    pub refused: Tally,
    /// Single lines that exceed the maximum length of a datagram.
    pub too_long: Tally,
    /// Lines that were discarded to make room for newer lines, with
    /// [`WhenFull::DropOldest`](crate::WhenFull::DropOldest).
    pub evicted: Tally,
    /// Lines that stopped the lines after them. On a stream, the server repeatedly closed the
    /// connection on them, and accepted the next line. In a datagram, the operating system
    /// repeatedly refused to send them, and accepted the next line; a packet filter may do so.
    /// [`Delivery`](crate::Delivery#lines-that-make-a-server-close-the-connection) defines which
    /// lines can be detected.
    pub rejected: Tally,
}

impl Stats {
    /// Returns the total of the lines that were dropped when they were emitted.
    #[must_use]
    pub fn dropped(&self) -> Tally {
        let Drops { full, oversize, invalid, unsupported, thread_exit, reentrant } = self.drops;
        full + oversize + invalid + unsupported + thread_exit + reentrant
    }

    /// Returns the total of the lines that were accepted when they were emitted, but lost later.
    #[must_use]
    pub fn lost(&self) -> Tally {
        let Losses { refused, too_long, evicted, rejected } = self.losses;
        refused + too_long + evicted + rejected
    }
}

impl fmt::Display for Stats {
    /// Writes the counts of lines as `emitted 10 = sent 7 + buffered 1 + dropped 2 + lost 0`, with
    /// `+ merged 5` at the end if lines were merged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (emitted, sent, buffered) = (self.emitted.lines, self.sent.lines, self.buffered.lines);
        let (dropped, lost) = (self.dropped().lines, self.lost().lines);
        write!(
            f,
            "emitted {emitted} = sent {sent} + buffered {buffered} + dropped {dropped} + lost {lost}"
        )?;
        match self.merged.lines {
            0 => Ok(()),
            merged => write!(f, " + merged {merged}"),
        }
    }
}

/// Report of a [`stop`](crate::Connector::stop), with the numbers of lines that were sent and of
/// lines that remain unsent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
#[must_use = "the report has the number of lines that were not sent"]
pub struct StopReport {
    /// Lines that were sent during the stop. All lines that were ever sent are in `stats.sent`.
    pub sent: Tally,
    /// Lines in `sent` that the server's operating system had not acknowledged when the stop
    /// timeout passed. Over a Unix stream, these are the lines that the server had not read. Over UDP,
    /// these are the lines of a datagram that followed a refusal less than 100 ms before, so that it
    /// could still be refused.
    ///
    /// The operating system continues to deliver these lines while it runs and the connection
    /// lasts.
    pub unacknowledged: Tally,
    /// Lines that were not sent. They are kept, within the queue capacity, and sent after the next
    /// start.
    pub kept: Tally,
    /// Number of aggregated metrics with a value that was not handed on, since there was no connection
    /// or no room. The values are kept, and sent after the next start.
    pub undrained: u64,
    /// Counts of all lines of the connector at the end of the stop.
    pub stats: Stats,
    /// True if the flusher task did not reply in time, because its tokio runtime did not run it.
    ///
    /// The report is then the account at the timeout. Lines that the flusher sends later count in
    /// [`Connector::stats`](crate::Connector::stats), and not here. The flusher ends as soon as its
    /// runtime lets it. Until then the connector counts as running, and a start fails.
    pub unfinished: bool,
}

impl StopReport {
    /// Returns true if everything that the connector was ever given has been sent: no line was dropped
    /// or lost, none is kept or unacknowledged, and no aggregated metric has a value left.
    ///
    /// Over UDP, "sent" means that the operating system has accepted the datagrams. Over TCP on Linux,
    /// it means that the server's operating system has acknowledged the lines.
    ///
    /// ```
    /// use freewheel::Connector;
    ///
    /// let statsd = Connector::builder("127.0.0.1").build()?;
    /// statsd.incr("hits"); // nobody has started the connector
    /// assert!(!statsd.blocking_stop().all_sent());
    /// # Ok::<(), freewheel::BuildError>(())
    /// ```
    #[must_use]
    pub fn all_sent(&self) -> bool {
        !self.unfinished
            && self.unacknowledged.lines == 0
            && self.undrained == 0
            && self.stats.sent.lines + self.stats.merged.lines == self.stats.emitted.lines
    }

    pub(crate) fn new(
        stats: Stats,
        sent_before: Tally,
        unacknowledged: Tally,
        undrained: u64,
    ) -> Self {
        let sent = Tally {
            lines: stats.sent.lines.saturating_sub(sent_before.lines),
            bytes: stats.sent.bytes.saturating_sub(sent_before.bytes),
        };
        Self { sent, unacknowledged, kept: stats.buffered, undrained, stats, unfinished: false }
    }
}

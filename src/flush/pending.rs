//! Commands from the application to the flusher, and the flushes and the stop that the flusher has
//! not completed yet.

use super::outbox::Outbox;
use crate::error::FlushError;
use crate::stats::StopReport;
use crate::tally::Tally;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Command that the application sends to the flusher through a handle of the client.
pub(crate) enum Command {
    Flush(oneshot::Sender<Result<(), FlushError>>),
    Stop {
        /// Number of lines, and their bytes, that were sent before the call of `stop`.
        sent_before: Tally,
        reply: oneshot::Sender<StopReport>,
    },
}

/// Flush that a caller has requested and waits for.
pub(super) struct PendingFlush {
    pub(super) target: FlushTarget,
    pub(super) reply: oneshot::Sender<Result<(), FlushError>>,
}

/// Target of a flush or a stop: all lines emitted before it. The flush or stop waits until they are
/// sent or lost.
pub(super) struct FlushTarget {
    /// Total number of records of the ordered queue (gauges and service checks) that the flusher
    /// must have taken before it has all lines of the target.
    drained_records: u64,
    /// Total number of bytes that must be released (sent or lost) before the target is reached.
    /// `None` until the flusher has taken all lines of the target from the producer threads.
    consumed: Option<u64>,
}

impl FlushTarget {
    /// Returns a target (the lines that a flush or stop waits for) that comprises all lines emitted
    /// so far.
    pub(super) fn now(outbox: &Outbox) -> Self {
        Self { drained_records: outbox.input().enqueued_records(), consumed: None }
    }

    /// Updates the target (the lines that a flush or stop waits for) after the flusher has taken
    /// lines from the producer threads. The taken lines may now include all lines of the target, if all
    /// aggregated metrics were drained before (`is_drained`).
    pub(super) fn on_sweep(&mut self, outbox: &Outbox, is_drained: bool) {
        let lines = outbox.input();
        let has_records = lines.drained_records() >= self.drained_records;
        if self.consumed.is_none() && has_records && is_drained {
            self.consumed = Some(lines.swept());
        }
    }

    pub(super) fn is_swept(&self) -> bool {
        self.consumed.is_some()
    }

    pub(super) fn is_reached(&self, outbox: &Outbox) -> bool {
        self.consumed.is_some_and(|target| target <= outbox.released())
    }
}

/// Stop in progress, requested by the application or caused by the drop of its last handle of the
/// client.
pub(super) struct PendingStop {
    pub(super) deadline: Instant,
    /// Number of lines, and their bytes, that were sent before the stop began.
    pub(super) sent_before: Tally,
    pub(super) target: FlushTarget,
    pub(super) replies: Vec<oneshot::Sender<StopReport>>,
}

impl PendingStop {
    /// Returns true if the stop's deadline is so near that lines must be sent without pacing.
    pub(super) fn is_urgent(&self, now: Instant) -> bool {
        self.deadline < now + UNPACED_BEFORE_DEADLINE
    }
}

/// Time before the deadline of a stop from which lines are sent without pacing.
const UNPACED_BEFORE_DEADLINE: Duration = Duration::from_millis(100);

/// Flushes and the stop that the flusher has not replied to yet.
#[derive(Default)]
pub(super) struct Pending {
    flushes: Vec<PendingFlush>,
    pub(super) stop: Option<PendingStop>,
}

impl Pending {
    pub(super) fn add_flush(&mut self, flush: PendingFlush) {
        self.flushes.push(flush);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stop.is_none() && self.flushes.is_empty()
    }

    /// Returns true if a flush or the stop waits for lines that the flusher has not taken from the
    /// producer threads yet.
    pub(super) fn wants_sweep(&self) -> bool {
        let stop_wants = self.stop.as_ref().is_some_and(|stop| !stop.target.is_swept());
        stop_wants || self.flushes.iter().any(|flush| !flush.target.is_swept())
    }

    /// Updates each pending flush and the stop after the flusher has taken lines from the producer
    /// threads, and perhaps drained all aggregated metrics before (`is_drained`).
    pub(super) fn on_sweep(&mut self, outbox: &Outbox, is_drained: bool) {
        let flushes = self.flushes.iter_mut().map(|flush| &mut flush.target);
        let all = flushes.chain(self.stop.iter_mut().map(|stop| &mut stop.target));
        all.for_each(|target| target.on_sweep(outbox, is_drained));
    }

    /// Replies to each flush if all its lines are sent or lost. Removes a flush if its caller no
    /// longer waits for the reply.
    pub(super) fn complete_flushes(&mut self, outbox: &Outbox) {
        for flush in self.flushes.extract_if(.., |flush| flush.target.is_reached(outbox)) {
            let _ = flush.reply.send(Ok(()));
        }
        self.flushes.retain(|flush| !flush.reply.is_closed());
    }

    /// Returns true if a stop is pending, and all lines that it waits for are sent or lost.
    pub(super) fn is_stop_complete(&self, outbox: &Outbox) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.target.is_reached(outbox))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_urgent_when_little_time_is_left() {
        let now = Instant::now();
        let deadline = now + UNPACED_BEFORE_DEADLINE * 2;
        let stop = PendingStop {
            deadline,
            sent_before: Tally::default(),
            target: FlushTarget { drained_records: 0, consumed: None },
            replies: Vec::new(),
        };
        assert!(!stop.is_urgent(now) && !stop.is_urgent(now + UNPACED_BEFORE_DEADLINE));
        assert!(stop.is_urgent(now + UNPACED_BEFORE_DEADLINE + Duration::from_nanos(1)));
        assert!(stop.is_urgent(deadline) && stop.is_urgent(deadline + UNPACED_BEFORE_DEADLINE));
    }
}

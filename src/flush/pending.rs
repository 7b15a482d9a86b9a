//! Commands to the flusher, and the flushes and the stop that are pending.

use crate::emit::Consumer;
use crate::error::FlushError;
use crate::stats::StopReport;
use crate::tally::Tally;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Command that a handle sends to the flusher.
pub(crate) enum Command {
    Flush(oneshot::Sender<Result<(), FlushError>>),
    Stop {
        /// Lines that were sent before the call of `stop`.
        sent_before: Tally,
        reply: oneshot::Sender<StopReport>,
    },
}

/// A flush whose caller waits for the reply.
pub(super) struct PendingFlush {
    pub(super) target: FlushTarget,
    pub(super) reply: oneshot::Sender<Result<(), FlushError>>,
}

/// The lines that a flush or a stop waits for: all lines emitted before it.
pub(super) struct FlushTarget {
    /// Number of records drained from the ordered queue at which all lines of the target are swept.
    drained_records: u64,
    /// Number of bytes released at which all lines of the target are sent or lost. `None` until
    /// they are swept.
    consumed: Option<u64>,
}

impl FlushTarget {
    /// Returns the target of all lines emitted so far.
    pub(super) fn now(lines: &Consumer) -> Self {
        Self { drained_records: lines.enqueued_records(), consumed: None }
    }

    /// Records a sweep, after which all lines of the target may be swept.
    pub(super) fn on_sweep(&mut self, lines: &Consumer) {
        if self.consumed.is_none() && lines.drained_records() >= self.drained_records {
            self.consumed = Some(lines.swept());
        }
    }

    pub(super) fn is_swept(&self) -> bool {
        self.consumed.is_some()
    }

    pub(super) fn is_reached(&self, lines: &Consumer) -> bool {
        self.consumed.is_some_and(|target| target <= lines.consumed())
    }
}

/// A stop in progress: requested by a handle, or caused by the drop of the last one.
pub(super) struct PendingStop {
    pub(super) deadline: Instant,
    /// Lines that were sent before the stop began.
    pub(super) sent_before: Tally,
    pub(super) target: FlushTarget,
    pub(super) replies: Vec<oneshot::Sender<StopReport>>,
}

impl PendingStop {
    /// Returns true if so little time remains for the stop that lines are sent without pacing.
    pub(super) fn is_urgent(&self, now: Instant) -> bool {
        self.deadline < now + UNPACED_BEFORE_DEADLINE
    }
}

/// Remaining time of a stop below which lines are sent without pacing.
const UNPACED_BEFORE_DEADLINE: Duration = Duration::from_millis(100);

/// The flushes and the stop that the flusher has not replied to.
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

    /// Returns true if a flush or the stop waits for lines that are not swept yet.
    pub(super) fn wants_sweep(&self) -> bool {
        let stop_wants = self.stop.as_ref().is_some_and(|stop| !stop.target.is_swept());
        stop_wants || self.flushes.iter().any(|flush| !flush.target.is_swept())
    }

    /// Records a sweep, for each pending flush and the stop.
    pub(super) fn on_sweep(&mut self, lines: &Consumer) {
        let flushes = self.flushes.iter_mut().map(|flush| &mut flush.target);
        let all = flushes.chain(self.stop.iter_mut().map(|stop| &mut stop.target));
        all.for_each(|target| target.on_sweep(lines));
    }

    /// Replies to the flushes whose lines are all sent or lost, and forgets the flushes whose
    /// caller is gone.
    pub(super) fn complete_flushes(&mut self, lines: &Consumer) {
        for flush in self.flushes.extract_if(.., |flush| flush.target.is_reached(lines)) {
            let _ = flush.reply.send(Ok(()));
        }
        self.flushes.retain(|flush| !flush.reply.is_closed());
    }

    /// Returns true if there is a stop, and all lines that it waits for are sent or lost.
    pub(super) fn is_stop_complete(&self, lines: &Consumer) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.target.is_reached(lines))
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

//! What the flusher's owner asks for, and what is waited for then.

use crate::error::FlushError;
use crate::handoff::{Consumer, Tally};
use crate::stats::StopReport;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(crate) enum Command {
    Flush(oneshot::Sender<Result<(), FlushError>>),
    /// With what was sent before it.
    Stop(Tally, oneshot::Sender<StopReport>),
}

/// A flush that is waited for.
pub(super) struct PendingFlush {
    pub(super) until: Until,
    pub(super) reply: oneshot::Sender<Result<(), FlushError>>,
}

/// What a flush or a stop waits for: what was emitted before it.
pub(super) struct Until {
    /// Swept, once so many records of the ordered queue were drained.
    pub(super) drained: u64,
    /// Gone, once so many bytes were consumed. None until it was swept.
    pub(super) consumed: Option<u64>,
}

impl Until {
    /// What `lines` has by now.
    pub(super) fn now(lines: &Consumer) -> Self {
        Self { drained: lines.enqueued(), consumed: None }
    }

    /// Called after a sweep.
    pub(super) fn note(&mut self, lines: &Consumer) {
        if self.consumed.is_none() && lines.drained() >= self.drained {
            self.consumed = Some(lines.taken());
        }
    }

    pub(super) fn is_swept(&self) -> bool {
        self.consumed.is_some()
    }

    pub(super) fn is_over(&self, lines: &Consumer) -> bool {
        self.consumed.is_some_and(|until| until <= lines.consumed())
    }
}

/// The end: of all handles, or by their wish.
pub(super) struct Stop {
    pub(super) deadline: Instant,
    /// Sent before it began.
    pub(super) sent: Tally,
    pub(super) until: Until,
    pub(super) replies: Vec<oneshot::Sender<StopReport>>,
}

impl Stop {
    /// Whether so little time is left that the pace no longer matters.
    pub(super) fn is_urgent(&self, now: Instant) -> bool {
        self.deadline < now + HURRY
    }
}

/// What is left of a stop's time when the pace no longer matters.
const HURRY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_urgent_when_little_time_is_left() {
        let now = Instant::now();
        let deadline = now + HURRY * 2;
        let stop = Stop {
            deadline,
            sent: Tally::default(),
            until: Until { drained: 0, consumed: None },
            replies: Vec::new(),
        };
        assert!(!stop.is_urgent(now) && !stop.is_urgent(now + HURRY));
        assert!(stop.is_urgent(now + HURRY + Duration::from_nanos(1)));
        assert!(stop.is_urgent(deadline) && stop.is_urgent(deadline + HURRY));
    }
}

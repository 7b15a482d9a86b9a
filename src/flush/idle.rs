//! Idle detection: stops the periodic timer of the flusher while the application emits no lines.

use super::outbox::Outbox;
use std::time::Duration;
use tokio::time::Instant;

/// Time without lines after which the flusher becomes dormant: it sleeps without a timer until the
/// next line wakes it. Threads that emit more often never pay for a wake-up.
const DORMANT_AFTER: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct IdleDetector {
    /// Number of bytes that the flusher had taken from the producer threads at the last tick of its
    /// timer.
    swept: u64,
    /// Time of the first timer tick in the current period without lines.
    since: Option<Instant>,
    is_dormant: bool,
}

impl IdleDetector {
    /// Returns true while the flusher is dormant: it has no timer, and the next line wakes it.
    pub(super) fn is_dormant(&self) -> bool {
        self.is_dormant
    }

    /// Ends the dormant state after a line has woken the flusher, so that its timer can run again.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Records a tick of the flusher's timer. Enters the dormant state if no line came for
    /// [`DORMANT_AFTER`], no line is left, `is_pending` (a flush, stop or report waits) is false, and
    /// so is `has_work` (an aggregated metric has changed, or a thinned one was used).
    pub(super) fn on_tick(
        &mut self,
        outbox: &Outbox,
        is_pending: bool,
        has_work: impl FnOnce() -> bool,
    ) {
        let lines = outbox.input();
        let (now, swept) = (Instant::now(), lines.swept());
        let is_idle = swept == self.swept && outbox.released() == swept && !is_pending;
        let since = self.since.filter(|_| is_idle).unwrap_or(now);
        let is_dormant =
            is_idle && now >= since + DORMANT_AFTER && lines.try_enter_dormant_unless(has_work);
        *self = Self { swept, since: Some(since), is_dormant };
    }
}

//! Idle detection: the flusher's tick stops after a while without lines.

use super::outbox::Outbox;
use std::time::Duration;
use tokio::time::Instant;

/// Time without lines after which the flusher becomes dormant. Threads that emit more often than
/// this need not wake it.
const DORMANT_AFTER: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct IdleDetector {
    /// Number of bytes swept up to the last tick.
    swept: u64,
    /// Time of the first tick of the current idle period.
    since: Option<Instant>,
    is_dormant: bool,
}

impl IdleDetector {
    /// Returns true while no tick is due: the next line wakes the flusher.
    pub(super) fn is_dormant(&self) -> bool {
        self.is_dormant
    }

    /// Ends dormancy, after a line has woken the flusher.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Records a tick. Enters dormancy if no line came for [`DORMANT_AFTER`], no line is left, and
    /// no flush, stop or report `is_pending`.
    pub(super) fn on_tick(&mut self, outbox: &Outbox, is_pending: bool) {
        let lines = outbox.lines();
        let (now, swept) = (Instant::now(), lines.swept());
        let is_idle = swept == self.swept && lines.consumed() == swept && !is_pending;
        let since = self.since.filter(|_| is_idle).unwrap_or(now);
        let is_dormant = is_idle && now >= since + DORMANT_AFTER && lines.try_enter_dormant();
        *self = Self { swept, since: Some(since), is_dormant };
    }
}

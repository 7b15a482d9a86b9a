//! Stall detection: measures the time without progress of the link to the server, while lines wait
//! to be sent or acknowledged.

use crate::config::FlusherConfig;
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

pub(super) struct Stall {
    /// Duration of a stall (no progress) after which the flusher considers the server unreachable.
    timeout: Duration,
    /// Interval at which the flusher checks, during a stall, whether another server's socket has
    /// taken the path of the Unix socket.
    check_interval: Duration,
    current: Option<CurrentStall>,
}

/// Stall in progress: lines wait, and the link to the server makes no progress.
struct CurrentStall {
    since: Instant,
    next_check: Instant,
}

impl Stall {
    pub(super) fn new(settings: &FlusherConfig) -> Self {
        let timeout = settings.peer_timeout;
        Self { timeout, check_interval: settings.reconnect_sleep.min(timeout), current: None }
    }

    /// Updates the stall (a time without progress while lines wait) after an attempt to send. The
    /// stall ends if `outstanding` is false (no line waits), and its time restarts if `progress` is
    /// true.
    pub(super) fn record(&mut self, progress: bool, outstanding: bool) {
        self.current = match self.current.take() {
            _ if !outstanding => None,
            Some(current) if !progress => Some(current),
            _ => {
                let now = Instant::now();
                Some(CurrentStall { since: now, next_check: now + self.check_interval })
            }
        };
    }

    /// Returns true if a check of the server's Unix socket path is due, and schedules the next
    /// check. One check comes exactly when the stall times out.
    pub(super) fn take_due_check(&mut self) -> bool {
        let Some(CurrentStall { since, next_check }) = &mut self.current else { return false };
        let (now, timeout) = (Instant::now(), *since + self.timeout);
        let is_due = now >= *next_check;
        if is_due {
            let next = now + self.check_interval;
            *next_check = if now < timeout { next.min(timeout) } else { next };
        }
        is_due
    }

    /// Returns true if the link to the server has made no progress for the timeout, although lines
    /// wait.
    pub(super) fn is_timed_out(&self) -> bool {
        self.current.as_ref().is_some_and(|stall| stall.since.elapsed() >= self.timeout)
    }

    /// Waits until the next check of the server's Unix socket path is due. Never returns if there
    /// is no stall. Cancel safe.
    pub(super) async fn next_check(&self) {
        match &self.current {
            Some(stall) => sleep_until(stall.next_check).await,
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, timeout};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_stall_begins_at_the_last_progress() {
        let mut stall = Stall { timeout: SECOND * 5, check_interval: SECOND * 2, current: None };
        stall.record(false, true);
        advance(SECOND).await;
        stall.record(true, true);
        let mut checks = Vec::new();
        for second in 1..=8 {
            advance(SECOND).await;
            stall.record(false, true);
            if stall.take_due_check() {
                checks.push((second, stall.is_timed_out()));
            }
        }
        assert_eq!(checks, [(2, false), (4, false), (5, true), (7, true)]);
        timeout(SECOND, stall.next_check()).await.unwrap();
        stall.record(false, false);
        assert!(!stall.take_due_check() && !stall.is_timed_out());
        timeout(SECOND * 60, stall.next_check()).await.unwrap_err();
    }
}

//! Stalls: since when a link has taken nothing, though there was something to take.

use crate::config::FlusherConfig;
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

pub(super) struct Stall {
    /// After so long the link is not taken for one that leads somewhere.
    patience: Duration,
    /// Between looks whether the endpoint leads elsewhere by now.
    pause: Duration,
    /// Since when nothing was taken, and when to look next.
    since: Option<(Instant, Instant)>,
}

impl Stall {
    pub(super) fn new(settings: &FlusherConfig) -> Self {
        let patience = settings.peer_timeout;
        Self { patience, pause: settings.reconnect_sleep.min(patience), since: None }
    }

    /// Whether something was taken just now, and whether something is left to be taken.
    pub(super) fn note(&mut self, progress: bool, outstanding: bool) {
        self.since = match self.since {
            _ if !outstanding => None,
            Some(since) if !progress => Some(since),
            _ => {
                let now = Instant::now();
                Some((now, now + self.pause))
            }
        };
    }

    /// Whether to look: once for each pause, and at the moment when patience ends.
    pub(super) fn is_due(&mut self) -> bool {
        let Some((since, look)) = &mut self.since else { return false };
        let (now, end) = (Instant::now(), *since + self.patience);
        let is_due = now >= *look;
        if is_due {
            let next = now + self.pause;
            *look = if now < end { next.min(end) } else { next };
        }
        is_due
    }

    pub(super) fn is_long(&self) -> bool {
        self.since.is_some_and(|(since, _)| since.elapsed() >= self.patience)
    }

    /// Waits for the next look, if there is to be one. Cancel safe.
    pub(super) async fn wait(&self) {
        match self.since {
            Some((_, look)) => sleep_until(look).await,
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
    async fn a_stall_begins_with_what_was_taken_last() {
        let mut stall = Stall { patience: SECOND * 5, pause: SECOND * 2, since: None };
        stall.note(false, true);
        advance(SECOND).await;
        stall.note(true, true);
        let mut looks = Vec::new();
        for second in 1..=8 {
            advance(SECOND).await;
            stall.note(false, true);
            if stall.is_due() {
                looks.push((second, stall.is_long()));
            }
        }
        assert_eq!(looks, [(2, false), (4, false), (5, true), (7, true)]);
        timeout(SECOND, stall.wait()).await.unwrap();
        stall.note(false, false);
        assert!(!stall.is_due() && !stall.is_long());
        timeout(SECOND * 60, stall.wait()).await.unwrap_err();
    }
}

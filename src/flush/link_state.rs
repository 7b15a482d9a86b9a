//! Link state: connected, connecting, or waiting for the next attempt.

use super::transport::Link;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

pub(super) enum LinkState {
    Up(Box<Link>),
    Connecting(Pin<Box<dyn Future<Output = io::Result<Box<Link>>> + Send>>),
    Down { retry_at: Instant },
}

pub(super) enum LinkEvent {
    /// The link can send, or has an error to report.
    Ready,
    Connected(Box<Link>),
    Failed(io::Error),
    /// The next connection attempt is due.
    RetryDue,
}

impl LinkState {
    /// Waits for the next event. Cancel safe: a connection attempt continues at the next call.
    pub(super) async fn next_event(&mut self, to_send: bool, dormant: bool) -> LinkEvent {
        match self {
            Self::Up(link) => match link.ready(to_send, dormant).await {
                Ok(()) => LinkEvent::Ready,
                Err(error) => LinkEvent::Failed(error),
            },
            Self::Connecting(attempt) => match attempt.await {
                Ok(link) => LinkEvent::Connected(link),
                Err(error) => LinkEvent::Failed(error),
            },
            Self::Down { retry_at } => {
                sleep_until(*retry_at).await;
                LinkEvent::RetryDue
            }
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self, Self::Up(_))
    }

    /// Returns the number of unsent bytes that the link is committed to send next.
    pub(super) fn committed(&self) -> usize {
        match self {
            Self::Up(link) => link.committed(),
            _ => 0,
        }
    }
}

/// Returns `sleep` plus or minus up to a quarter, so that many clients do not reconnect at once.
pub(super) fn jittered(sleep: Duration) -> Duration {
    sleep.mul_f64(0.75 + 0.5 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients that lost their server at the same moment reconnect spread over half of the sleep.
    /// None reconnects earlier or later.
    #[test]
    fn attempts_to_reconnect_are_spread() {
        let sleep = Duration::from_secs(1);
        let mut sleeps = Vec::from_iter((0..1_000).map(|_| jittered(sleep)));
        sleeps.sort_unstable();
        assert!(sleeps[0] >= sleep * 3 / 4 && sleeps[999] <= sleep * 5 / 4, "{sleeps:?}");
        assert!(sleeps[100] < sleep * 9 / 10 && sleeps[900] > sleep * 11 / 10, "{sleeps:?}");
    }
}

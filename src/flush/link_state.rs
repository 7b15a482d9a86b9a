//! State of the link (the connection or socket to the server): connected, connecting, or waiting
//! for the next attempt.

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
    /// The flusher should call `send`: the socket has room or an error, or a timer of the
    /// connection has expired.
    Ready,
    Connected(Box<Link>),
    Failed(io::Error),
    /// The next connection attempt is due.
    RetryDue,
}

impl LinkState {
    /// Waits for the next event of the connection to the server. Cancel safe: an attempt to connect
    /// continues at the next call.
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

    /// Returns true while the pacer (the limit on the UDP speed) lets the flusher wait for the next
    /// burst of datagrams.
    pub(super) fn is_between_bursts(&self) -> bool {
        matches!(self, Self::Up(link) if link.is_between_bursts())
    }

    /// Returns the number of unsent bytes that must be sent next: the rest of a length-prefixed
    /// frame that is already begun. They must not be evicted (discarded to make room).
    pub(super) fn committed(&self) -> usize {
        match self {
            Self::Up(link) => link.committed(),
            _ => 0,
        }
    }
}

/// Returns `sleep` changed at random by up to a quarter, so that many clients do not reconnect at
/// once.
pub(super) fn jittered(sleep: Duration) -> Duration {
    sleep.mul_f64(0.75 + 0.5 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws 1,000 random reconnect sleeps around one second. All must lie between 0.75 and 1.25
    /// seconds, and they must be spread over this range.
    #[test]
    fn attempts_to_reconnect_are_spread() {
        let sleep = Duration::from_secs(1);
        let mut sleeps = Vec::from_iter((0..1_000).map(|_| jittered(sleep)));
        sleeps.sort_unstable();
        assert!(sleeps[0] >= sleep * 3 / 4 && sleeps[999] <= sleep * 5 / 4, "{sleeps:?}");
        assert!(sleeps[100] < sleep * 9 / 10 && sleeps[900] > sleep * 11 / 10, "{sleeps:?}");
    }
}

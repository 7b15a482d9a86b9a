//! The route: where the lines go, or what is being done about it.

use super::link::Link;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Where the lines go, or what is being done about it.
pub(super) enum LinkState {
    Up(Box<Link>),
    Connecting(Pin<Box<dyn Future<Output = io::Result<Box<Link>>> + Send>>),
    Down { until: Instant },
}

/// What a route has to say.
pub(super) enum LinkEvent {
    /// The link can be used: to send, or to learn why not.
    Ready,
    Connected(Box<Link>),
    Failed(io::Error),
    /// It is time to connect.
    Due,
}

impl LinkState {
    /// Waits for news. Cancel safe: what was begun goes on at the next call.
    pub(super) async fn news(&mut self, to_send: bool, dormant: bool) -> LinkEvent {
        match self {
            Self::Up(link) => match link.ready(to_send, dormant).await {
                Ok(()) => LinkEvent::Ready,
                Err(error) => LinkEvent::Failed(error),
            },
            Self::Connecting(attempt) => match attempt.await {
                Ok(link) => LinkEvent::Connected(link),
                Err(error) => LinkEvent::Failed(error),
            },
            Self::Down { until } => {
                sleep_until(*until).await;
                LinkEvent::Due
            }
        }
    }
}

/// A quarter more or less, so that many clients do not come back at once.
pub(super) fn jittered(sleep: Duration) -> Duration {
    sleep.mul_f64(0.75 + 0.5 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients that lost their server at the same moment come back spread over half of the sleep, and
    /// none earlier or later than that.
    #[test]
    fn attempts_to_reconnect_are_spread() {
        let sleep = Duration::from_secs(1);
        let mut sleeps = Vec::from_iter((0..1_000).map(|_| jittered(sleep)));
        sleeps.sort_unstable();
        assert!(sleeps[0] >= sleep * 3 / 4 && sleeps[999] <= sleep * 5 / 4, "{sleeps:?}");
        assert!(sleeps[100] < sleep * 9 / 10 && sleeps[900] > sleep * 11 / 10, "{sleeps:?}");
    }
}

//! Waiting for the first of several events.
//!
//! These functions do what `tokio::select!` does. That macro needs a procedural macro, which would
//! take longer to compile than this crate.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use tokio::time::{Instant, sleep_until};

/// Future that [`first_of`] waits for.
type Branch<'a, T> = Pin<&'a mut (dyn Future<Output = T> + Send)>;

/// Waits for the first of these futures, and returns its output. If several are ready, the one that
/// comes first in the list is taken. Cancel safe if all futures are.
pub(super) async fn first_of<T, const N: usize>(mut futures: [Branch<'_, T>; N]) -> T {
    poll_fn(|context| {
        for future in &mut futures {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(output);
            }
        }
        Poll::Pending
    })
    .await
}

/// Waits for the future if the condition holds, and forever otherwise.
pub(super) async fn only_if<T>(condition: bool, future: impl Future<Output = T>) -> T {
    if condition { future.await } else { pending().await }
}

/// Waits until this time, or forever if there is none.
pub(super) async fn time(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;
    use std::pin::pin;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn the_first_ready_future_of_the_list_is_taken() {
        let (second, third) = (pin!(ready(2)), pin!(ready(3)));
        assert_eq!(first_of([pin!(pending()), second, third]).await, 2);
        let never = only_if(false, ready(1));
        assert_eq!(first_of([pin!(never), pin!(only_if(true, ready(2)))]).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_future_wakes_the_wait() {
        let start = Instant::now();
        let at = |seconds| Some(start + Duration::from_secs(seconds));
        first_of([pin!(time(None)), pin!(time(at(2))), pin!(time(at(1)))]).await;
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
}

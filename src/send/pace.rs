//! Pace: how much goes out over UDP at once.
//!
//! A receiver with the default buffer holds some 90 datagrams that it did not read yet. Lines
//! gather for a flush interval, and would all come at once. So they go in *bursts*, one a millisecond:
//! small ones while little waits, and larger ones in proportion to what does, so that any rate
//! finds its own size of burst. Beyond a part of the capacity there is no pace: here lines would be
//! dropped for certain.

use std::time::Duration;
use tokio::time::Instant;

/// A quarter of what a receiver's default buffer holds: others may send to it too.
const BURST: usize = 32 << 10;

/// Of a burst: so that the receiver wakes at its first datagrams, and reads while the others come.
const CALL: usize = 16 << 10;

/// What is waiting is spread over so many bursts.
const SPREAD: usize = 8;

/// From one burst to the next. Timers make it up to twice as long.
const PERIOD: Duration = Duration::from_millis(1);

pub(super) struct Pace {
    /// When more than this waits, it is to go as fast as can be.
    hurry_beyond: usize,
    /// How many bytes the burst may still have.
    left: usize,
    /// It goes as fast as can be.
    is_off: bool,
    renewal: Instant,
}

impl Pace {
    pub(super) fn new(hurry_beyond: usize) -> Self {
        Self { hurry_beyond, left: 0, is_off: false, renewal: Instant::now() }
    }

    pub(super) fn none() -> Self {
        Self::new(0)
    }

    /// Begins the next burst, if it is time; or lets go of all pace, in a hurry or beyond what may
    /// wait.
    pub(super) fn renew(&mut self, waiting: usize, hurry: bool) {
        self.is_off = hurry || waiting > self.hurry_beyond;
        let now = Instant::now();
        if now >= self.renewal {
            self.left = BURST.max(waiting / SPREAD);
            self.renewal = now + PERIOD;
        }
    }

    /// How many bytes may go by one call.
    pub(super) fn at_once(&self) -> usize {
        if self.is_off { usize::MAX } else { self.left.min(CALL) }
    }

    pub(super) fn is_over(&self) -> bool {
        !self.is_off && self.left == 0
    }

    /// The last datagram may exceed what is left.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// When the next burst may begin.
    pub(super) fn renewal(&self) -> Instant {
        self.renewal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bursts_are_small_while_little_waits_and_grow_with_what_does() {
        let mut pace = Pace::new(1 << 20);
        for (waiting, burst) in [(0, BURST), (BURST, BURST), (1 << 20, (1 << 20) / SPREAD)] {
            pace.renew(waiting, false);
            let mut sent = 0;
            while !pace.is_over() {
                assert!(pace.at_once() <= CALL);
                sent += pace.at_once();
                pace.sent(pace.at_once());
            }
            assert_eq!(sent, burst);
            // Not before its time, whatever is waiting.
            pace.renew(waiting, false);
            assert!(pace.is_over());
            tokio::time::advance(PERIOD).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_no_pace_in_a_hurry_or_beyond_what_may_wait() {
        for (waiting, hurry) in [(0, true), (1_001, false)] {
            let mut pace = Pace::new(1_000);
            pace.renew(waiting, hurry);
            pace.sent(1 << 30);
            assert!(!pace.is_over() && pace.at_once() == usize::MAX);
            // And it is found again.
            tokio::time::advance(PERIOD).await;
            pace.renew(1_000, false);
            assert_eq!(pace.at_once(), CALL);
        }
    }

    /// However small the clock's steps, no more than a burst goes in one period.
    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept() {
        let mut pace = Pace::new(usize::MAX);
        let mut sent = 0;
        for _ in 0..1_000 {
            pace.renew(0, false);
            sent += pace.at_once();
            pace.sent(pace.at_once());
            tokio::time::advance(Duration::from_micros(100)).await;
        }
        // A tenth of a second.
        assert_eq!(sent, 100 * BURST);
    }
}

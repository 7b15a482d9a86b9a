//! Pacer: how much goes out over UDP at once.
//!
//! A receiver with the default buffer holds some 90 datagrams that it did not read yet. Lines
//! drain_ordered for a flush interval, and would all come at once. So they go in *bursts*, one a millisecond:
//! small ones while little waits, and larger ones in proportion to what does, so that any rate
//! finds its own size of burst. Batches are made faster than any receiver reads: a burst that could
//! fill its buffer goes by a few datagrams, which a receiver can keep up with. The receiver may
//! have to wait for the very core that sends to it, so after some bytes that is given up for a
//! moment. Near the capacity there is no pace: here lines would be dropped for certain.

use std::time::Duration;
use tokio::time::Instant;

/// A quarter of what a receiver's default buffer holds: others may send to it too.
const BURST: usize = 32 << 10;

/// Of a burst: so that the receiver wakes at its first datagrams, and reads while the others come.
const CALL: usize = 16 << 10;

/// Of a burst that a receiver has to keep up with: five datagrams of an Ethernet.
const FEW: usize = 7_500;

/// No larger burst is made of batches.
const BATCHED: usize = 3 * BURST;

/// What is waiting is spread over so many bursts.
const SPREAD: usize = 8;

/// From one burst to the next. Timers make it up to twice as long.
const PERIOD: Duration = Duration::from_millis(1);

pub(super) struct Pacer {
    /// When more than this waits, it is to go as fast as can be; and without rest from the half of
    /// it.
    unpaced_beyond: usize,
    /// How many bytes the burst may still have.
    left: usize,
    /// How many bytes went since others had the core.
    unbroken: usize,
    speed: Speed,
    renewal: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speed {
    /// Bursts, of small batches.
    Batches,
    /// Bursts, of a few datagrams a call.
    Few,
    /// A few datagrams a call, without rest.
    Restless,
    /// As fast as can be.
    Full,
}

impl Pacer {
    pub(super) fn new(unpaced_beyond: usize) -> Self {
        Self {
            unpaced_beyond,
            left: 0,
            unbroken: 0,
            speed: Speed::Batches,
            renewal: Instant::now(),
        }
    }

    pub(super) fn none() -> Self {
        Self::new(0)
    }

    /// Begins the next burst, if it is time; or lets go of all pace, in a unpaced or beyond what may
    /// wait.
    pub(super) fn renew(&mut self, waiting: usize, unpaced: bool) {
        self.speed = match waiting {
            _ if unpaced => Speed::Full,
            _ if waiting > self.unpaced_beyond => Speed::Full,
            _ if waiting > self.unpaced_beyond / 2 => Speed::Restless,
            _ if waiting > BATCHED * SPREAD => Speed::Few,
            _ => Speed::Batches,
        };
        let now = Instant::now();
        if now >= self.renewal {
            self.left = BURST.max(waiting / SPREAD);
            self.renewal = now + PERIOD;
        }
    }

    /// How many bytes may go by one call.
    pub(super) fn at_once(&self) -> usize {
        match self.speed {
            Speed::Batches => self.left.min(CALL),
            Speed::Few | Speed::Restless => FEW,
            Speed::Full => usize::MAX,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.speed, Speed::Batches | Speed::Few) && self.left == 0
    }

    /// The last datagram may exceed what is left.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.unbroken = self.unbroken.saturating_add(bytes);
    }

    /// Whether others are to have the core for a moment: after each burst's worth, which no
    /// buffer overflows from.
    pub(super) fn should_yield(&mut self) -> bool {
        let should_yield = self.speed != Speed::Full && self.unbroken + FEW > BURST;
        if should_yield {
            self.unbroken = 0;
        }
        should_yield
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
        let mut pace = Pacer::new(2 << 20);
        for (waiting, burst) in
            [(0, BURST), (BURST, BURST), (400 << 10, 50 << 10), (1 << 20, (1 << 20) / SPREAD)]
        {
            pace.renew(waiting, false);
            let mut sent = 0;
            while !pace.is_over() {
                // What could fill a receiver's buffer is no batch.
                assert!(pace.at_once() <= if burst > BATCHED { FEW } else { CALL });
                let call = pace.at_once().min(burst - sent);
                sent += call;
                pace.sent(call);
            }
            assert_eq!(sent, burst);
            // Not before its time, whatever is waiting.
            pace.renew(waiting, false);
            assert!(pace.is_over());
            tokio::time::advance(PERIOD).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_each_bursts_worth_others_have_the_core() {
        let mut pace = Pacer::new(2 << 20);
        pace.renew(1 << 20, false);
        let breaks = (0..100).filter(|_| {
            pace.sent(FEW);
            pace.should_yield()
        });
        assert_eq!(breaks.count(), 100 / (BURST / FEW));
        // But in a unpaced.
        pace.renew(1 << 20, true);
        pace.sent(BURST);
        assert!(!pace.should_yield());
    }

    /// Well before lines are dropped, and still not in batches, which hardly any receiver follows.
    #[tokio::test(start_paused = true)]
    async fn there_is_no_rest_where_much_waits() {
        let mut pace = Pacer::new(1_000);
        pace.renew(501, false);
        pace.sent(1 << 30);
        assert!(!pace.is_over() && pace.at_once() == FEW);
        pace.renew(500, false);
        assert!(pace.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_no_pace_in_a_hurry_or_beyond_what_may_wait() {
        for (waiting, unpaced) in [(0, true), (1_001, false)] {
            let mut pace = Pacer::new(1_000);
            pace.renew(waiting, unpaced);
            pace.sent(1 << 30);
            assert!(!pace.is_over() && pace.at_once() == usize::MAX);
            // And it is found again.
            tokio::time::advance(PERIOD).await;
            pace.renew(500, false);
            assert_eq!(pace.at_once(), CALL);
        }
    }

    /// However small the clock's steps, no more than a burst goes in one period.
    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept() {
        let mut pace = Pacer::new(usize::MAX);
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

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

/// What is waiting is spread over so many bursts.
const SPREAD: usize = 8;

/// From one burst to the next. Timers make it up to twice as long.
const PERIOD: Duration = Duration::from_millis(1);

pub(super) struct Pace {
    /// When more than this waits, it is to go as fast as can be.
    hurry_beyond: usize,
    /// How many bytes the burst may still have.
    left: usize,
    renewal: Instant,
}

impl Pace {
    pub(super) fn new(hurry_beyond: usize) -> Self {
        Self { hurry_beyond, left: 0, renewal: Instant::now() }
    }

    pub(super) fn none() -> Self {
        Self::new(0)
    }

    /// Begins the next burst, if it is time; or lets go of all pace, in a hurry.
    pub(super) fn renew(&mut self, waiting: usize, hurry: bool) {
        if hurry || waiting > self.hurry_beyond {
            self.left = usize::MAX;
            return;
        }
        let now = Instant::now();
        if now >= self.renewal {
            self.left = BURST.max(waiting / SPREAD);
            self.renewal = now + PERIOD;
        }
    }

    /// How many bytes may go.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    pub(super) fn is_over(&self) -> bool {
        self.left == 0
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

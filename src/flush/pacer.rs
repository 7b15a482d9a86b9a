//! Pacing: limits the speed at which datagrams are sent over UDP.
//!
//! A receiver with a default buffer holds about 90 datagrams that it has not read. The lines of a
//! flush interval would arrive all at once. So they are sent in *bursts*, one a millisecond: small
//! ones while the backlog is small, and larger ones in proportion to it. So each rate finds its own
//! size of burst.
//!
//! Batches are made faster than any receiver reads. So a burst that could fill a receiver's buffer
//! is sent by a few datagrams a call, which a receiver can follow. A receiver may need the very
//! core that sends to it, so the flusher yields that core now and then.
//!
//! Near the capacity there is no pacing: there lines would be dropped for certain.

use std::time::Duration;
use tokio::time::Instant;

/// Minimum size in bytes of a burst of datagrams: two fifths of a receiver's default buffer, since
/// other clients may send too. Each burst wakes the flusher, which costs about as much as sending it.
const MIN_BURST_BYTES: usize = 48 << 10;

/// Maximum number of bytes that one system call sends in a small burst. The receiver wakes at the
/// first datagrams, and reads while the others arrive.
const BATCH_BYTES: usize = 16 << 10;

/// Maximum number of bytes that one system call sends if the receiver must keep up with it: five
/// full Ethernet datagrams.
const FEW_DATAGRAMS_BYTES: usize = 7_500;

/// Maximum size in bytes of a burst that is sent in batches. A larger burst is sent a few datagrams
/// per system call.
const MAX_BATCHED_BURST_BYTES: usize = 96 << 10;

/// Number of bursts over which the pacer spreads the backlog (the bytes that wait to be sent).
const BURSTS_PER_BACKLOG: usize = 8;

/// Time from one burst of datagrams to the next. The resolution of the system's timers can double
/// it.
const BURST_INTERVAL: Duration = Duration::from_millis(1);

pub(super) struct Pacer {
    /// Backlog (unsent bytes) above which the pacer no longer limits the UDP speed
    /// ([`Mode::Unpaced`]). Above half of this backlog, only the pauses between bursts end
    /// ([`Mode::Continuous`]).
    unpaced_beyond: usize,
    /// Number of bytes that the current burst may still send.
    remaining: usize,
    /// Number of bytes sent since the flusher last yielded its CPU core to other threads.
    since_yield: usize,
    mode: Mode,
    next_burst: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Bursts with pauses between them. One system call sends a batch of datagrams.
    BatchedBursts,
    /// Bursts with pauses between them. One system call sends only a few datagrams.
    Bursts,
    /// No pauses between bursts. One system call sends only a few datagrams.
    Continuous,
    /// No pauses, and no limit on the bytes of one system call.
    Unpaced,
}

impl Pacer {
    pub(super) fn new(unpaced_beyond: usize) -> Self {
        Self {
            unpaced_beyond,
            remaining: 0,
            since_yield: 0,
            mode: Mode::BatchedBursts,
            next_burst: Instant::now(),
        }
    }

    /// Returns a pacer that does not limit the speed of sending, for sockets other than UDP.
    pub(super) fn unpaced() -> Self {
        Self::new(0)
    }

    /// Chooses the pacing mode for this backlog of unsent bytes, and begins the next burst if its
    /// time has come. With `unpaced`, turns pacing off.
    pub(super) fn renew(&mut self, backlog: usize, unpaced: bool) {
        self.mode = match backlog {
            _ if unpaced => Mode::Unpaced,
            _ if backlog > self.unpaced_beyond => Mode::Unpaced,
            _ if backlog > self.unpaced_beyond / 2 => Mode::Continuous,
            _ if backlog > MAX_BATCHED_BURST_BYTES * BURSTS_PER_BACKLOG => Mode::Bursts,
            _ => Mode::BatchedBursts,
        };
        let now = Instant::now();
        if now >= self.next_burst {
            self.remaining = MIN_BURST_BYTES.max(backlog / BURSTS_PER_BACKLOG);
            self.next_burst = now + BURST_INTERVAL;
        }
    }

    /// Returns the maximum number of bytes that the next system call may send.
    pub(super) fn max_call_bytes(&self) -> usize {
        match self.mode {
            // A short rest of the burst would cost another system call.
            Mode::BatchedBursts if self.remaining <= BATCH_BYTES / 2 * 3 => self.remaining,
            Mode::BatchedBursts => BATCH_BYTES,
            Mode::Bursts | Mode::Continuous => FEW_DATAGRAMS_BYTES,
            Mode::Unpaced => usize::MAX,
        }
    }

    /// Returns true if the current burst is used up, so that nothing may be sent before the next
    /// burst.
    pub(super) fn is_burst_over(&self) -> bool {
        matches!(self.mode, Mode::BatchedBursts | Mode::Bursts) && self.remaining == 0
    }

    /// Records that one system call sent `bytes` in `datagrams` datagrams in the current burst. A
    /// rest of the burst that holds no further datagram of this length ends the burst. The last
    /// datagram may exceed the size of the burst.
    pub(super) fn on_sent(&mut self, bytes: usize, datagrams: usize) {
        let rest = self.remaining.saturating_sub(bytes);
        self.remaining = if rest * datagrams < bytes { 0 } else { rest };
        self.since_yield = self.since_yield.saturating_add(bytes);
    }

    /// Returns true once the flusher has sent about `MIN_BURST_BYTES` and should yield its CPU
    /// core. A receiver may need this core to read the datagrams. At the end of a burst the flusher
    /// sleeps anyway.
    pub(super) fn should_yield(&mut self) -> bool {
        let should_yield = self.mode != Mode::Unpaced
            && !self.is_burst_over()
            && self.since_yield + FEW_DATAGRAMS_BYTES > MIN_BURST_BYTES;
        if should_yield {
            self.since_yield = 0;
        }
        should_yield
    }

    /// Returns the time at which the next burst may begin.
    pub(super) fn next_burst(&self) -> Instant {
        self.next_burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bursts_grow_with_the_backlog() {
        let mut pacer = Pacer::new(2 << 20);
        for (backlog, burst) in [
            (0, MIN_BURST_BYTES),
            (MIN_BURST_BYTES, MIN_BURST_BYTES),
            (400 << 10, 50 << 10),
            (1 << 20, (1 << 20) / BURSTS_PER_BACKLOG),
        ] {
            pacer.renew(backlog, false);
            let mut sent = 0;
            while !pacer.is_burst_over() {
                // A burst that could fill a receiver's buffer is not sent in batches.
                let is_large = burst > MAX_BATCHED_BURST_BYTES;
                let max_call = if is_large { FEW_DATAGRAMS_BYTES } else { BATCH_BYTES / 2 * 3 };
                assert!(pacer.max_call_bytes() <= max_call);
                let call = pacer.max_call_bytes().min(burst - sent);
                sent += call;
                pacer.on_sent(call, call);
            }
            assert_eq!(sent, burst);
            // No burst begins before its time.
            pacer.renew(backlog, false);
            assert!(pacer.is_burst_over());
            tokio::time::advance(BURST_INTERVAL).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_core_is_yielded_while_sending_goes_on() {
        let mut pacer = Pacer::new(2 << 20);
        pacer.renew((1 << 20) + 1, false);
        let yields = (0..100).filter(|_| {
            pacer.on_sent(FEW_DATAGRAMS_BYTES, 1);
            pacer.should_yield()
        });
        assert_eq!(yields.count(), 100 / (MIN_BURST_BYTES / FEW_DATAGRAMS_BYTES));
        // An unpaced flusher does not yield, and one that is about to sleep does not either.
        for (backlog, unpaced) in [(1 << 20, true), (0, false)] {
            tokio::time::advance(BURST_INTERVAL).await;
            pacer.renew(backlog, unpaced);
            pacer.on_sent(MIN_BURST_BYTES, 1);
            assert!(!pacer.should_yield());
        }
    }

    /// Sends a burst of datagrams of 1,400 bytes. It must take three system calls, and end although
    /// the size of the burst is no multiple of a datagram's.
    #[tokio::test(start_paused = true)]
    async fn a_burst_takes_few_calls() {
        let mut pacer = Pacer::new(2 << 20);
        pacer.renew(0, false);
        let mut calls = Vec::new();
        while !pacer.is_burst_over() {
            let datagrams = pacer.max_call_bytes() / 1_400;
            pacer.on_sent(datagrams * 1_400, datagrams);
            calls.push(datagrams);
        }
        assert_eq!(calls, [11, 11, 13]);
    }

    /// Gives the pacer (which limits the UDP speed) slightly more than half of the backlog at which
    /// pacing ends. Sending must not pause, and each system call must stay small. A backlog of
    /// exactly half must still be sent in bursts.
    #[tokio::test(start_paused = true)]
    async fn a_large_backlog_is_sent_without_a_pause() {
        let mut pacer = Pacer::new(1_000);
        pacer.renew(501, false);
        pacer.on_sent(1 << 30, 1);
        assert!(!pacer.is_burst_over() && pacer.max_call_bytes() == FEW_DATAGRAMS_BYTES);
        pacer.renew(500, false);
        assert!(pacer.is_burst_over());
    }

    #[tokio::test(start_paused = true)]
    async fn pacing_ends_on_request_or_beyond_the_limit() {
        for (backlog, unpaced) in [(0, true), (1_001, false)] {
            let mut pacer = Pacer::new(1_000);
            pacer.renew(backlog, unpaced);
            pacer.on_sent(1 << 30, 1);
            assert!(!pacer.is_burst_over() && pacer.max_call_bytes() == usize::MAX);
            // Pacing resumes.
            tokio::time::advance(BURST_INTERVAL).await;
            pacer.renew(500, false);
            assert_eq!(pacer.max_call_bytes(), BATCH_BYTES);
        }
    }

    /// Renews the pacer (which limits the UDP speed) ten times per burst interval, for 100
    /// intervals. It must allow one burst per interval.
    #[tokio::test(start_paused = true)]
    async fn one_burst_is_sent_per_interval() {
        let mut pacer = Pacer::new(usize::MAX);
        let mut sent = 0;
        for _ in 0..1_000 {
            pacer.renew(0, false);
            sent += pacer.max_call_bytes();
            pacer.on_sent(pacer.max_call_bytes(), 1);
            tokio::time::advance(Duration::from_micros(100)).await;
        }
        // A tenth of a second has passed.
        assert_eq!(sent, 100 * MIN_BURST_BYTES);
    }
}

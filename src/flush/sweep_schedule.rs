//! Sweep schedule: chooses when the flusher next takes lines from the producer threads, by the rate of
//! the lines.
//!
//! A producer thread wakes the flusher when many blocks have gathered, which costs the thread a system
//! call. The schedule makes sweeps so frequent that at a steady rate no thread has to: only half as
//! many blocks gather from one sweep to the next.

use std::time::Duration;
use tokio::time::Instant;

/// Minimum time between two scheduled sweeps. Tokio's timers have this resolution.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// Time of the next sweep, and the recent rate of lines that determines it.
pub(super) struct SweepSchedule {
    /// Number of bytes that may gather in the producer threads' blocks from one sweep to the next.
    budget: u64,
    /// Maximum time between two sweeps: the flush interval.
    max_interval: Duration,
    /// Time from the last sweep to the next.
    interval: Duration,
    last_sweep: Instant,
    /// Number of bytes swept since the connector was created, up to the last sweep.
    swept: u64,
}

impl SweepSchedule {
    /// Creates a schedule that begins with short intervals between sweeps, once it is
    /// [restarted](Self::restart).
    pub(super) fn new(budget: usize, flush_interval: Duration) -> Self {
        Self {
            budget: budget as u64,
            max_interval: flush_interval,
            interval: MIN_INTERVAL.min(flush_interval),
            last_sweep: Instant::from_std(std::time::Instant::now()),
            swept: 0,
        }
    }

    /// Begins with short intervals again, after a time without lines in which the flusher did not
    /// sweep. A burst of lines may follow. `swept` is the number of bytes swept so far.
    pub(super) fn restart(&mut self, swept: u64) {
        self.interval = MIN_INTERVAL.min(self.max_interval);
        self.last_sweep = Instant::now();
        self.swept = swept;
    }

    /// Records a sweep and determines the time of the next. `swept` is the number of bytes swept since
    /// the connector was created.
    pub(super) fn on_sweep(&mut self, swept: u64) {
        let now = Instant::now();
        let elapsed = now - self.last_sweep;
        let gathered = swept - self.swept;
        self.interval = self.next_interval(elapsed, gathered);
        self.last_sweep = now;
        self.swept = swept;
    }

    /// Returns the interval in which the budget gathers, if `gathered` bytes took `elapsed`. It is at
    /// most twice the previous one.
    fn next_interval(&self, elapsed: Duration, gathered: u64) -> Duration {
        let nanos = elapsed.as_nanos() * u128::from(self.budget) / u128::from(gathered.max(1));
        let interval = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let longest = self.max_interval.min(2 * self.interval);
        interval.min(longest).max(MIN_INTERVAL.min(self.max_interval))
    }

    /// Returns the time of the next sweep, or `None` if the tick after each flush interval is soon
    /// enough.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        (self.interval < self.max_interval).then(|| self.last_sweep + self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const BUDGET: usize = 256 << 10;
    const FLUSH_INTERVAL: Duration = Duration::from_millis(100);

    /// Lets lines flow at `rate` bytes a second for some sweeps. Returns the last interval, and the
    /// maximum number of bytes that gathered.
    async fn flow(
        schedule: &mut SweepSchedule,
        swept: &mut u64,
        rate: u64,
        sweeps: u32,
    ) -> (Duration, u64) {
        let mut most = 0;
        for _ in 0..sweeps {
            let due = schedule.next_sweep().unwrap_or(schedule.last_sweep + FLUSH_INTERVAL);
            let wait = due - Instant::now();
            advance(wait).await;
            let gathered = rate * wait.as_micros() as u64 / 1_000_000;
            most = most.max(gathered);
            *swept += gathered;
            schedule.on_sweep(*swept);
        }
        (schedule.interval, most)
    }

    #[tokio::test(start_paused = true)]
    async fn the_budget_gathers_at_a_steady_rate() {
        for rate in [5 << 20, 20 << 20, 100 << 20] {
            let (mut schedule, mut swept) = (SweepSchedule::new(BUDGET, FLUSH_INTERVAL), 0);
            let (_, most) = flow(&mut schedule, &mut swept, rate, 50).await;
            assert!(most <= BUDGET as u64, "{most} bytes gathered at {rate} bytes/s");
            let (interval, gathered) = flow(&mut schedule, &mut swept, rate, 1).await;
            assert!(
                gathered > BUDGET as u64 * 9 / 10,
                "{gathered} in {interval:?} at {rate} bytes/s"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn intervals_double_up_to_the_flush_interval() {
        let (mut schedule, mut swept) = (SweepSchedule::new(BUDGET, FLUSH_INTERVAL), 0);
        for millis in [2, 4, 8, 16, 32, 64, 100, 100] {
            let (interval, _) = flow(&mut schedule, &mut swept, 1000, 1).await;
            assert_eq!(interval, Duration::from_millis(millis));
        }
        assert_eq!(schedule.next_sweep(), None);
        schedule.restart(swept);
        assert_eq!(schedule.next_sweep(), Some(Instant::now() + MIN_INTERVAL));
    }

    #[tokio::test(start_paused = true)]
    async fn the_interval_shortens_at_once_and_stays_in_bounds() {
        let (mut schedule, mut swept) = (SweepSchedule::new(BUDGET, FLUSH_INTERVAL), 0);
        flow(&mut schedule, &mut swept, 0, 20).await;
        let (interval, _) = flow(&mut schedule, &mut swept, 20 << 20, 1).await;
        assert_eq!(interval, FLUSH_INTERVAL / 8);
        let (interval, _) = flow(&mut schedule, &mut swept, 10 << 30, 2).await;
        assert_eq!(interval, MIN_INTERVAL);
        // A sweep at the same time as the one before.
        schedule.on_sweep(swept + 1);
        assert_eq!(schedule.interval, MIN_INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flush_interval_below_the_minimum_is_kept() {
        let short = Duration::from_micros(300);
        let mut schedule = SweepSchedule::new(BUDGET, short);
        schedule.on_sweep(1 << 30);
        assert_eq!((schedule.interval, schedule.next_sweep()), (short, None));
    }
}

//! Drain schedule: the times at which the lines of aggregated metrics are emitted.
//!
//! They are multiples of the aggregate interval by the system clock, plus an offset that is random. So
//! the windows of a server that the interval divides hold the same number of lines, and the processes of
//! a fleet do not send at once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

pub(super) struct DrainSchedule {
    interval: Duration,
    offset: Duration,
    due: Instant,
}

impl DrainSchedule {
    /// Creates a schedule, which begins once it is [restarted](Self::restart).
    pub(super) fn new(interval: Duration) -> Self {
        let offset = interval.mul_f64(fastrand::f64());
        Self { interval, offset, due: Instant::from_std(std::time::Instant::now()) }
    }

    /// Returns the time of the next drain.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Sets the next drain to the next time of the schedule, after a drain or a time without any.
    pub(super) fn restart(&mut self) {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.due = Instant::now() + self.wait_from(clock);
    }

    /// Returns the time from `clock`, a time of the system clock, to the next time of the schedule.
    fn wait_from(&self, clock: Duration) -> Duration {
        let interval = self.interval.as_nanos();
        let into_interval = (clock.as_nanos() + interval - self.offset.as_nanos()) % interval;
        // An interval is at most a day, so that it has a `u64` of nanoseconds.
        Duration::from_nanos((interval - into_interval) as u64)
    }

    /// Sets the next drain to `at`, since the last one was incomplete.
    pub(super) fn retry_at(&mut self, at: Instant) {
        self.due = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drains_are_at_multiples_of_the_interval_plus_the_offset() {
        let mut schedule = DrainSchedule::new(Duration::from_millis(200));
        schedule.offset = Duration::from_millis(30);
        let wait = |clock| schedule.wait_from(Duration::from_millis(clock)).as_millis();
        let day = 86_400_000;
        assert_eq!([0, 29, 30, 31, 229, 230, day].map(wait), [30, 1, 200, 199, 1, 200, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn next_drain_is_within_an_interval() {
        let mut schedule = DrainSchedule::new(Duration::from_secs(1));
        assert!(schedule.offset < Duration::from_secs(1));
        for _ in 0..100 {
            schedule.restart();
            let wait = schedule.due() - Instant::now();
            assert!(!wait.is_zero() && wait <= Duration::from_secs(1), "{wait:?}");
        }
    }
}

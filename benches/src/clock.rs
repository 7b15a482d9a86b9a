//! Functions that read the monotonic clock, the processor time of threads and processes, and the
//! peak memory of this process, and a clock that times single calls.

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Returns the time of the monotonic clock in nanoseconds. This clock is the same for all processes
/// of the machine.
#[must_use]
pub fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

/// Returns the processor time of the calling thread in nanoseconds.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Returns the processor time of all threads of this process in nanoseconds, kernel time included.
#[must_use]
pub fn process_cpu_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn nanoseconds(clock: ClockId) -> u64 {
    Duration::from(clock_gettime(clock).expect("Linux has this clock")).as_nanos() as u64
}

/// Returns the peak resident memory of this process in KiB.
#[must_use]
pub fn peak_rss_kib() -> u64 {
    getrusage(UsageWho::RUSAGE_SELF).expect("a process can query its own usage").max_rss() as u64
}

/// Clock that times single calls. A reading waits until the instructions before it have finished.
///
/// A reading that does not wait can be taken while the loads of a call still wait for memory, so
/// that slow calls appear shorter than they are. Elsewhere than on x86-64, this is the clock of the
/// standard library.
#[derive(Clone, Copy, Debug)]
pub struct OrderedClock {
    nanoseconds_per_tick: f64,
    #[cfg(not(target_arch = "x86_64"))]
    base: Instant,
}

impl OrderedClock {
    /// Returns a clock, after 50 ms in which its ticks are compared with the monotonic clock.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "the function takes time")]
    pub fn new() -> Self {
        let mut clock = Self {
            nanoseconds_per_tick: 1.0,
            #[cfg(not(target_arch = "x86_64"))]
            base: Instant::now(),
        };
        let (start, before) = clock.read_both();
        std::thread::sleep(Duration::from_millis(50));
        let (end, after) = clock.read_both();
        let elapsed = end.duration_since(start).as_nanos() as f64;
        clock.nanoseconds_per_tick = elapsed / (after - before) as f64;
        clock
    }

    /// Reads the monotonic clock and this one. Of ten pairs of readings, returns the pair that was
    /// closest together, as the thread may be displaced between two readings.
    fn read_both(&self) -> (Instant, u64) {
        let pairs = (0..10).map(|_| {
            let before = self.ticks();
            (Instant::now(), before, self.ticks())
        });
        let closest = pairs.min_by_key(|&(_, before, after)| after.saturating_sub(before));
        let (instant, before, _) = closest.expect("there are ten pairs");
        (instant, before)
    }

    /// Returns the current time in ticks.
    #[inline(always)]
    #[must_use]
    pub fn ticks(&self) -> u64 {
        #[cfg(target_arch = "x86_64")]
        return safe_arch::read_timestamp_counter_p(&mut 0);
        #[cfg(not(target_arch = "x86_64"))]
        return self.base.elapsed().as_nanos() as u64;
    }

    /// Returns the nanoseconds between two readings. Returns 0 if `end` is before `start`, as after
    /// a move to a core whose counter is slightly behind.
    #[inline(always)]
    #[must_use]
    pub fn nanoseconds(&self, start: u64, end: u64) -> u64 {
        (end.saturating_sub(start) as f64 * self.nanoseconds_per_tick) as u64
    }

    /// Returns the number of ticks in `duration`.
    #[must_use]
    pub fn ticks_in(&self, duration: Duration) -> u64 {
        (duration.as_nanos() as f64 / self.nanoseconds_per_tick) as u64
    }

    /// Spins until `ticks` ticks have passed since the reading `start`, like a thread that is busy
    /// between its calls.
    #[inline(always)]
    pub fn spin(&self, start: u64, ticks: u64) {
        while self.ticks().saturating_sub(start) < ticks {
            std::hint::spin_loop();
        }
    }
}

#[test]
fn ordered_clock_agrees_with_the_monotonic_clock() {
    let clock = OrderedClock::new();
    let (start, ticks) = (Instant::now(), clock.ticks());
    clock.spin(ticks, clock.ticks_in(Duration::from_millis(20)));
    let nanoseconds = clock.nanoseconds(ticks, clock.ticks());
    let elapsed = start.elapsed().as_nanos() as u64;
    assert!(nanoseconds >= 19_900_000, "{nanoseconds}");
    // Another thread may run between the two readings.
    assert!(nanoseconds <= elapsed + elapsed / 50, "{nanoseconds} and {elapsed}");
}

//! Workload of threads that make calls for a fixed time, at full speed or at a fixed rate. The
//! suite's server counts the lines that arrive.

use crate::clock;
use crate::ipc;
use crate::subject::{Call, Caller, Repeat, Setup, Subject};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Workload of threads that make calls for a fixed time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Emission {
    pub threads: usize,
    /// Number of calls per second of all threads together, in one burst per millisecond, or `None`
    /// for full speed. A thread gives up once it is late by a quarter of the duration.
    pub rate: Option<u64>,
    pub duration: Duration,
}

/// Counts of the calls made and the lines dropped by a client. The client process sends them to the
/// suite once the client is closed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct EmissionCounts {
    pub calls: u64,
    /// True if no thread gave up. A thread gives up if it falls too far behind the workload's fixed
    /// rate.
    pub complete: bool,
    /// Time at which the client made its first call, in nanoseconds of [`clock::monotonic_ns`].
    pub started_at: u64,
    /// Wall-clock time from the first call to the last, in nanoseconds. It exceeds the workload's
    /// duration if the client did not keep up.
    pub elapsed_ns: u64,
    /// Number of lines that the client itself counted as dropped until it was closed, or `None` if
    /// it does not count them.
    pub dropped: Option<u64>,
}

/// Processor time and memory that the client process has used. The process sends them to the suite
/// after the last line has arrived.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ResourceUsage {
    /// Processor time in nanoseconds of all threads since the first call, without the cost of the
    /// emitting threads' sleeps and wake-ups between bursts.
    pub cpu_ns: u64,
    pub peak_rss_kib: u64,
}

/// Interval between two bursts of calls of a thread that emits at a fixed rate.
const TICK: Duration = Duration::from_millis(1);

impl Emission {
    pub(super) fn run<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        let cpu_before = clock::process_cpu_ns();
        let started_at = clock::monotonic_ns();
        let (mut calls, mut pacing_ns) = (0, 0);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|_| {
                    let caller = subject.caller();
                    scope.spawn(move || self.run_thread(caller))
                })
                .collect();
            for thread in threads {
                let (thread_calls, thread_pacing_ns) =
                    thread.join().expect("emitting threads do not panic");
                calls += thread_calls;
                pacing_ns += thread_pacing_ns;
            }
        });
        let elapsed_ns = clock::monotonic_ns() - started_at;
        let dropped = subject.close();
        let expected =
            self.rate.map(|rate| self.calls_until(rate, self.ticks()) * self.threads as u64);
        let complete = expected.is_none_or(|expected| calls == expected);
        ipc::send(&EmissionCounts { calls, complete, started_at, elapsed_ns, dropped });
        ipc::wait_for_resume();
        let cpu_ns = (clock::process_cpu_ns() - cpu_before).saturating_sub(pacing_ns);
        ipc::send(&ResourceUsage { cpu_ns, peak_rss_kib: clock::peak_rss_kib() });
    }

    /// Makes the calls of one thread. Returns the number of calls, and the processor time in
    /// nanoseconds that the thread's sleeps took.
    fn run_thread(&self, mut caller: impl Caller) -> (u64, u64) {
        let (mut calls, mut pacing_ns, start) = (0, 0, Instant::now());
        let Some(rate) = self.rate else {
            while start.elapsed() < self.duration {
                Call::Incr.drive(&mut caller, Repeat(1_000));
                calls += 1_000;
            }
            return (calls, 0);
        };
        for tick in 0..self.ticks() {
            let due = start + TICK * tick as u32;
            let cpu_before = clock::thread_cpu_ns();
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            pacing_ns += clock::thread_cpu_ns() - cpu_before;
            let until = self.calls_until(rate, tick + 1);
            Call::Incr.drive(&mut caller, Repeat((until - calls) as usize));
            calls = until;
            // The thread is too late to keep the rate in the remaining time.
            if start.elapsed() > due.duration_since(start) + self.duration / 4 {
                break;
            }
        }
        (calls, pacing_ns)
    }

    fn ticks(&self) -> u64 {
        self.duration.as_millis() as u64
    }

    /// Returns the number of calls that one thread makes at `rate` before the burst with the number
    /// `tick`. Totals are exact even if the calls of a millisecond are not a whole number.
    fn calls_until(&self, rate: u64, tick: u64) -> u64 {
        rate * tick / (1_000 * self.threads as u64)
    }
}

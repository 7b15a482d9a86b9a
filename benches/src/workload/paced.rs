//! Workload of single calls, each timed separately, at a fixed interval or back to back.

use crate::ipc;
use crate::subject::{Call, Loop, Setup, Subject};
use hdrhistogram::Histogram;
use quanta::Clock;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Workload of single calls, each timed separately to measure its latency.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paced {
    pub call: Call,
    /// Time from the start of a call to the start of the next. Zero stands for calls back to back,
    /// with a pause of a millisecond before each thousand calls.
    pub interval: Duration,
    pub calls: u64,
}

/// Quantiles of the latency of a call in nanoseconds, and the number of lines that the client
/// dropped. Latencies include the two clock readings around the call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Latency {
    pub p50: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub p99_99: u64,
    pub max: u64,
    pub dropped: Option<u64>,
}

impl Paced {
    pub(super) fn run<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        let mut caller = subject.caller();
        let warm_up = Self { calls: (self.calls / 20).max(100), ..self.clone() };
        self.call.drive(&mut caller, &warm_up);
        let times = self.call.drive(&mut caller, self);
        drop(caller);
        let at = |share: f64| times.value_at_quantile(share);
        ipc::send(&Latency {
            p50: at(0.5),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: times.max(),
            dropped: subject.close(),
        });
    }
}

impl Loop for &Paced {
    type Output = Histogram<u64>;

    #[inline(always)]
    fn run(self, mut call: impl FnMut()) -> Histogram<u64> {
        let clock = Clock::new();
        let mut times =
            Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("the bounds are valid");
        let start_of_run = clock.raw();
        let interval = self.interval.as_nanos() as u64;
        for index in 0..self.calls {
            if interval > 0 {
                // Spins, like a thread that is busy between its calls.
                while clock.delta_as_nanos(start_of_run, clock.raw()) < index * interval {
                    std::hint::spin_loop();
                }
            } else if index % 1_000 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let start = clock.raw();
            call();
            let end = clock.raw();
            times.saturating_record(clock.delta_as_nanos(start, end));
        }
        times
    }
}

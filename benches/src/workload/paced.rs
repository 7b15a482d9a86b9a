//! One call at a time, each timed by itself: interval so often, or one after the other.

use crate::ipc;
use crate::subject::{Call, Loop, Setup, Subject};
use hdrhistogram::Histogram;
use quanta::Clock;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paced {
    pub call: Call,
    /// From the begin of a call to the next one's; zero: one after the other, but for a rest of a
    /// millisecond after each thousand.
    pub interval: Duration,
    pub calls: u64,
}

/// Nanoseconds of a call, the two readings of the clock around it included.
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
        let mut times = Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("good bounds");
        let begun = clock.raw();
        let interval = self.interval.as_nanos() as u64;
        for index in 0..self.calls {
            if interval > 0 {
                // Awake, like a thread that has its hands full.
                while clock.delta_as_nanos(begun, clock.raw()) < index * interval {
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

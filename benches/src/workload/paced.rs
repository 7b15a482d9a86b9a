//! Workload of single calls, each timed separately, at a fixed interval or back to back. The
//! client and the [floor](crate::subjects::floor) take turns in one process.
//!
//! A thousandth of the calls at 10 µs are a hundred calls a second. So many calls follow an
//! interruption, such as a timer tick or a change of threads, and find cold caches. The slowest
//! thousandth therefore tells as much of the machine's state as of the client. Both are compared in
//! slices of the same seconds, so that they find the same state.

use crate::clock::OrderedClock;
use crate::ipc;
use crate::subject::{Call, Caller, Loop, Setup, Subject};
use crate::subjects::floor::Floor;
use core_affinity::CoreId;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Workload of single calls of a client and of the floor, each timed separately to measure its
/// latency.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paced {
    pub call: Call,
    /// Time from the start of a call to the start of the next. Zero stands for calls back to back,
    /// with a pause of a millisecond before each thousand calls.
    pub interval: Duration,
    /// Number of calls of the client, and of the floor.
    pub calls: u64,
    pub cores: Option<Cores>,
}

/// Cores to which the threads of a workload are bound, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cores {
    /// Core of the emitting thread.
    pub emitter: usize,
    /// Core of the other threads: the client's, and the server's.
    pub others: usize,
}

/// Distribution of the latency of a call. Latencies are in nanoseconds and include the reading of
/// the clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub p50: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub p99_99: u64,
    pub max: u64,
    /// Number of calls per million that took longer than each of [`LIMITS`].
    pub over: [f64; LIMITS.len()],
}

/// Latencies in nanoseconds above which calls are counted, with their names in the results.
pub const LIMITS: [(&str, u64); 4] =
    [("over 0.5 us", 500), ("over 1 us", 1_000), ("over 5 us", 5_000), ("over 20 us", 20_000)];

/// Latencies of the client and of the floor, and the number of lines that the client dropped.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PacedLatencies {
    pub client: Latency,
    pub floor: Latency,
    pub dropped: Option<u64>,
}

/// Number of calls in a burst of calls back to back.
const BURST: u64 = 1_000;

/// Returns a histogram of latencies up to ten seconds.
pub(super) fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("the bounds are valid")
}

impl Latency {
    pub(super) fn of(times: &Histogram<u64>) -> Self {
        let at = |share: f64| times.value_at_quantile(share);
        let over = |(_, limit): (&str, u64)| {
            let slow = times.len() - times.count_between(0, limit);
            slow as f64 * 1e6 / times.len().max(1) as f64
        };
        Self {
            p50: at(0.5),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: times.max(),
            over: LIMITS.map(over),
        }
    }

    /// Returns the values by their names in the results.
    #[must_use]
    pub fn figures(&self) -> Vec<(&'static str, f64)> {
        let quantiles = [
            ("p50", self.p50),
            ("p99", self.p99),
            ("p99.9", self.p99_9),
            ("p99.99", self.p99_99),
            ("max", self.max),
        ];
        let quantiles = quantiles.map(|(name, value)| (name, value as f64));
        let over = LIMITS.iter().zip(self.over).map(|((name, _), over)| (*name, over));
        quantiles.into_iter().chain(over).collect()
    }
}

impl Paced {
    pub(super) fn run<S: Subject>(&self, setup: &Setup) {
        // The client's threads inherit the core of the thread that starts them.
        bind(self.cores.map(|cores| cores.others));
        let subject = S::start(setup);
        bind(self.cores.map(|cores| cores.emitter));
        let (mut caller, mut floor) = (subject.caller(), Floor::start(setup).caller());
        let clock = OrderedClock::new();
        self.warm_up(&mut caller, &mut floor, &clock);
        let (mut client_times, mut floor_times) = (new_histogram(), new_histogram());
        let slice = self.slice();
        for _ in 0..self.calls.div_ceil(slice) {
            self.run_slice(&mut caller, &clock, slice, &mut client_times);
            self.run_slice(&mut floor, &clock, slice, &mut floor_times);
        }
        drop(caller);
        ipc::send(&PacedLatencies {
            client: Latency::of(&client_times),
            floor: Latency::of(&floor_times),
            dropped: subject.close(),
        });
    }

    /// Makes calls that are not part of the result. A client then has the memory that it needs in
    /// steady state, and the caches have the code of both.
    fn warm_up(&self, caller: &mut impl Caller, floor: &mut impl Caller, clock: &OrderedClock) {
        let fast = Self { interval: Duration::from_micros(2), ..self.clone() };
        let mut times = new_histogram();
        fast.run_slice(caller, clock, 50_000, &mut times);
        let slice = self.slice();
        self.run_slice(caller, clock, slice, &mut times);
        self.run_slice(floor, clock, slice, &mut times);
    }

    /// Returns the number of calls in a slice: the calls of 50 ms, but at least a thousand, and at most
    /// a quarter of all. At intervals of a second or more, the client and the floor take turns call
    /// by call.
    fn slice(&self) -> u64 {
        if self.takes_turns_by_call() {
            return 1;
        }
        let in_50_ms = match self.interval.as_nanos() as u64 {
            0 => 10 * BURST,
            interval => 50_000_000 / interval,
        };
        in_50_ms.max(1_000).min(self.calls / 4).max(1)
    }

    fn takes_turns_by_call(&self) -> bool {
        self.interval >= Duration::from_secs(1)
    }

    fn run_slice<C: Caller>(
        &self,
        caller: &mut C,
        clock: &OrderedClock,
        calls: u64,
        times: &mut Histogram<u64>,
    ) {
        // In turns by call, each of the two then has one call per interval.
        let interval = if self.takes_turns_by_call() { self.interval / 2 } else { self.interval };
        self.call.drive(caller, Slice { clock, interval, calls, times });
    }
}

/// Binds the calling thread to the core with this number, unless `core` is `None`.
///
/// # Panics
/// If the core cannot be used.
pub fn bind(core: Option<usize>) {
    if let Some(id) = core {
        assert!(core_affinity::set_for_current(CoreId { id }), "core {id} cannot be used");
    }
}

/// Loop that times each of a number of calls, an interval apart.
pub(super) struct Slice<'a> {
    pub(super) clock: &'a OrderedClock,
    /// Time from the start of a call to the start of the next, as in [`Paced::interval`].
    pub(super) interval: Duration,
    pub(super) calls: u64,
    pub(super) times: &'a mut Histogram<u64>,
}

impl Loop for Slice<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, mut call: impl FnMut()) {
        let Self { clock, interval, calls, times } = self;
        let interval = clock.ticks_in(interval);
        let start_of_run = clock.ticks();
        for index in 0..calls {
            if interval > 0 {
                clock.spin(start_of_run, (index + 1) * interval);
            } else if index % BURST == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let start = clock.ticks();
            call();
            let end = clock.ticks();
            // The first call of a slice is only slow because the slice before was the other's.
            if index > 0 || calls == 1 {
                times.saturating_record(clock.nanoseconds(start, end));
            }
        }
    }
}

#[test]
fn latency_counts_slow_calls_per_million() {
    let mut times = new_histogram();
    for nanoseconds in [100, 600, 2_000, 30_000] {
        times.saturating_record(nanoseconds);
    }
    let latency = Latency::of(&times);
    assert_eq!(latency.over, [750_000.0, 500_000.0, 250_000.0, 250_000.0]);
    assert_eq!(latency.figures().len(), 9);
}

//! Workload of the demo: threads that simulate the handling of requests and emit metrics.

use freewheel::Connector;
use std::ops::AddAssign;
use std::thread;
use std::time::{Duration, Instant};

/// Number of simulated requests that a thread serves between pauses.
const BURST: u64 = 100;
/// Number of metric calls per simulated request. Each call emits one line.
const CALLS: u64 = 5;

/// Counts that the emitting threads keep themselves, for comparison with freewheel's statistics.
#[derive(Default)]
pub(crate) struct WorkCounts {
    pub(crate) calls: u64,
    /// Sum of all increments that the threads emitted as counters.
    pub(crate) counter_sum: u64,
    /// Time that each burst of simulated requests took.
    bursts: Vec<Duration>,
}

/// Handles a simulated request, which emits five metrics. Returns the sum of the counter
/// increments.
///
/// The calls never block, even if the server does not respond.
fn serve(statsd: &Connector, request: u64) -> u64 {
    let _timer = statsd.timer("requests.time"); // recorded when this function returns
    let bytes = 200 + request % 1_000;
    statsd.incr("requests.count");
    statsd.incr_by("requests.bytes", bytes);
    statsd.gauge("requests.in_flight", request % 64);
    statsd.timing("requests.wait", Duration::from_micros(request % 5_000));
    1 + bytes
}

/// Emits the metrics of simulated requests in bursts until the deadline, with an optional pause
/// after each burst. Returns the counts of the calling thread.
pub(crate) fn emit(statsd: &Connector, deadline: Instant, pause: Option<Duration>) -> WorkCounts {
    let mut work = WorkCounts::default();
    let mut requests = 0..;
    while Instant::now() < deadline {
        let start = Instant::now();
        for request in requests.by_ref().take(BURST as usize) {
            work.counter_sum += serve(statsd, request);
        }
        work.bursts.push(start.elapsed());
        work.calls += BURST * CALLS;
        if let Some(pause) = pause {
            thread::sleep(pause);
        }
    }
    work
}

impl WorkCounts {
    /// Returns the time of one call in nanoseconds, from the burst of median duration. Slower
    /// bursts include preemptions of the thread, which are not a cost of the call.
    pub(crate) fn nanos_per_call(&self) -> u64 {
        let mut bursts = self.bursts.clone();
        bursts.sort_unstable();
        let median = bursts.get(bursts.len() / 2).copied().unwrap_or_default();
        median.as_nanos() as u64 / (BURST * CALLS)
    }
}

impl AddAssign for WorkCounts {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.counter_sum += other.counter_sum;
        self.bursts.extend(other.bursts);
    }
}

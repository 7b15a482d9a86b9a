//! The workload: threads that pretend to serve requests.

use freewheel::Connector;
use std::ops::AddAssign;
use std::thread;
use std::time::{Duration, Instant};

/// Requests that a thread serves without a rest.
const BURST: u64 = 100;
/// Calls that each request makes; each call is one line.
const CALLS: u64 = 5;

/// What the threads know themselves about their work.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) calls: u64,
    /// What was added to counters, summed.
    pub(crate) counted: u64,
    /// How long each burst took.
    bursts: Vec<Duration>,
}

/// A request handler of some service. The calls return at once, whatever the server does.
fn serve(statsd: &Connector, request: u64) -> u64 {
    let _timer = statsd.timer("requests.time"); // recorded when this function returns
    let bytes = 200 + request % 1_000;
    statsd.incr("requests.count");
    statsd.incr_by("requests.bytes", bytes);
    statsd.gauge("requests.in_flight", request % 64);
    statsd.timing("requests.wait", Duration::from_micros(request % 5_000));
    1 + bytes
}

/// Serves requests in bursts until the time is over, with a rest after each burst.
pub(crate) fn emit(statsd: &Connector, until: Instant, rest: Option<Duration>) -> Work {
    let mut work = Work::default();
    let mut requests = 0..;
    while Instant::now() < until {
        let begun = Instant::now();
        for request in requests.by_ref().take(BURST as usize) {
            work.counted += serve(statsd, request);
        }
        work.bursts.push(begun.elapsed());
        work.calls += BURST * CALLS;
        if let Some(rest) = rest {
            thread::sleep(rest);
        }
    }
    work
}

impl Work {
    /// Nanoseconds that a call takes, by the median burst: in others the operating system had
    /// put the thread aside, which says nothing about the call.
    pub(crate) fn nanos_per_call(&self) -> u64 {
        let mut bursts = self.bursts.clone();
        bursts.sort_unstable();
        let median = bursts.get(bursts.len() / 2).copied().unwrap_or_default();
        median.as_nanos() as u64 / (BURST * CALLS)
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.counted += other.counted;
        self.bursts.extend(other.bursts);
    }
}

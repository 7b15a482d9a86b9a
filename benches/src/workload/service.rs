//! Workload of a service: many threads and tokio tasks that emit metrics of several types, with and
//! without tags. Each call is timed separately.

use super::paced::{Latency, new_histogram};
use crate::clock::{self, OrderedClock};
use crate::ipc;
use crate::subject::{Call, Caller, Loop, Setup, Subject};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Workload of threads and tasks that serve requests, and emit metrics for each request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Service {
    pub threads: usize,
    /// Number of tasks of a tokio runtime with two worker threads, beside the threads.
    pub tasks: usize,
    pub duration: Duration,
}

/// Latency of the timed calls of all threads and tasks, and the number of all calls.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ServiceOutcome {
    pub latency: Latency,
    /// Number of calls, with those before the timed ones.
    pub emitted: u64,
    /// Time at which the client made its first call, in nanoseconds of [`clock::monotonic_ns`].
    pub started_at: u64,
    pub dropped: Option<u64>,
}

/// Calls of one request. Those that a client lacks are left out.
const REQUEST: [Call; 8] = [
    Call::Incr,
    Call::IncrTagged,
    Call::GaugeWhole,
    Call::Incr,
    Call::Timing,
    Call::IncrTagged,
    Call::GaugeTwoDecimals,
    Call::Timing,
];

/// Time that a thread or task waits between two requests.
const REST: Duration = Duration::from_millis(2);
/// Time that a request takes beside each of its calls.
const WORK: Duration = Duration::from_micros(2);

impl Service {
    pub(super) fn run<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        let calls = REQUEST.into_iter().filter(|call| S::INFO.calls.contains(call));
        let calls: Vec<_> = calls.collect();
        let clock = OrderedClock::new();
        let warm_up = Self { duration: self.duration / 10, ..self.clone() };
        let started_at = clock::monotonic_ns();
        let untimed = warm_up.serve(&subject, &calls, clock).len();
        let times = self.serve(&subject, &calls, clock);
        let dropped = subject.close();
        let (latency, emitted) = (Latency::of(&times), untimed + times.len());
        ipc::send(&ServiceOutcome { latency, emitted, started_at, dropped });
    }

    /// Serves requests on all threads and tasks. Returns the times of all calls.
    fn serve<S: Subject>(
        &self,
        subject: &S,
        calls: &[Call],
        clock: OrderedClock,
    ) -> Histogram<u64> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .expect("a runtime can be built");
        let end = Instant::now() + self.duration;
        let tasks: Vec<_> = (0..self.tasks)
            .map(|_| {
                let mut emitter = Emitter::new(subject.caller(), calls, clock);
                runtime.spawn(async move {
                    while Instant::now() < end {
                        emitter.serve_request();
                        tokio::time::sleep(REST).await;
                    }
                    emitter.times
                })
            })
            .collect();
        let mut times = new_histogram();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|_| {
                    let mut emitter = Emitter::new(subject.caller(), calls, clock);
                    scope.spawn(move || {
                        while Instant::now() < end {
                            emitter.serve_request();
                            std::thread::sleep(REST);
                        }
                        emitter.times
                    })
                })
                .collect();
            for thread in threads {
                times += thread.join().expect("emitting threads do not panic");
            }
        });
        for task in tasks {
            times += runtime.block_on(task).expect("emitting tasks do not panic");
        }
        times
    }
}

/// Thread or task that makes the calls of requests, and times each.
struct Emitter<C> {
    caller: C,
    calls: Vec<Call>,
    clock: OrderedClock,
    times: Histogram<u64>,
}

impl<C: Caller> Emitter<C> {
    fn new(caller: C, calls: &[Call], clock: OrderedClock) -> Self {
        Self { caller, calls: calls.to_vec(), clock, times: new_histogram() }
    }

    fn serve_request(&mut self) {
        let work = self.clock.ticks_in(WORK);
        for call in &self.calls {
            self.clock.spin(self.clock.ticks(), work);
            let timed = Timed { clock: &self.clock, times: &mut self.times };
            call.drive(&mut self.caller, timed);
        }
    }
}

/// Loop of one call, which is timed.
struct Timed<'a> {
    clock: &'a OrderedClock,
    times: &'a mut Histogram<u64>,
}

impl Loop for Timed<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, mut call: impl FnMut()) {
        let start = self.clock.ticks();
        call();
        let end = self.clock.ticks();
        self.times.saturating_record(self.clock.nanoseconds(start, end));
    }
}

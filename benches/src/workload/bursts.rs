//! Workload of threads that make bursts of calls with pauses between them. It measures the cost of
//! a call while the client keeps up.
//!
//! The pauses keep queues short. Without them, clients with bounded queues would soon drop lines,
//! which costs less than to queue them. For clients with unbounded queues, the cost would include
//! the page faults of their queues.

use crate::clock;
use crate::ipc;
use crate::subject::{Call, Caller, Repeat, Setup, Subject};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Workload of threads that make calls in bursts, with pauses between the bursts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bursts {
    pub calls: Vec<Call>,
    pub threads: usize,
    /// Number of bursts that each thread makes for each kind of call.
    pub bursts: usize,
    /// Number of calls in a burst.
    pub burst_len: usize,
    pub pause: Duration,
}

/// Cost of one kind of call in nanoseconds per call, over the bursts of all threads.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Cost {
    pub call: Call,
    /// Wall-clock time per call in the median burst, in nanoseconds.
    pub wall_ns: f64,
    /// Mean processor time of the emitting threads per call, in nanoseconds. Waiting for a
    /// processor is not included.
    pub cpu_ns: f64,
    /// Wall-clock time per call in the slowest burst, in nanoseconds.
    pub slowest_burst_ns: f64,
}

/// Numbers of lines that the client emitted and dropped in all bursts, including the warm-up. The
/// client process sends them to the suite after the costs of the calls.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct BurstTotals {
    pub emitted: u64,
    pub dropped: Option<u64>,
}

impl Bursts {
    pub(super) fn run<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        // The warm-up fills caches, initialises lazy state and allocates blocks.
        let warm_up = Self { bursts: self.bursts / 10 + 1, ..self.clone() };
        for &call in &self.calls {
            warm_up.run_threads(&subject, call);
        }
        let mut costs = Vec::new();
        for &call in &self.calls {
            let (mut bursts_ns, cpu_ns) = self.run_threads(&subject, call);
            bursts_ns.sort_by(f64::total_cmp);
            let (wall_ns, slowest_burst_ns) =
                (bursts_ns[bursts_ns.len() / 2], bursts_ns[bursts_ns.len() - 1]);
            costs.push(Cost { call, wall_ns, cpu_ns, slowest_burst_ns });
        }
        let dropped = subject.close();
        let rounds = (self.bursts + warm_up.bursts) * self.burst_len;
        let emitted = (self.calls.len() * self.threads * rounds) as u64;
        ipc::send(&costs);
        ipc::send(&BurstTotals { emitted, dropped });
    }

    fn run_threads<S: Subject>(&self, subject: &S, call: Call) -> (Vec<f64>, f64) {
        let mut bursts_ns = Vec::new();
        let mut cpu_ns = 0.0;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|_| {
                    let caller = subject.caller();
                    scope.spawn(move || self.run_thread(caller, call))
                })
                .collect();
            for thread in threads {
                let (thread_bursts_ns, thread_cpu_ns) =
                    thread.join().expect("emitting threads do not panic");
                bursts_ns.extend(thread_bursts_ns);
                cpu_ns += thread_cpu_ns;
            }
        });
        (bursts_ns, cpu_ns / self.threads as f64)
    }

    fn run_thread<C: Caller>(&self, mut caller: C, call: Call) -> (Vec<f64>, f64) {
        let clock = quanta::Clock::new();
        let per_call = |nanoseconds: u64| nanoseconds as f64 / self.burst_len as f64;
        let (mut bursts_ns, mut cpu_ns) = (Vec::with_capacity(self.bursts), 0);
        for _ in 0..self.bursts {
            let cpu_before = clock::thread_cpu_ns();
            let start = clock.raw();
            call.drive(&mut caller, Repeat(self.burst_len));
            let end = clock.raw();
            cpu_ns += clock::thread_cpu_ns() - cpu_before;
            bursts_ns.push(per_call(clock.delta_as_nanos(start, end)));
            std::thread::sleep(self.pause);
        }
        (bursts_ns, per_call(cpu_ns) / self.bursts as f64)
    }
}

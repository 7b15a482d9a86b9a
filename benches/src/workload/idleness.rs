//! Workload of threads that emit one line each and then stay idle while the suite observes the
//! process. After the idle time, the process emits one more line, and the suite waits for its
//! arrival.

use crate::clock;
use crate::ipc;
use crate::subject::{Caller, Setup, Subject};
use serde::{Deserialize, Serialize};
use std::sync::Barrier;

/// Workload of threads that emit one line each and then stay idle, while the suite observes the
/// resource usage of the process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Idleness {
    pub threads: usize,
}

impl Idleness {
    pub(super) fn run<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        let (emitted, end) = (Barrier::new(self.threads + 1), Barrier::new(self.threads + 1));
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                let mut caller = subject.caller();
                let (emitted, end) = (&emitted, &end);
                let thread = std::thread::Builder::new().stack_size(64 << 10);
                let body = move || {
                    caller.incr();
                    emitted.wait();
                    end.wait();
                };
                thread.spawn_scoped(scope, body).expect("a thread can be spawned");
            }
            emitted.wait();
            ipc::send(&());
            ipc::wait_for_resume();
            let mut caller = subject.caller();
            caller.incr();
            ipc::send(&clock::monotonic_ns());
            ipc::wait_for_resume();
            end.wait();
        });
        ipc::send(&());
    }
}

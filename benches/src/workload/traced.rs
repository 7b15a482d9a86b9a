//! Workload of single calls at a fixed interval, by a thread whose system calls the suite counts.

use super::paced::{Slice, new_histogram};
use crate::clock::OrderedClock;
use crate::ipc;
use crate::subject::{Call, Caller, Setup, Subject};
use nix::unistd::{getppid, gettid};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Workload of calls by a thread that the suite traces. It sends the thread's identifier to the
/// suite, and continues once the suite traces the thread.
///
/// The thread queries its parent process before the first and after the last of the counted calls.
/// These two system calls mark the beginning and the end for the tracer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Traced {
    pub call: Call,
    /// Time from the start of a call to the start of the next.
    pub interval: Duration,
    /// Number of calls before the counted ones, and again after the tracer attached to the thread.
    pub warm_up: u64,
    /// Number of calls whose system calls are counted.
    pub calls: u64,
}

impl Traced {
    pub(super) fn run<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        let caller = subject.caller();
        std::thread::scope(|scope| {
            scope.spawn(move || self.run_thread(caller));
        });
        ipc::send(&subject.close());
    }

    fn run_thread(&self, mut caller: impl Caller) {
        let (clock, mut times) = (OrderedClock::new(), new_histogram());
        let mut emit = |calls| {
            // The pace needs no system call: the thread spins, and reads the processor's counter.
            let slice = Slice { clock: &clock, interval: self.interval, calls, times: &mut times };
            self.call.drive(&mut caller, slice);
        };
        emit(self.warm_up);
        ipc::send(&gettid().as_raw());
        ipc::wait_for_resume();
        emit(self.warm_up);
        let _ = getppid();
        emit(self.calls);
        let _ = getppid();
    }
}

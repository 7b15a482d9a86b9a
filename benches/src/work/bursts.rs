//! Bursts of calls, with rests: what a call costs while the client keeps up.
//!
//! Without the rests the bounded clients would soon be full, and a drop is cheaper than a line; and
//! the unbounded ones would measure the page faults of their queues.

use crate::clock;
use crate::process::answer;
use crate::subject::{Call, Caller, Loop, Setup, Subject};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bursts {
    pub calls: Vec<Call>,
    pub threads: usize,
    /// Of each thread and call.
    pub bursts: usize,
    /// Calls in a burst.
    pub burst: usize,
    pub rest: Duration,
}

/// Nanoseconds a call, of the bursts of all threads.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Cost {
    pub call: Call,
    /// By the clock on the wall: the median of the bursts.
    pub wall: f64,
    /// By the threads' own clocks, the mean: without what they waited for a processor.
    pub thread: f64,
    /// Of the slowest burst, by the wall.
    pub worst: f64,
}

/// After all of the costs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct End {
    pub emitted: u64,
    pub dropped: Option<u64>,
}

impl Bursts {
    pub(super) fn carry_out<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        // Caches, lazily made parts, blocks.
        let warm_up = Self { bursts: self.bursts / 10 + 1, ..self.clone() };
        for &call in &self.calls {
            warm_up.threads(&subject, call);
        }
        let mut costs = Vec::new();
        for &call in &self.calls {
            let (mut walls, thread) = self.threads(&subject, call);
            walls.sort_by(f64::total_cmp);
            let (wall, worst) = (walls[walls.len() / 2], walls[walls.len() - 1]);
            costs.push(Cost { call, wall, thread, worst });
        }
        let dropped = subject.close();
        let rounds = (self.bursts + warm_up.bursts) * self.burst;
        let emitted = (self.calls.len() * self.threads * rounds) as u64;
        answer(&costs);
        answer(&End { emitted, dropped });
    }

    fn threads<S: Subject>(&self, subject: &S, call: Call) -> (Vec<f64>, f64) {
        let mut walls = Vec::new();
        let mut spent = 0.0;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|_| {
                    let caller = subject.caller();
                    scope.spawn(move || self.thread(caller, call))
                })
                .collect();
            for thread in threads {
                let (these, theirs) = thread.join().expect("no panic");
                walls.extend(these);
                spent += theirs;
            }
        });
        (walls, spent / self.threads as f64)
    }

    fn thread<C: Caller>(&self, mut caller: C, call: Call) -> (Vec<f64>, f64) {
        let clock = quanta::Clock::new();
        let per_call = |nanoseconds: u64| nanoseconds as f64 / self.burst as f64;
        let (mut walls, mut spent) = (Vec::with_capacity(self.bursts), 0);
        for _ in 0..self.bursts {
            let own = clock::thread();
            let start = clock.raw();
            call.drive(&mut caller, Repeat(self.burst));
            let end = clock.raw();
            spent += clock::thread() - own;
            walls.push(per_call(clock.delta_as_nanos(start, end)));
            std::thread::sleep(self.rest);
        }
        (walls, per_call(spent) / self.bursts as f64)
    }
}

/// A loop that does nothing but call.
pub struct Repeat(pub usize);

impl Loop for Repeat {
    type Output = ();
    #[inline(always)]
    fn run(self, mut call: impl FnMut()) {
        for _ in 0..self.0 {
            call();
        }
    }
}

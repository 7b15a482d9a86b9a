//! Calls as fast as they go, or at a rate, for some time: what arrives is the suite's to count.

use crate::clock;
use crate::process::{answer, wait};
use crate::subject::{Call, Caller, Setup, Subject};
use crate::work::bursts::Repeat;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Emission {
    pub threads: usize,
    /// Calls a second, of all threads together: in a burst each millisecond. Given up where the client
    /// takes a quarter longer than the whole time.
    pub rate: Option<u64>,
    pub time: Duration,
}

/// What the emission has to do with, by itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Emitted {
    pub calls: u64,
    /// Whether that is as many as there should be.
    pub complete: bool,
    /// When the first was made, by [`clock::shared`].
    pub first: u64,
    /// How long it took; longer than it should if the client did not keep up.
    pub nanoseconds: u64,
    /// That the client counted itself, once it was told to end.
    pub dropped: Option<u64>,
}

/// Once all has arrived that will.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Spent {
    /// Nanoseconds on a processor, of all threads, from the first call on; without what it took
    /// the emitting threads to sleep and to wake up.
    pub processor: u64,
    pub peak_kib: u64,
}

const TICK: Duration = Duration::from_millis(1);

impl Emission {
    pub(super) fn carry_out<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        let spent_before = clock::process();
        let first = clock::shared();
        let (mut calls, mut pacing) = (0, 0);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|_| {
                    let caller = subject.caller();
                    scope.spawn(move || self.thread(caller))
                })
                .collect();
            for thread in threads {
                let (its_calls, its_pacing) = thread.join().expect("no panic");
                calls += its_calls;
                pacing += its_pacing;
            }
        });
        let nanoseconds = clock::shared() - first;
        let dropped = subject.close();
        let wanted =
            self.rate.map(|rate| self.calls_until(rate, self.ticks()) * self.threads as u64);
        let complete = wanted.is_none_or(|wanted| calls == wanted);
        answer(&Emitted { calls, complete, first, nanoseconds, dropped });
        wait();
        let processor = (clock::process() - spent_before).saturating_sub(pacing);
        answer(&Spent { processor, peak_kib: clock::peak_kib() });
    }

    /// How many calls it made, and what it spent on their pace.
    fn thread(&self, mut caller: impl Caller) -> (u64, u64) {
        let (mut calls, mut pacing, begun) = (0, 0, Instant::now());
        let Some(rate) = self.rate else {
            while begun.elapsed() < self.time {
                Call::Incr.drive(&mut caller, Repeat(1_000));
                calls += 1_000;
            }
            return (calls, 0);
        };
        for tick in 0..self.ticks() {
            let due = begun + TICK * tick as u32;
            let spent_before = clock::thread();
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            pacing += clock::thread() - spent_before;
            let until = self.calls_until(rate, tick + 1);
            Call::Incr.drive(&mut caller, Repeat((until - calls) as usize));
            calls = until;
            // It will not be made up for.
            if begun.elapsed() > due.duration_since(begun) + self.time / 4 {
                break;
            }
        }
        (calls, pacing)
    }

    fn ticks(&self) -> u64 {
        self.time.as_millis() as u64
    }

    /// Of a thread: so that the rate is met whatever a millisecond's share of it is.
    fn calls_until(&self, rate: u64, tick: u64) -> u64 {
        rate * tick / (1_000 * self.threads as u64)
    }
}

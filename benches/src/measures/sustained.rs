//! Benchmark of the highest rate of lines that a client sustains for ten seconds without loss.
//!
//! A bisection with short trials finds a candidate. The candidate is then held for ten seconds, and
//! is lowered by a fifth each time that fails.

use super::links::{LINKS, fits};
use super::options::{SuiteOptions, sends_over};
use super::outcome::run_emission;
use crate::receiver::SocketBuffer;
use crate::results::Sample;
use crate::subject::{Info, Transport};
use crate::workload::emission::Emission;
use std::time::Duration;

/// Searches for the highest rate that each client sustains without loss, over each transport and
/// payload size. Returns one sample for each combination.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (transport, payload) in LINKS {
        let wanted = options.subjects(|info| {
            // These clients lose lines at any rate, or make a system call for each line.
            let always_loses = matches!(info.id, "dipstick" | "libdd" | "statsd");
            // These clients are far slower than the others over every link, so that only the small
            // payloads are measured.
            let is_slow = matches!(info.id, "cadence_queued" | "dogstatsd" | "statsd_pipeline");
            let is_excluded = always_loses || (is_slow && payload != 1432);
            sends_over(transport)(info) && fits(info, payload) && !is_excluded
        });
        for (round, subject) in options.rounds(1, &wanted) {
            let search = RateSearch { subject, transport, payload };
            let found = search.find_rate(options);
            let (held, tries) = search.hold(options, found);
            let payload = payload.to_string();
            let case = [("transport", transport.id()), ("payload", &payload)];
            let figures =
                [("lines_per_second", held), ("found", found), ("tries", f64::from(tries))];
            samples.push(Sample::new(subject.id, case, round, figures));
        }
    }
    samples
}

/// Outcome of a trial, in which a client emits lines at a fixed rate.
#[derive(PartialEq, Eq)]
enum Attempt {
    /// Success: the client emitted lines at the trial's rate, and every line arrived.
    Held,
    /// Loss: the client emitted lines at the trial's rate, but some lines did not arrive.
    Lost,
    /// Delay: the client was too slow to emit lines at the trial's rate.
    Late,
}

/// Search for the highest rate that one client sustains without loss, over one transport.
struct RateSearch<'a> {
    subject: &'a Info,
    transport: Transport,
    payload: usize,
}

impl RateSearch<'_> {
    /// Runs the client at `rate` lines per second for `duration`. Returns the outcome: rate
    /// sustained, lines lost, or client too slow.
    fn attempt(&self, rate: f64, duration: Duration) -> Attempt {
        let emission = Emission { threads: 1, rate: Some(rate as u64), duration };
        let buffer = SocketBuffer::Large;
        let outcome = run_emission(self.subject, self.transport, self.payload, buffer, &emission);
        let late = outcome.emitted.elapsed_ns as f64 - duration.as_nanos() as f64;
        // The last tick may be late.
        if !outcome.emitted.complete || late > 0.02 * duration.as_nanos() as f64 + 5e6 {
            Attempt::Late
        } else if outcome.received.lines < outcome.emitted.calls {
            Attempt::Lost
        } else {
            Attempt::Held
        }
    }

    /// Finds the highest rate in lines per second that the client sustains in short trials, by
    /// bisection. Stops once the bounds differ by less than 10 %, or after a fixed number of steps.
    fn find_rate(&self, options: &SuiteOptions) -> f64 {
        let duration = options.pick(Duration::from_millis(400), Duration::from_millis(100));
        // A single loss may be a coincidence, so that a trial with a loss is repeated once.
        let holds = |rate| match self.attempt(rate, duration) {
            Attempt::Held => true,
            Attempt::Lost => self.attempt(rate, duration) == Attempt::Held,
            Attempt::Late => false,
        };
        let (mut good, mut bad) = (50_000.0, f64::INFINITY);
        for _ in 0..options.pick(9, 5) {
            let rate = if bad.is_finite() { f64::midpoint(good, bad) } else { good * 3.0 };
            if holds(rate) {
                good = rate;
            } else {
                bad = rate;
            }
            if bad / good < 1.1 {
                break;
            }
        }
        good
    }

    /// Lowers `rate` until the client sustains it in a long trial. Returns the sustained rate and
    /// the number of trials, or zeros if every trial failed.
    fn hold(&self, options: &SuiteOptions, mut rate: f64) -> (f64, u32) {
        for tries in 1..=options.pick(4, 2) {
            let duration = options.pick(Duration::from_secs(10), Duration::from_secs(1));
            if self.attempt(rate, duration) == Attempt::Held {
                return (rate, tries);
            }
            rate *= 0.8;
        }
        (0.0, 0)
    }
}

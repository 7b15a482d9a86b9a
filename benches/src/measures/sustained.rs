//! The highest rate that is sustained for ten seconds with nothing lost.
//!
//! Found by short trials, each a search between what went well and what did not; then held for ten
//! seconds, a little lower each time that fails.

use super::delivered::{WAYS, fits};
use super::{Plan, emission, senders, subjects};
use crate::receiver::SocketBuffer;
use crate::results::Sample;
use crate::subject::{Info, Transport};
use crate::work::emission::Emission;
use std::time::Duration;

pub fn run(plan: &Plan) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (transport, payload) in WAYS {
        let wanted = subjects(|info| {
            // These lose some at any rate, or send for each call.
            let hopeless = matches!(info.id, "dipstick" | "libdd" | "statsd");
            // And these are far behind others however they send.
            let behind = matches!(info.id, "cadence_queued" | "dogstatsd" | "statsd_pipeline");
            let hopeless = hopeless || (behind && payload != 1432);
            senders(transport)(info) && fits(info, payload) && !hopeless
        });
        for (round, subject) in plan.rounds(1, &wanted) {
            let way = Way { subject, transport, payload };
            let found = way.search(plan);
            let (held, tries) = way.hold(plan, found);
            let payload = payload.to_string();
            let case = [("transport", transport.id()), ("payload", &payload)];
            let figures =
                [("lines_per_second", held), ("found", found), ("tries", f64::from(tries))];
            samples.push(Sample::new(subject.id, case, round, figures));
        }
    }
    samples
}

#[derive(PartialEq, Eq)]
enum Attempt {
    Held,
    /// Some did not arrive.
    Lost,
    /// The client did not keep up.
    Late,
}

struct Way<'a> {
    subject: &'a Info,
    transport: Transport,
    payload: usize,
}

impl Way<'_> {
    fn attempt(&self, rate: f64, time: Duration) -> Attempt {
        let work = Emission { threads: 1, rate: Some(rate as u64), time };
        let buffer = SocketBuffer::Large;
        let outcome = emission(self.subject, self.transport, self.payload, buffer, &work);
        let late = outcome.emitted.nanoseconds as f64 - time.as_nanos() as f64;
        // In the last of the ticks it may have to catch up.
        if !outcome.emitted.complete || late > 0.02 * time.as_nanos() as f64 + 5e6 {
            Attempt::Late
        } else if outcome.received.lines < outcome.emitted.calls {
            Attempt::Lost
        } else {
            Attempt::Held
        }
    }

    fn search(&self, plan: &Plan) -> f64 {
        let time = plan.or(Duration::from_millis(400), Duration::from_millis(100));
        // A line that was lost in a bad moment should not decide.
        let holds = |rate| match self.attempt(rate, time) {
            Attempt::Held => true,
            Attempt::Lost => self.attempt(rate, time) == Attempt::Held,
            Attempt::Late => false,
        };
        let (mut good, mut bad) = (50_000.0, f64::INFINITY);
        for _ in 0..plan.or(9, 5) {
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

    /// 0 if nothing is.
    fn hold(&self, plan: &Plan, mut rate: f64) -> (f64, u32) {
        for tries in 1..=plan.or(4, 2) {
            let time = plan.or(Duration::from_secs(10), Duration::from_secs(1));
            if self.attempt(rate, time) == Attempt::Held {
                return (rate, tries);
            }
            rate *= 0.8;
        }
        (0.0, 0)
    }
}

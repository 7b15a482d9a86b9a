//! The measures: each has work done with its subjects in turn, round by round.

pub mod callers_cost;
pub mod delivered;
pub mod idle;
pub mod instructions;
pub mod latency;
pub mod scaling;
pub mod small_buffer;
pub mod sustained;

use crate::lines::Length;
use crate::process::{Job, Process};
use crate::receiver::{Counted, Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Info, Nature, Setup, Transport};
use crate::subjects;
use crate::work::Work;
use crate::work::emission::{Emission, Emitted, Spent};
use std::time::Duration;

pub struct Measure {
    /// In results and on the command line.
    pub id: &'static str,
    pub run: fn(&Plan) -> Vec<Sample>,
}

pub const ALL: [Measure; 8] = [
    Measure { id: "callers_cost", run: callers_cost::run },
    Measure { id: "latency", run: latency::run },
    Measure { id: "scaling", run: scaling::run },
    Measure { id: "delivered", run: delivered::run },
    Measure { id: "sustained", run: sustained::run },
    Measure { id: "small_buffer", run: small_buffer::run },
    Measure { id: "idle", run: idle::run },
    Measure { id: "instructions", run: instructions::run },
];

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// To see that it works: the figures are worth nothing.
    pub quick: bool,
}

impl Plan {
    /// The one, or if it is to be quick the other.
    fn or<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Each round begins with another subject, so that none always comes first.
    fn rounds<'a, T>(&self, full: u32, of: &'a [T]) -> impl Iterator<Item = (u32, &'a T)> {
        (0..self.or(full, 1)).flat_map(move |round| {
            let first = (round as usize * 5) % of.len().max(1);
            of[first..].iter().chain(&of[..first]).map(move |subject| (round, subject))
        })
    }
}

/// Those that this holds for.
fn subjects(wanted: impl Fn(&Info) -> bool) -> Vec<Info> {
    subjects::all().into_iter().filter(wanted).collect()
}

/// Clients and bounds, but for those that are about sending alone or about nothing.
fn callers(info: &Info) -> bool {
    !matches!(info.id, "nothing" | "raw" | "raw_segmented")
}

/// These, but for the other ways to call freewheel, which differ by what a call costs and no more.
fn clients(info: &Info) -> bool {
    callers(info) && !matches!(info.id, "freewheel_dogstatsd" | "freewheel_prepared")
}

/// What puts a line on the wire for each call.
fn senders(transport: Transport) -> impl Fn(&Info) -> bool {
    move |info| {
        let sends = info.nature == Nature::Lines || info.id.starts_with("raw");
        sends && info.transports.contains(&transport)
    }
}

/// Ethernet's, less the headers.
const PAYLOAD: usize = 1432;

fn job(subject: &Info, receiver: &Receiver, payload: usize, length: Length, work: Work) -> Job {
    let setup = Setup { target: receiver.target(), payload, length };
    Job { subject: subject.id.to_owned(), setup, work }
}

/// An emission, and what became of it.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    emitted: Emitted,
    received: Counted,
    spent: Spent,
}

impl Outcome {
    /// Of what was emitted.
    fn share_lost(&self) -> f64 {
        1.0 - self.received.lines as f64 / self.emitted.calls.max(1) as f64
    }

    /// From the first call to the last arrival.
    fn lines_per_second(&self) -> f64 {
        let nanoseconds = self.received.last.saturating_sub(self.emitted.first).max(1);
        self.received.lines as f64 * 1e9 / nanoseconds as f64
    }

    fn processor_per_line(&self) -> Option<f64> {
        let lines = self.received.lines;
        (lines > 0).then(|| self.spent.processor as f64 / lines as f64)
    }

    fn sample(&self, subject: &Info, case: [(&str, &str); 3], round: u32) -> Sample {
        let per_call = self.spent.processor as f64 / self.emitted.calls.max(1) as f64;
        Sample::new(
            subject.id,
            case,
            round,
            [
                ("emitted", self.emitted.calls as f64),
                ("received", self.received.lines as f64),
                ("reads", self.received.reads as f64),
                ("lines_per_second", self.lines_per_second()),
                ("share_lost", self.share_lost()),
                ("emission_seconds", self.emitted.nanoseconds as f64 / 1e9),
                ("processor_per_call", per_call),
                ("peak_kib", self.spent.peak_kib as f64),
            ],
        )
        .with("processor_per_line", self.processor_per_line())
        .with("dropped_by_its_own_count", self.emitted.dropped.map(|lines| lines as f64))
    }
}

/// Has a subject emit to a receiver of its own.
fn emission(
    subject: &Info,
    transport: Transport,
    payload: usize,
    buffer: SocketBuffer,
    work: &Emission,
) -> Outcome {
    let receiver = Receiver::start(transport, buffer);
    let work = Work::Emission(work.clone());
    let mut process = Process::start(&job(subject, &receiver, payload, Length::Short, work));
    let emitted: Emitted = process.hear();
    // Longer than any of them waits before it sends what it has; those that aggregate apart.
    let received = receiver.quiet(Duration::from_millis(300), emitted.calls);
    process.go_on();
    let spent = process.hear();
    Outcome { emitted, received, spent }
}

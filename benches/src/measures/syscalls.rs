//! Benchmark of the number of system calls that an emitting thread makes, in steady state and at a
//! fixed interval between calls. A tracer counts them exactly.

use super::options::{SuiteOptions, without_call_variants};
use super::outcome::{PAYLOAD, job};
use crate::client_process::ClientProcess;
use crate::fixtures::LineLength;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Call, Kind, Transport};
use crate::tracer;
use crate::workload::Workload;
use crate::workload::traced::Traced;
use std::time::Duration;

/// Intervals between calls: name in the results, interval, and number of counted calls.
pub const PACES: [(&str, Duration, u64); 4] = [
    ("every 1 us", Duration::from_micros(1), 1_000_000),
    ("every 10 us", Duration::from_micros(10), 200_000),
    ("every 100 us", Duration::from_micros(100), 20_000),
    ("every 1 ms", Duration::from_millis(1), 3_000),
];

/// Prefix of the names of values that count one kind of system call.
pub const NAME_PREFIX: &str = "calls of ";

/// Counts the system calls of the thread that calls a client. Returns one sample per client,
/// interval between calls and repetition, or no sample if threads cannot be traced.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
    let mut samples = Vec::new();
    let wanted = options.subjects(|info| without_call_variants(info) && info.kind != Kind::Bound);
    for (pace, interval, calls) in PACES {
        for (round, subject) in options.rounds(7, &wanted) {
            // One repetition shows what the other clients do. That freewheel makes none needs more.
            if round > 0 && subject.id != "freewheel" {
                continue;
            }
            let calls = options.pick(calls, calls / 10);
            // At least a second: longer than any thread of freewheel waits before it sleeps.
            let in_a_second = 1_000_000_000 / interval.as_nanos() as u64;
            let warm_up = options.pick(in_a_second, in_a_second / 4);
            let workload = Workload::Traced(Traced { call: Call::Incr, interval, warm_up, calls });
            let mut process =
                ClientProcess::start(&job(subject, &receiver, PAYLOAD, LineLength::Long, workload));
            let thread: i32 = process.receive();
            let counts = tracer::count_between_marks(thread, || process.resume());
            let dropped: Option<u64> = process.receive();
            let Some(counts) = counts else {
                eprintln!("syscalls: SKIPPED: threads cannot be traced here");
                return Vec::new();
            };
            let total = counts.values().sum::<u64>() as f64;
            let figures = [("calls", calls as f64), ("per_million", total * 1e6 / calls as f64)];
            let mut sample = Sample::new(subject.id, [("pace", pace)], round, figures);
            for (name, count) in counts {
                sample = sample.with(&format!("{NAME_PREFIX}{name}"), Some(count as f64));
            }
            let dropped = dropped.map(|lines| lines as f64);
            samples.push(sample.with("dropped_by_its_own_count", dropped));
        }
    }
    samples
}

//! Benchmark of the latency of single calls: quantiles from the median to the maximum, and the
//! number of slow calls, for calls at fixed intervals and for calls back to back.

use super::options::{SuiteOptions, without_call_variants};
use super::outcome::{PAYLOAD, job};
use crate::client_process::ClientProcess;
use crate::fixtures::LineLength;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Call, Transport};
use crate::workload::Workload;
use crate::workload::paced::{Paced, PacedLatencies, bind};
use std::time::Duration;

/// Intervals at which the latency benchmark makes calls: name in the results, interval, and number
/// of calls of freewheel in a repetition. A zero interval means calls back to back.
pub const PACES: [(&str, Duration, u64); 6] = [
    ("every 1 us", Duration::from_micros(1), 1_000_000),
    ("every 10 us", Duration::from_micros(10), 1_000_000),
    ("every 100 us", Duration::from_micros(100), 100_000),
    ("every 1 ms", Duration::from_millis(1), 10_000),
    // A client whose threads sleep while nothing is emitted has to wake them for such a call.
    ("every 1.5 s", Duration::from_millis(1_500), 10),
    ("back to back", Duration::ZERO, 1_000_000),
];

/// Prefix of the names of the floor's values in a sample. The floor made its calls in turns with
/// the sample's client, in the same process.
pub const FLOOR_PREFIX: &str = "floor ";

/// Measures the latency of single calls of each client, and of the floor beside it. Returns one
/// sample per client, interval between calls and repetition.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let cores = options.cores();
    let receiver = std::thread::scope(|scope| {
        // The server's thread inherits the core of the thread that starts it.
        let start = || {
            bind(cores.map(|cores| cores.others));
            Receiver::start(Transport::Udp, SocketBuffer::Large)
        };
        scope.spawn(start).join().expect("the server starts")
    });
    let mut samples = Vec::new();
    let wanted = options.subjects(|info| without_call_variants(info) || info.id == "nothing");
    for (pace, interval, calls) in PACES {
        for (round, subject) in options.rounds(7, &wanted) {
            // freewheel's slow calls are compared with the floor's. The tails of the other subjects
            // rest on fewer calls, which keeps the run short.
            let is_ours = matches!(subject.id, "freewheel" | "freewheel_low_latency");
            let calls = if is_ours { calls } else { calls / 10 };
            if calls < 2 || (round >= 3 && !is_ours) {
                continue;
            }
            let calls = options.pick(calls, (calls / 20).max(2));
            let workload = Workload::Paced(Paced { call: Call::Incr, interval, calls, cores });
            let mut process =
                ClientProcess::start(&job(subject, &receiver, PAYLOAD, LineLength::Long, workload));
            let PacedLatencies { client, floor, dropped } = process.receive();
            let figures = [("calls", calls as f64)];
            let mut sample = Sample::new(subject.id, [("pace", pace)], round, figures);
            for (name, figure) in client.figures() {
                sample = sample.with(name, Some(figure));
            }
            for (name, figure) in floor.figures() {
                sample = sample.with(&format!("{FLOOR_PREFIX}{name}"), Some(figure));
            }
            let dropped = dropped.map(|lines| lines as f64);
            samples.push(sample.with("dropped_by_its_own_count", dropped));
        }
    }
    samples
}

//! Benchmark of the latency of single calls: quantiles from the median to the maximum, for calls at
//! fixed intervals and for calls back to back.

use super::options::{SuiteOptions, without_call_variants};
use super::outcome::{PAYLOAD, job};
use crate::client_process::ClientProcess;
use crate::fixtures::LineLength;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Call, Transport};
use crate::workload::Workload;
use crate::workload::paced::{Latency, Paced};
use std::time::Duration;

/// Intervals at which the latency benchmark makes calls: name in the results, interval, and number
/// of calls in a repetition. A zero interval means calls back to back.
const PACES: [(&str, Duration, u64); 3] = [
    ("every 10 us", Duration::from_micros(10), 100_000),
    ("every 100 us", Duration::from_micros(100), 20_000),
    ("back to back", Duration::ZERO, 300_000),
];

/// Measures the latency of single calls of each client. Returns one sample per client, interval
/// between calls and repetition.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
    let mut samples = Vec::new();
    let wanted = options.subjects(|info| without_call_variants(info) || info.id == "nothing");
    for (pace, interval, calls) in PACES {
        for (round, subject) in options.rounds(3, &wanted) {
            let calls = options.pick(calls, calls / 20);
            let workload = Workload::Paced(Paced { call: Call::Incr, interval, calls });
            let mut process =
                ClientProcess::start(&job(subject, &receiver, PAYLOAD, LineLength::Long, workload));
            let Latency { p50, p99, p99_9, p99_99, max, dropped } = process.receive();
            let figures = [
                ("p50", p50 as f64),
                ("p99", p99 as f64),
                ("p99.9", p99_9 as f64),
                ("p99.99", p99_99 as f64),
                ("max", max as f64),
            ];
            let sample = Sample::new(subject.id, [("pace", pace)], round, figures);
            let dropped = dropped.map(|lines| lines as f64);
            samples.push(sample.with("dropped_by_its_own_count", dropped));
        }
    }
    samples
}

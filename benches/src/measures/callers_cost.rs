//! Benchmark of the cost of a call to the calling thread: nanoseconds per call, in bursts of one
//! thread, with a server that keeps up.

use super::options::{SuiteOptions, formats_lines};
use super::outcome::{PAYLOAD, job};
use crate::client_process::ClientProcess;
use crate::fixtures::LineLength;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::Transport;
use crate::workload::Workload;
use crate::workload::bursts::{BurstTotals, Bursts, Cost};
use std::time::Duration;

/// Measures the nanoseconds per call of every client, for each kind of call. Returns one sample per
/// client, kind of call and repetition.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
    let mut samples = Vec::new();
    for (round, subject) in options.rounds(5, &options.subjects(formats_lines)) {
        let workload = Workload::Bursts(Bursts {
            calls: subject.calls.to_vec(),
            threads: 1,
            bursts: options.pick(100, 10),
            burst_len: 1_000,
            pause: Duration::from_millis(2),
        });
        let mut process =
            ClientProcess::start(&job(subject, &receiver, PAYLOAD, LineLength::Long, workload));
        let costs: Vec<Cost> = process.receive();
        let end: BurstTotals = process.receive();
        for Cost { call, wall_ns, slowest_burst_ns, .. } in costs {
            let figures = [("nanoseconds", wall_ns), ("slowest_burst", slowest_burst_ns)];
            let sample = Sample::new(subject.id, [("call", call.id())], round, figures);
            let dropped = end.dropped.map(|lines| lines as f64);
            samples.push(sample.with("dropped_by_its_own_count", dropped));
        }
    }
    samples
}

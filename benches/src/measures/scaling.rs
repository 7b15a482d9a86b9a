//! Benchmark of clients that several threads call at once: cost of a call and share of lost lines,
//! in bursts with pauses and at full speed.

use super::options::{SuiteOptions, sends_over, without_call_variants};
use super::outcome::{PAYLOAD, job, run_emission};
use crate::client_process::ClientProcess;
use crate::fixtures::LineLength;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Call, Kind, Transport};
use crate::workload::Workload;
use crate::workload::bursts::{BurstTotals, Bursts, Cost};
use crate::workload::emission::Emission;
use std::time::Duration;

/// Measures the cost of a call and the share of lost lines with up to 16 emitting threads. Returns
/// one sample per client, load (bursts or full speed), number of threads and repetition.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let mut samples = Vec::new();
    for threads in [1_usize, 2, 4, 8, 16] {
        for (round, subject) in options.rounds(3, &options.subjects(without_call_variants)) {
            let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
            let workload = Workload::Bursts(Bursts {
                calls: vec![Call::Incr],
                threads,
                bursts: options.pick(30, 5),
                burst_len: 1_000,
                // All threads together make at most half a million calls a second.
                pause: Duration::from_millis(2) * threads as u32,
            });
            let mut process =
                ClientProcess::start(&job(subject, &receiver, PAYLOAD, LineLength::Long, workload));
            let costs: Vec<Cost> = process.receive();
            let BurstTotals { emitted, dropped } = process.receive();
            let sends_each_line = subject.kind == Kind::LinePerCall;
            let received = if sends_each_line {
                receiver.wait_until_quiet(Duration::from_millis(200), emitted).lines as f64
            } else {
                0.0
            };
            let figures = [
                ("nanoseconds", costs[0].cpu_ns),
                ("nanoseconds_on_the_wall", costs[0].wall_ns),
                ("emitted", emitted as f64),
            ];
            let case = [("load", "bursts"), ("threads", &threads.to_string())];
            let sample = Sample::new(subject.id, case, round, figures);
            let lost = 1.0 - received / emitted as f64;
            let sample = sample.with("share_lost", sends_each_line.then_some(lost));
            let dropped = dropped.map(|lines| lines as f64);
            samples.push(sample.with("dropped_by_its_own_count", dropped));
        }
    }
    let senders =
        options.subjects(|info| sends_over(Transport::Udp)(info) && info.kind == Kind::LinePerCall);
    for threads in [1_usize, 4, 16] {
        for (round, subject) in options.rounds(1, &senders) {
            let duration = options.pick(Duration::from_millis(500), Duration::from_millis(100));
            let emission = Emission { threads, rate: None, duration };
            let outcome =
                run_emission(subject, Transport::Udp, PAYLOAD, SocketBuffer::Large, &emission);
            let threads = threads.to_string();
            let case = [("load", "unthrottled"), ("threads", &threads), ("transport", "udp")];
            samples.push(outcome.sample(subject, case, round));
        }
    }
    samples
}

//! Benchmark of a service's mix of calls: 16 threads and 32 tokio tasks emit counters, gauges and
//! timings, with and without tags.

use super::options::{SuiteOptions, formats_lines};
use super::outcome::{PAYLOAD, job};
use crate::client_process::ClientProcess;
use crate::fixtures::LineLength;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Call, Kind, Transport};
use crate::workload::Workload;
use crate::workload::service::{Service, ServiceOutcome};
use std::time::Duration;

/// Measures the latency of the calls of a service, and what arrives. Returns one sample per client
/// and repetition.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let mut samples = Vec::new();
    let wanted = options.subjects(formats_lines);
    for (round, subject) in options.rounds(3, &wanted) {
        let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
        let workload = Workload::Service(Service {
            threads: 16,
            tasks: 32,
            duration: options.pick(Duration::from_secs(3), Duration::from_millis(300)),
        });
        let mut process =
            ClientProcess::start(&job(subject, &receiver, PAYLOAD, LineLength::Long, workload));
        let ServiceOutcome { latency, emitted, started_at, dropped } = process.receive();
        let received = receiver.wait_until_quiet(Duration::from_millis(300), emitted);
        let tags = if subject.calls.contains(&Call::IncrTagged) { "with" } else { "without" };
        let figures = [("emitted", emitted as f64)];
        let mut sample = Sample::new(subject.id, [("tags", tags)], round, figures);
        for (name, figure) in latency.figures() {
            sample = sample.with(name, Some(figure));
        }
        if subject.kind == Kind::LinePerCall {
            let nanoseconds = received.last_at.saturating_sub(started_at).max(1);
            let rate = received.lines as f64 * 1e9 / nanoseconds as f64;
            let lost = 1.0 - received.lines as f64 / emitted as f64;
            sample = sample.with("lines_per_second", Some(rate)).with("share_lost", Some(lost));
        }
        let dropped = dropped.map(|lines| lines as f64);
        samples.push(sample.with("dropped_by_its_own_count", dropped));
    }
    samples
}

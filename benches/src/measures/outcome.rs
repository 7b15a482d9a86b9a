//! Runs of one benchmarked client in a child process, and conversion of their results to samples.

use crate::client_process::{ClientProcess, Job};
use crate::fixtures::LineLength;
use crate::receiver::{ReceivedCounts, Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Info, Setup, Transport};
use crate::workload::Workload;
use crate::workload::emission::{Emission, EmissionCounts, ResourceUsage};
use std::time::Duration;

/// Maximum datagram payload in bytes with which most benchmarks configure a client. It fits an
/// Ethernet frame.
pub(super) const PAYLOAD: usize = 1432;

/// Returns a job for a child process: the client to run, its workload, and `receiver`, the server
/// to which it sends.
pub(super) fn job(
    subject: &Info,
    receiver: &Receiver,
    payload: usize,
    length: LineLength,
    workload: Workload,
) -> Job {
    let setup = Setup { target: receiver.target(), payload, length };
    Job { subject: subject.id.to_owned(), setup, workload }
}

/// Result of one measured run: the lines that the client emitted, the lines that the server
/// received, and the resources that the client used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) emitted: EmissionCounts,
    pub(super) received: ReceivedCounts,
    usage: ResourceUsage,
}

impl Outcome {
    /// Returns the share of the emitted lines that did not arrive.
    fn share_lost(&self) -> f64 {
        1.0 - self.received.lines as f64 / self.emitted.calls.max(1) as f64
    }

    /// Returns the number of lines received per second, between the first call and the last
    /// arrival.
    fn lines_per_second(&self) -> f64 {
        let nanoseconds = self.received.last_at.saturating_sub(self.emitted.started_at).max(1);
        self.received.lines as f64 * 1e9 / nanoseconds as f64
    }

    fn cpu_ns_per_line(&self) -> Option<f64> {
        let lines = self.received.lines;
        (lines > 0).then(|| self.usage.cpu_ns as f64 / lines as f64)
    }

    pub(super) fn sample(&self, subject: &Info, case: [(&str, &str); 3], round: u32) -> Sample {
        let cpu_ns_per_call = self.usage.cpu_ns as f64 / self.emitted.calls.max(1) as f64;
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
                ("emission_seconds", self.emitted.elapsed_ns as f64 / 1e9),
                ("processor_per_call", cpu_ns_per_call),
                ("peak_kib", self.usage.peak_rss_kib as f64),
            ],
        )
        .with("processor_per_line", self.cpu_ns_per_line())
        .with("dropped_by_its_own_count", self.emitted.dropped.map(|lines| lines as f64))
    }
}

/// Starts a server, and a client process that emits lines to it. Returns the numbers of emitted and
/// received lines, and the resources that the client used.
pub(super) fn run_emission(
    subject: &Info,
    transport: Transport,
    payload: usize,
    buffer: SocketBuffer,
    emission: &Emission,
) -> Outcome {
    let receiver = Receiver::start(transport, buffer);
    let workload = Workload::Emission(emission.clone());
    let job = job(subject, &receiver, payload, LineLength::Short, workload);
    let mut process = ClientProcess::start(&job);
    let emitted: EmissionCounts = process.receive();
    // No client delays a flush for so long, except the clients that aggregate.
    let received = receiver.wait_until_quiet(Duration::from_millis(300), emitted.calls);
    process.resume();
    let usage = process.receive();
    Outcome { emitted, received, usage }
}

//! Benchmark of idle clients: wake-ups, processor time and memory, and the delay of the first line
//! after the idle time. The suite observes each client's process from outside.

use super::options::{SuiteOptions, without_call_variants};
use super::outcome::{PAYLOAD, job};
use crate::client_process::ClientProcess;
use crate::clock;
use crate::fixtures::LineLength;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Info, Transport};
use crate::workload::Workload;
use crate::workload::idleness::Idleness;
use std::fs;
use std::time::{Duration, Instant};

/// Measures the resource usage of idle clients in processes with 1, 100 and 1,000 threads. Returns
/// one sample per client and number of threads.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let mut samples = Vec::new();
    let all =
        options.subjects(|info| without_call_variants(info) && info.id != "cadence_formats_only");
    for (threads, at_once) in [(1, 16), (100, 16), (1_000, 4)] {
        // Idle processes do not disturb each other.
        for together in all.chunks(at_once) {
            let mut clients: Vec<_> =
                together.iter().map(|subject| IdleClient::start(subject, threads)).collect();
            // The lines emitted at the start are flushed meanwhile.
            std::thread::sleep(options.pick(Duration::from_secs(2), Duration::from_millis(500)));
            let before: Vec<_> = clients.iter().map(IdleClient::snapshot).collect();
            // With one thread, the time is long enough to observe each client's periodic flush. The
            // longest interval is ten seconds.
            let long = if threads == 1 { Duration::from_secs(20) } else { Duration::from_secs(2) };
            std::thread::sleep(options.pick(long, Duration::from_secs(1)));
            let after: Vec<_> = clients.iter().map(IdleClient::snapshot).collect();
            let arrivals = first_lines(&mut clients, options, threads);
            for (index, client) in clients.iter().enumerate() {
                samples.push(client.sample(threads, before[index], after[index], arrivals[index]));
            }
        }
    }
    samples
}

/// Idle process that runs one benchmarked client, and the server that receives its lines.
struct IdleClient {
    subject: Info,
    process: ClientProcess,
    receiver: Receiver,
}

/// Resource usage of a client process at one moment: wake-ups, processor time and memory.
#[derive(Clone, Copy)]
struct UsageSnapshot {
    at: u64,
    wake_ups: u64,
    cpu_ns: u64,
    resident_kib: u64,
}

impl IdleClient {
    fn start(subject: &Info, threads: usize) -> Self {
        let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
        let workload = Workload::Idleness(Idleness { threads });
        let mut process =
            ClientProcess::start(&job(subject, &receiver, PAYLOAD, LineLength::Long, workload));
        process.receive::<()>();
        Self { subject: *subject, process, receiver }
    }

    fn snapshot(&self) -> UsageSnapshot {
        let folder = format!("/proc/{}", self.process.id());
        let mut snapshot =
            UsageSnapshot { at: clock::monotonic_ns(), wake_ups: 0, cpu_ns: 0, resident_kib: 0 };
        for task in
            fs::read_dir(format!("{folder}/task")).expect("the client process is alive").flatten()
        {
            // A thread may exit between the listing and the read.
            let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            snapshot.wake_ups += field(&read("status"), "voluntary_ctxt_switches:");
            let schedstat = read("schedstat");
            snapshot.cpu_ns +=
                schedstat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        }
        let status =
            fs::read_to_string(format!("{folder}/status")).expect("the client process is alive");
        snapshot.resident_kib = field(&status, "VmRSS:");
        snapshot
    }

    fn sample(
        &self,
        threads: usize,
        before: UsageSnapshot,
        after: UsageSnapshot,
        arrival: Option<f64>,
    ) -> Sample {
        let seconds = (after.at - before.at) as f64 / 1e9;
        let figures = [
            ("wake_ups_per_second", (after.wake_ups - before.wake_ups) as f64 / seconds),
            ("processor_us_per_second", (after.cpu_ns - before.cpu_ns) as f64 / 1e3 / seconds),
            ("resident_kib", after.resident_kib as f64),
        ];
        let case = [("threads", threads.to_string())];
        let case = case.each_ref().map(|(key, value)| (*key, value.as_str()));
        Sample::new(self.subject.id, case, 0, figures).with("first_line_ms", arrival)
    }
}

/// Makes each idle client emit one line. Returns, for each client, the milliseconds from the call
/// to the arrival of the line at the server, or `None` if it did not arrive in time.
///
/// Only clients with one thread are measured.
fn first_lines(
    clients: &mut [IdleClient],
    options: &SuiteOptions,
    threads: usize,
) -> Vec<Option<f64>> {
    if threads > 1 {
        return vec![None; clients.len()];
    }
    let lines: Vec<_> = clients.iter().map(|client| client.receiver.counts().lines).collect();
    let mut emitted = Vec::new();
    for client in clients.iter_mut() {
        client.process.resume();
        emitted.push(client.process.receive::<u64>());
    }
    let deadline = Instant::now() + options.pick(Duration::from_secs(12), Duration::from_secs(1));
    let mut arrivals = vec![None; clients.len()];
    while Instant::now() < deadline && arrivals.contains(&None) {
        for (index, client) in clients.iter().enumerate() {
            let counts = client.receiver.counts();
            if arrivals[index].is_none() && counts.lines > lines[index] {
                arrivals[index] = Some(counts.last_at.saturating_sub(emitted[index]) as f64 / 1e6);
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    arrivals
}

/// Returns the number after `name` in the first line of `text` that starts with `name`, or 0 if
/// there is none.
fn field(text: &str, name: &str) -> u64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    rest.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

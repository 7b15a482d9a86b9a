//! Benchmark of delivery over UDP to a server with the operating system's default socket buffer,
//! which bursts of datagrams can overflow.

use super::options::{SuiteOptions, sends_over};
use super::outcome::{PAYLOAD, run_emission};
use crate::receiver::SocketBuffer;
use crate::results::Sample;
use crate::subject::Transport;
use crate::workload::emission::Emission;
use std::time::Duration;

/// Rates at which clients emit lines in the benchmark of the default socket buffer: name in the
/// results, and lines per second.
pub const RATES: [(&str, u64); 5] = [
    ("100,000/s", 100_000),
    ("300,000/s", 300_000),
    ("1,000,000/s", 1_000_000),
    ("2,000,000/s", 2_000_000),
    ("4,000,000/s", 4_000_000),
];

/// Measures the share of emitted lines that reach a server with the default socket buffer. Returns
/// one sample per client, rate and repetition.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let mut samples = Vec::new();
    let wanted =
        options.subjects(|info| sends_over(Transport::Udp)(info) && info.id != "raw_segmented");
    for (load, rate) in RATES {
        for (round, subject) in options.rounds(3, &wanted) {
            let duration = options.pick(Duration::from_millis(600), Duration::from_millis(100));
            let emission = Emission { threads: 1, rate: Some(rate), duration };
            let outcome =
                run_emission(subject, Transport::Udp, PAYLOAD, SocketBuffer::Default, &emission);
            let case = [("transport", "udp"), ("payload", "1432"), ("load", load)];
            samples.push(outcome.sample(subject, case, round));
        }
    }
    samples
}

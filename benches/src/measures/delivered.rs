//! Benchmark of delivery to a server, at full speed and at fixed rates: lines received per second,
//! share of lost lines, and the client's processor time and memory.

use super::links::{LINKS, LOADS, fits};
use super::options::{SuiteOptions, sends_over};
use super::outcome::run_emission;
use crate::receiver::SocketBuffer;
use crate::results::Sample;
use crate::subject::{Kind, Transport};
use crate::workload::emission::Emission;
use std::time::Duration;

/// Measures the lines that arrive from each client, and the processor time and memory that they
/// cost. Returns one sample per client, transport with payload size, rate and repetition.
pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (transport, payload) in LINKS {
        // Over the usual link, clients that aggregate are measured for their resource usage. Their
        // number of lines is not comparable with that of the other clients.
        let usual = payload == 1432 && transport == Transport::Udp;
        let wanted = options.subjects(|info| {
            (sends_over(transport)(info) && fits(info, payload))
                || (usual && info.kind == Kind::Aggregates)
        });
        // The usual link is measured with all loads, and the other links with two of them.
        let is_wanted =
            |&(_, rate): &(_, Option<u64>)| usual || rate.is_none_or(|rate| rate == 1_000_000);
        for (load, rate) in LOADS.into_iter().filter(is_wanted) {
            for (round, subject) in options.rounds(3, &wanted) {
                let duration = options.pick(Duration::from_millis(600), Duration::from_millis(100));
                let emission = Emission { threads: 1, rate, duration };
                let outcome =
                    run_emission(subject, transport, payload, SocketBuffer::Large, &emission);
                let payload = payload.to_string();
                let case = [("transport", transport.id()), ("payload", &payload), ("load", load)];
                samples.push(outcome.sample(subject, case, round));
            }
        }
    }
    samples
}

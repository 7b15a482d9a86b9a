//! What arrives: lines a second that the receiver counted, the share that did not, what the client
//! spent on each, and its memory; unthrottled and at fixed rates.

use super::links::{LINKS, LOADS, fits};
use super::options::{SuiteOptions, sends_over};
use super::outcome::emission;
use crate::receiver::SocketBuffer;
use crate::results::Sample;
use crate::subject::{Kind, Transport};
use crate::workload::emission::Emission;
use std::time::Duration;

pub fn run(options: &SuiteOptions) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (transport, payload) in LINKS {
        // How most send. Those that aggregate are there to see what they spend: what arrives from them
        // is another thing.
        let usual = payload == 1432 && transport == Transport::Udp;
        let wanted = options.subjects(|info| {
            (sends_over(transport)(info) && fits(info, payload))
                || (usual && info.kind == Kind::Aggregates)
        });
        // All of them over UDP as most send it; elsewhere two will do.
        let few =
            |&(_, rate): &(_, Option<u64>)| usual || rate.is_none_or(|rate| rate == 1_000_000);
        for (load, rate) in LOADS.into_iter().filter(few) {
            for (round, subject) in options.rounds(3, &wanted) {
                let duration = options.pick(Duration::from_millis(600), Duration::from_millis(100));
                let work = Emission { threads: 1, rate, duration };
                let outcome = emission(subject, transport, payload, SocketBuffer::Large, &work);
                let payload = payload.to_string();
                let case = [("transport", transport.id()), ("payload", &payload), ("load", load)];
                samples.push(outcome.sample(subject, case, round));
            }
        }
    }
    samples
}

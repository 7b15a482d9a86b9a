//! What arrives: lines a second that the receiver counted, the share that did not, what the client
//! spent on each, and its memory; unthrottled and at fixed rates.

use super::{Plan, emission, senders, subjects};
use crate::receiver::SocketBuffer;
use crate::results::Sample;
use crate::subject::{Info, Nature, Transport};
use crate::work::emission::Emission;
use std::time::Duration;

/// Transport and payload.
pub(super) const WAYS: [(Transport, usize); 4] = [
    (Transport::Udp, 1432),
    (Transport::Udp, 8192),
    (Transport::Tcp, 1432),
    (Transport::UnixDatagram, 8192),
];

/// As in results, and lines a second.
pub const LOADS: [(&str, Option<u64>); 4] = [
    ("unthrottled", None),
    ("100,000/s", Some(100_000)),
    ("1,000,000/s", Some(1_000_000)),
    ("4,000,000/s", Some(4_000_000)),
];

/// Whose datagrams are of a fixed size is left out where it is another.
pub(super) fn fits(info: &Info, payload: usize) -> bool {
    payload == 1432 || !matches!(info.id, "dipstick" | "libdd" | "statsd" | "one_item_per_line")
}

pub fn run(plan: &Plan) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (transport, payload) in WAYS {
        // How most send. Those that aggregate are there to see what they spend: what arrives from them
        // is another thing.
        let usual = payload == 1432 && transport == Transport::Udp;
        let wanted = subjects(|info| {
            (senders(transport)(info) && fits(info, payload))
                || (usual && info.nature == Nature::Aggregates)
        });
        // All of them over UDP as most send it; elsewhere two will do.
        let few =
            |&(_, rate): &(_, Option<u64>)| usual || rate.is_none_or(|rate| rate == 1_000_000);
        for (load, rate) in LOADS.into_iter().filter(few) {
            for (round, subject) in plan.rounds(3, &wanted) {
                let time = plan.or(Duration::from_millis(600), Duration::from_millis(100));
                let work = Emission { threads: 1, rate, time };
                let outcome = emission(subject, transport, payload, SocketBuffer::Large, &work);
                let payload = payload.to_string();
                let case = [("transport", transport.id()), ("payload", &payload), ("load", load)];
                samples.push(outcome.sample(subject, case, round));
            }
        }
    }
    samples
}

//! What a call costs its caller: bursts of one thread, back to back, to a receiver that keeps up.

use super::{PAYLOAD, Plan, callers, job, subjects};
use crate::lines::Length;
use crate::process::Process;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::Transport;
use crate::work::Work;
use crate::work::bursts::{Bursts, Cost, End};
use std::time::Duration;

pub fn run(plan: &Plan) -> Vec<Sample> {
    let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
    let mut samples = Vec::new();
    for (round, subject) in plan.rounds(5, &subjects(callers)) {
        let work = Work::Bursts(Bursts {
            calls: subject.calls.to_vec(),
            threads: 1,
            bursts: plan.or(100, 10),
            burst: 1_000,
            rest: Duration::from_millis(2),
        });
        let mut process = Process::start(&job(subject, &receiver, PAYLOAD, Length::Long, work));
        let costs: Vec<Cost> = process.hear();
        let end: End = process.hear();
        for Cost { call, wall, worst, .. } in costs {
            let figures = [("nanoseconds", wall), ("slowest_burst", worst)];
            let sample = Sample::new(subject.id, [("call", call.id())], round, figures);
            let dropped = end.dropped.map(|lines| lines as f64);
            samples.push(sample.with("dropped_by_its_own_count", dropped));
        }
    }
    samples
}

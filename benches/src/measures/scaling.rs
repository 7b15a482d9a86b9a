//! What a call costs where several threads make it, and what becomes of the lines: in bursts with
//! rests, and as fast as all threads can.

use super::{PAYLOAD, Plan, clients, emission, job, senders, subjects};
use crate::lines::Length;
use crate::process::Process;
use crate::receiver::{Receiver, SocketBuffer};
use crate::results::Sample;
use crate::subject::{Call, Nature, Transport};
use crate::work::Work;
use crate::work::bursts::{Bursts, Cost, End};
use crate::work::emission::Emission;
use std::time::Duration;

pub fn run(plan: &Plan) -> Vec<Sample> {
    let mut samples = Vec::new();
    for threads in [1_usize, 2, 4, 8, 16] {
        for (round, subject) in plan.rounds(3, &subjects(clients)) {
            let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
            let work = Work::Bursts(Bursts {
                calls: vec![Call::Incr],
                threads,
                bursts: plan.or(30, 5),
                burst: 1_000,
                // Half a million calls a second of all threads together.
                rest: Duration::from_millis(2) * threads as u32,
            });
            let mut process = Process::start(&job(subject, &receiver, PAYLOAD, Length::Long, work));
            let costs: Vec<Cost> = process.hear();
            let End { emitted, dropped } = process.hear();
            let lines = subject.nature == Nature::Lines;
            let received = if lines {
                receiver.quiet(Duration::from_millis(200), emitted).lines as f64
            } else {
                0.0
            };
            let figures = [
                ("nanoseconds", costs[0].thread),
                ("nanoseconds_on_the_wall", costs[0].wall),
                ("emitted", emitted as f64),
            ];
            let case = [("load", "bursts"), ("threads", &threads.to_string())];
            let sample = Sample::new(subject.id, case, round, figures);
            let lost = 1.0 - received / emitted as f64;
            let sample = sample.with("share_lost", lines.then_some(lost));
            let dropped = dropped.map(|lines| lines as f64);
            samples.push(sample.with("dropped_by_its_own_count", dropped));
        }
    }
    let clients = subjects(|info| senders(Transport::Udp)(info) && info.nature == Nature::Lines);
    for threads in [1_usize, 4, 16] {
        for (round, subject) in plan.rounds(1, &clients) {
            let time = plan.or(Duration::from_millis(500), Duration::from_millis(100));
            let work = Emission { threads, rate: None, time };
            let outcome = emission(subject, Transport::Udp, PAYLOAD, SocketBuffer::Large, &work);
            let threads = threads.to_string();
            let case = [("load", "unthrottled"), ("threads", &threads), ("transport", "udp")];
            samples.push(outcome.sample(subject, case, round));
        }
    }
    samples
}

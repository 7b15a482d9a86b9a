//! The account balances under any sequence of events.

use crate::emitter::Emitter;
use crate::support::{
    TcpReceiver, assert_balanced, assert_whole_and_in_order, eventually, runtime, tally, tcp,
};
use freewheel::{Connector, Tally};
use proptest::prelude::*;
use std::ops::Range;
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

/// An event in the life of a connector.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Tells a thread to emit this many lines, without waiting for it.
    Emit {
        thread: usize,
        lines: u64,
    },
    /// The server reads no more.
    Stall,
    /// The server reads again.
    ReadOn,
    Start,
    Stop,
    Flush,
    /// The runtime goes down, without a stop.
    Abandon,
    Rest,
}

const THREADS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let emit = |lines: Range<u64>| {
        (0..THREADS, lines).prop_map(|(thread, lines)| Step::Emit { thread, lines }).boxed()
    };
    prop_oneof![
        4 => emit(1..100),
        // Enough for the operating system to take no more, where the server is stalled.
        2 => emit(5_000..10_000),
        2 => Just(Step::Stall),
        2 => Just(Step::ReadOn),
        3 => Just(Step::Start),
        1 => Just(Step::Stop),
        1 => Just(Step::Flush),
        1 => Just(Step::Abandon),
        2 => Just(Step::Rest),
    ]
}

/// A connector, the runtime that it runs on, and its server.
struct Stage {
    statsd: Connector,
    runtime: Option<Runtime>,
    receiver: TcpReceiver,
}

impl Stage {
    fn start(&mut self) {
        if self.runtime.is_none() {
            let runtime = runtime();
            runtime.block_on(self.statsd.start()).expect("it is not running");
            self.runtime = Some(runtime);
        }
    }

    fn take(&mut self, step: Step, emitters: &[Emitter]) {
        match step {
            Step::Emit { thread, lines } => emitters[thread].go.send(lines).expect("it listens"),
            Step::Stall => self.receiver.stall(),
            Step::ReadOn => self.receiver.resume_reading(),
            Step::Start => self.start(),
            Step::Stop => {
                let _report = self.statsd.blocking_stop();
                self.runtime = None;
            }
            Step::Flush => drop(self.statsd.blocking_flush()),
            Step::Abandon => self.runtime = None,
            Step::Rest => thread::sleep(Duration::from_millis(20)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..ProptestConfig::default()
    })]

    /// Threads emit, the server stalls, the connector is stopped and started: each line is
    /// dropped or arrives, whole, once, in its thread's order, and the account says which.
    #[test]
    fn the_account_balances(
        capacity in 1_usize << 10..16 << 10,
        steps in prop::collection::vec(step(), 1..24),
    ) {
        let receiver = TcpReceiver::start();
        let builder = tcp(receiver.port()).queue_capacity(capacity);
        // Shorter than some of the stalls.
        let statsd = builder.stop_timeout(Duration::from_millis(20)).build().expect("valid");
        let emitters: Vec<_> =
            (0..THREADS as u64).map(|thread| Emitter::spawn(&statsd, thread)).collect();
        let mut stage = Stage { statsd, runtime: None, receiver };
        for &step in &steps {
            stage.take(step, &emitters);
        }
        let emitted = emitters.into_iter().fold(Tally::default(), |sum, Emitter { go, thread }| {
            drop(go);
            sum + thread.join().expect("no panic")
        });
        stage.receiver.resume_reading();
        stage.start();
        let Stage { statsd, receiver, runtime } = stage;
        eventually("all is sent", || statsd.blocking_flush() == Ok(()));
        prop_assert_eq!(statsd.blocking_stop().kept, Tally::default());
        drop(runtime);

        let stats = statsd.stats();
        assert_balanced(&stats);
        prop_assert_eq!(stats.emitted, emitted);
        prop_assert_eq!(stats.buffered, Tally::default());
        prop_assert_eq!(stats.dropped(), stats.drops.full);
        receiver.wait_for_lines(stats.sent.lines);
        receiver.wait_for_end();
        let received = receiver.lines();
        prop_assert_eq!(tally(&received), stats.sent);
        assert_whole_and_in_order(&received);
    }
}

//! Property test: the statistics account for every line after any sequence of emissions, flushes,
//! starts and stops, while the server stops and resumes reading.

use super::emitter::Emitter;
use crate::support::{
    TcpReceiver, assert_balanced, assert_whole_and_in_order, eventually, runtime, tally, tcp,
};
use freewheel::{Connector, Tally};
use proptest::prelude::*;
use std::ops::Range;
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Step of a generated test: an event that affects the connector or its server.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A producer thread begins to emit the number of lines that this step states.
    Emit {
        thread: usize,
        lines: u64,
    },
    /// The server stops reading.
    Stall,
    /// The server resumes reading.
    ResumeReading,
    Start,
    Stop,
    Flush,
    /// The tokio runtime of the flusher is dropped without a stop.
    DropRuntime,
    Pause,
}

const THREADS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let emit = |lines: Range<u64>| {
        (0..THREADS, lines).prop_map(|(thread, lines)| Step::Emit { thread, lines }).boxed()
    };
    prop_oneof![
        4 => emit(1..100),
        // Enough lines to fill the socket buffers while the server is stalled.
        2 => emit(5_000..10_000),
        2 => Just(Step::Stall),
        2 => Just(Step::ResumeReading),
        3 => Just(Step::Start),
        1 => Just(Step::Stop),
        1 => Just(Step::Flush),
        1 => Just(Step::DropRuntime),
        2 => Just(Step::Pause),
    ]
}

/// Connector under test, with its tokio runtime and its server.
struct Fixture {
    statsd: Connector,
    runtime: Option<Runtime>,
    receiver: TcpReceiver,
}

impl Fixture {
    fn start(&mut self) {
        if self.runtime.is_none() {
            let runtime = runtime();
            runtime.block_on(self.statsd.start()).expect("the connector is not running");
            self.runtime = Some(runtime);
        }
    }

    fn run(&mut self, step: Step, emitters: &[Emitter]) {
        match step {
            Step::Emit { thread, lines } => emitters[thread].emit(lines),
            Step::Stall => self.receiver.stall(),
            Step::ResumeReading => self.receiver.resume_reading(),
            Step::Start => self.start(),
            Step::Stop => {
                let _report = self.statsd.blocking_stop();
                self.runtime = None;
            }
            Step::Flush => drop(self.statsd.blocking_flush()),
            Step::DropRuntime => self.runtime = None,
            Step::Pause => thread::sleep(Duration::from_millis(20)),
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

    /// Threads emit while the server stops and resumes reading, and the connector is stopped and
    /// started, in a random order. Each line is dropped and counted, or it arrives whole, once and
    /// in its thread's order.
    #[test]
    fn the_account_balances(
        capacity in 1_usize << 10..16 << 10,
        steps in prop::collection::vec(step(), 1..24),
    ) {
        let receiver = TcpReceiver::start();
        let builder = tcp(receiver.port()).queue_capacity(capacity);
        // The timeout is shorter than some of the stalls.
        let builder = builder.stop_timeout(Duration::from_millis(20));
        let statsd = builder.build().expect("the settings are valid");
        let emitters: Vec<_> =
            (0..THREADS as u64).map(|thread| Emitter::spawn(&statsd, thread)).collect();
        let mut fixture = Fixture { statsd, runtime: None, receiver };
        for &step in &steps {
            fixture.run(step, &emitters);
        }
        let emitted =
            emitters.into_iter().fold(Tally::default(), |sum, emitter| sum + emitter.end());
        fixture.receiver.resume_reading();
        fixture.start();
        let Fixture { statsd, receiver, runtime } = fixture;
        eventually("all lines are sent", || statsd.blocking_flush() == Ok(()));
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

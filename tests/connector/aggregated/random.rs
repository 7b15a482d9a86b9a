//! Property test: whatever sequence of counts, new and dropped handles, threads, flushes, stops and
//! starts, the server gets the exact totals and the last values.

use super::{NEVER, OFTEN, settings, total};
use crate::support::{UdpReceiver, assert_balanced, flush};
use freewheel::{AggregatedCounter, Connector, Counter, Gauge, Level};
use proptest::prelude::*;
use std::thread;

/// Step of a generated test.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A new thread adds an amount to one of the counters.
    CountOnNewThread(usize, i32),
    Count(usize, i64),
    /// One of the counters gets a new handle with the same name.
    Renew(usize),
    AddToLevel(i32),
    SetLevel(i64),
    SetGauge(i32),
    Flush,
    Stop,
    Start,
}

const COUNTERS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let index = || 0..COUNTERS;
    prop_oneof![
        2 => (index(), any::<i32>()).prop_map(|(index, by)| Step::CountOnNewThread(index, by)),
        // Two lines of one counter may add up to as much.
        4 => (index(), -1_i64 << 40..1 << 40).prop_map(|(index, by)| Step::Count(index, by)),
        2 => index().prop_map(Step::Renew),
        2 => any::<i32>().prop_map(Step::AddToLevel),
        1 => (-1_i64 << 40..1 << 40).prop_map(Step::SetLevel),
        2 => any::<i32>().prop_map(Step::SetGauge),
        1 => Just(Step::Flush),
        1 => Just(Step::Stop),
        2 => Just(Step::Start),
    ]
}

fn name(counter: usize) -> String {
    format!("counter{counter}")
}

/// Aggregated metrics of a generated test, and what the server must have in the end.
struct Oracle {
    statsd: Connector,
    counters: [AggregatedCounter; COUNTERS],
    totals: [i64; COUNTERS],
    level: Level,
    gauge: Option<i32>,
    level_value: i64,
}

impl Oracle {
    fn new(statsd: Connector) -> Self {
        let counters =
            std::array::from_fn(|index| statsd.metric::<Counter>(&name(index)).aggregate());
        let level = statsd.metric::<Gauge>("level").aggregate_level();
        Self { statsd, counters, totals: [0; COUNTERS], level, gauge: None, level_value: 0 }
    }

    fn run(&mut self, step: Step, gauge: &freewheel::AggregatedGauge) {
        match step {
            Step::CountOnNewThread(index, by) => {
                let counter = &self.counters[index];
                thread::scope(|scope| scope.spawn(|| counter.incr_by(by)).join().unwrap());
                self.totals[index] += i64::from(by);
            }
            Step::Count(index, by) => {
                self.counters[index].decr_by(-by);
                self.totals[index] += by;
            }
            Step::Renew(index) => {
                let renewed = self.statsd.metric::<Counter>(&name(index)).aggregate();
                self.counters[index] = renewed;
            }
            Step::AddToLevel(by) => {
                self.level.add(by);
                self.level_value += i64::from(by);
            }
            Step::SetLevel(value) => {
                self.level.set(value);
                self.level_value = value;
            }
            Step::SetGauge(value) => {
                gauge.set(value);
                self.gauge = Some(value);
            }
            // An error if no flusher runs.
            Step::Flush => drop(self.statsd.blocking_flush()),
            Step::Stop => drop(self.statsd.blocking_stop()),
            Step::Start => drop(self.statsd.start_on_thread()),
        }
    }
}

/// Returns the value of a gauge after all these lines, as a server of the dialect `StatsD` reads it.
fn gauge_after(lines: &[String], name: &str) -> i64 {
    let values = lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    values.fold(0, |gauge, value| {
        let value: i64 = value.strip_suffix("|g").expect("a gauge").parse().expect("a number");
        if value < 0 { gauge + value } else { value }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn totals_are_exact(steps in prop::collection::vec(step(), 1..40), often in any::<bool>()) {
        let receiver = UdpReceiver::start();
        let interval = if often { OFTEN } else { NEVER };
        let statsd = settings(receiver.port(), interval).build().unwrap();
        let gauge = statsd.metric::<Gauge>("gauge").aggregate();
        let mut oracle = Oracle::new(statsd.clone());
        steps.into_iter().for_each(|step| oracle.run(step, &gauge));
        let _ = statsd.start_on_thread();
        flush(&statsd);
        let lines = receiver.lines_so_far();
        for (index, expected) in oracle.totals.iter().enumerate() {
            prop_assert_eq!(total(&lines, &name(index)), *expected, "{:?}", &lines);
        }
        prop_assert_eq!(gauge_after(&lines, "level"), oracle.level_value, "{:?}", &lines);
        prop_assert_eq!(gauge_after(&lines, "gauge"), i64::from(oracle.gauge.unwrap_or(0)));
        assert_balanced(&statsd.stats());
    }
}

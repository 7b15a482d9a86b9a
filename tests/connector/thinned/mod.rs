//! Tests of thinned metrics, whose threads emit a bounded number of lines in an interval.

mod dialects;
mod intervals;

use crate::support::{Line, UdpReceiver, assert_balanced, eventually, flush, started, udp};
use freewheel::{Builder, Connector, Counter, Dialect, Distribution, Histogram, Thinned, Timing};
use std::collections::BTreeMap;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread;
use std::time::Duration;

/// Aggregate interval of connectors whose interval should not end: the longest one. Its random offset ends
/// it within a test of a second once in 86,400 times.
const NEVER: Duration = Duration::from_secs(86_400);

fn settings(port: u16, interval: Duration) -> Builder {
    udp(port).aggregate_interval(interval).dialect(Dialect::DogStatsD)
}

fn connector(receiver: &UdpReceiver, interval: Duration) -> Connector {
    started(settings(receiver.port(), interval))
}

/// Returns the weight that a line states.
fn weight(line: &str) -> f64 {
    let rate = line.split('|').find_map(|field| field.strip_prefix('@'));
    1.0 / rate.map_or(1.0, |rate| rate.parse::<f64>().unwrap())
}

/// Returns the weights of the lines that arrived, by the value.
fn weights_by_value(lines: &[String]) -> BTreeMap<String, Vec<f64>> {
    let mut weights = BTreeMap::<_, Vec<f64>>::new();
    for line in lines {
        let parsed = Line::split(line).unwrap_or_else(|| panic!("{line}"));
        weights.entry(parsed.value.to_owned()).or_default().push(weight(line));
    }
    weights
}

#[test]
fn handles_can_be_shared_and_sent() {
    fn check<T: Clone + Send + Sync + UnwindSafe + RefUnwindSafe + 'static>() {}
    check::<Thinned<Timing>>();
    check::<Thinned<Histogram>>();
    check::<Thinned<Distribution>>();
}

#[test]
fn few_values_pass_unchanged() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let times = statsd.metric::<Timing>("time").tag("k", "v").thin(100);
    let clone = times.clone();
    (0..37).for_each(|_| times.record(Duration::from_micros(1_500)));
    (0..36).for_each(|_| clone.record_seconds(0.002));
    drop(times.start());
    times.start().discard();
    flush(&statsd);
    let lines = receiver.lines_so_far();
    assert_eq!(lines.len(), 74);
    assert_eq!(lines.iter().filter(|line| *line == "time:1.5|ms|#k:v").count(), 37);
    assert_eq!(lines.iter().filter(|line| *line == "time:2|ms|#k:v").count(), 36);
}

/// Each of many threads emits no more than the bound and what a growing load adds.
#[test]
fn each_thread_keeps_the_bound() {
    const VALUES: u32 = 100_000;
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let sizes = statsd.metric::<Distribution>("size").thin(64);
    for threads in [1, 8] {
        thread::scope(|scope| {
            for thread in 0..threads {
                let sizes = &sizes;
                let value = 100 * threads + thread;
                scope.spawn(move || (0..VALUES).for_each(|_| sizes.record(value)));
            }
        });
    }
    flush(&statsd);
    let weights = weights_by_value(&receiver.lines_so_far());
    assert_eq!(weights.len(), 9);
    for (value, weights) in weights {
        // A thread that follows another goes on in its interval, so that these emit even less.
        assert!(weights.len() <= 64 + 3 * 14, "{} lines of {value}", weights.len());
    }
    assert_balanced(&statsd.stats());
}

#[test]
fn weights_of_a_thread_add_up_to_its_values() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    for count in [1_u32, 100, 12_345, 1_000_000] {
        let sizes = statsd.metric::<Distribution>("size").thin(100);
        (0..count).for_each(|_| sizes.record(7));
        flush(&statsd);
        let weights: Vec<f64> = receiver.lines_so_far().iter().map(|line| weight(line)).collect();
        let missed = (weights.iter().sum::<f64>() - f64::from(count)).abs();
        let heaviest = weights.iter().copied().fold(1.0, f64::max);
        assert!(missed < 2.0 * heaviest, "{missed} of {count}, {weights:?}");
        assert!(weights.len() <= 150, "{}", weights.len());
    }
}

/// Handles beyond those whose words each thread has at hand keep the bound too, and so do handles in
/// words that others have left.
#[test]
fn many_metrics_keep_their_bounds() {
    let receiver = UdpReceiver::start();
    let statsd = started(settings(receiver.port(), NEVER).max_datagram_payload(60_000));
    for _ in 0..2 {
        let all: Vec<_> =
            (0..700).map(|index| (index, statsd.metric::<Histogram>("size").thin(4))).collect();
        for (index, sizes) in &all {
            (0..17).for_each(|_| sizes.record(*index));
        }
        flush(&statsd);
        let weights = weights_by_value(&receiver.lines_so_far());
        assert_eq!(weights.len(), 700);
        for weights in weights.values() {
            assert_eq!(weights, &[1.0, 1.0, 1.0, 2.0, 4.0, 8.0]);
        }
    }
}

#[test]
fn builder_patterns_do_not_sample() {
    let receiver = UdpReceiver::start();
    let rate = freewheel::SampleRate::new(0.001).unwrap();
    let statsd = started(settings(receiver.port(), NEVER).sample("*", rate));
    let sizes = statsd.metric::<Histogram>("size").thin(10);
    sizes.record(3);
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["size:3|h"]);
}

#[test]
fn disabled_connector_emits_nothing() {
    let statsd = Connector::disabled();
    let times = statsd.metric::<Timing>("time").try_thin(0).unwrap();
    times.record(Duration::from_millis(1));
    drop(times.start());
    assert_eq!(format!("{times:?}"), "Thinned(disabled)");
}

/// A value that is drawn and is not a number is counted as a line.
#[test]
fn invalid_values_are_counted_if_drawn() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let sizes = statsd.metric::<Histogram>("size").thin(4);
    (0..17).for_each(|_| sizes.record(f64::NAN));
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.drops.invalid.lines, 6);
    assert_balanced(&stats);
}

/// The handle keeps the flusher, as each prepared metric does.
#[test]
fn handle_outlives_its_connector() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let sizes = statsd.metric::<Histogram>("size").thin(4);
    statsd.metric::<Counter>("hits").incr();
    drop(statsd);
    sizes.record(5);
    drop(sizes);
    assert_eq!(receiver.lines(2), ["hits:1|c", "size:5|h"]);
}

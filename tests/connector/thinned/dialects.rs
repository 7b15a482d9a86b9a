//! Thinned metrics in each dialect: servers read whole weights from the rates.

use super::{NEVER, weight};
use crate::support::{UdpReceiver, flush, started, udp};
use freewheel::{Connector, Dialect, Distribution, Histogram, MetricError, Timing};
use std::time::Duration;

const ALL: [Dialect; 7] = [
    Dialect::StatsD,
    Dialect::Extended,
    Dialect::DogStatsD,
    Dialect::Graphite,
    Dialect::Influx,
    Dialect::Librato,
    Dialect::SignalFx,
];

fn connector(receiver: &UdpReceiver, dialect: Dialect) -> Connector {
    let settings = udp(receiver.port()).aggregate_interval(NEVER).dialect(dialect);
    started(settings.type_prefixes(false).queue_capacity(8 << 20))
}

/// Returns the weight that each server gives a timing with this rate, by the server's own formula. (Casts
/// truncate, in Go and in Rust.)
fn weights(rate: f64) -> [(&'static str, f64); 6] {
    [
        ("the Agent, histograms: int64(1/rate)", (1.0 / rate) as i64 as f64),
        ("the Agent, distributions: uint(1/rate)", (1.0 / rate) as u64 as f64),
        ("statsd_exporter, Telegraf: int(1/rate)", (1.0 / rate) as i64 as f64),
        ("Vector: (1.0 / rate) as u32", f64::from((1.0 / rate) as u32)),
        ("statsd: 1 / rate", 1.0 / rate),
        ("netdata: llrint(1.0 / rate)", (1.0 / rate).round_ties_even()),
    ]
}

/// Returns the weight that netdata gives a timing with this rate, which it takes for at least 0.01.
fn netdata(rate: f64) -> f64 {
    (1.0 / rate.max(0.01)).round_ties_even()
}

/// Lines have all weights up to the dialect's largest one, as plain decimals of which each server
/// computes the weight exactly.
#[test]
fn servers_compute_each_weight_exactly() {
    for dialect in ALL {
        let receiver = UdpReceiver::start();
        let statsd = connector(&receiver, dialect);
        let is_netdata = matches!(dialect, Dialect::StatsD | Dialect::Extended);
        let max_level = if is_netdata { 6 } else { 16 };
        let times = statsd.metric::<Timing>("time").thin(1);
        // One value, then two, four and so on, and two of the largest blocks.
        let count = (1_u32 << (max_level + 1)) - 1 + (1 << max_level);
        (0..count).for_each(|_| times.record(Duration::from_millis(3)));
        flush(&statsd);
        let lines = receiver.lines_so_far();
        let expected: Vec<f64> =
            (0..=max_level).chain([max_level]).map(|i| f64::from(1 << i)).collect();
        let found: Vec<f64> = lines.iter().map(|line| weight(line)).collect();
        assert_eq!(found, expected, "{dialect:?}");
        for line in &lines {
            let Some((_, text)) = line.split_once("|@") else {
                assert_eq!(line, "time:3|ms");
                continue;
            };
            assert!(text.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()), "{line}");
            let rate: f64 = text.parse().unwrap();
            // The text is the exact decimal, and not one that is only read as the rate.
            assert_eq!(text, format!("{:.*}", text.len() - 2, rate));
            assert_eq!(rate * weight(line), 1.0);
            for (server, computed) in weights(rate) {
                assert_eq!(computed, weight(line), "{server}: {line}");
            }
            if is_netdata {
                assert_eq!(netdata(rate), weight(line), "{line}");
            }
        }
    }
}

/// Tags and a cardinality are where the dialect has them.
#[test]
fn tags_stand_where_the_dialect_has_them() {
    for (dialect, expected) in [
        (Dialect::DogStatsD, "time:3|ms|@0.5|#k:v"),
        (Dialect::Graphite, "time;k=v:3|ms|@0.5"),
        (Dialect::Influx, "time,k=v:3|ms|@0.5"),
        (Dialect::Librato, "time#k=v:3|ms|@0.5"),
        (Dialect::SignalFx, "time[k=v]:3|ms|@0.5"),
    ] {
        let receiver = UdpReceiver::start();
        let statsd = connector(&receiver, dialect);
        let times = statsd.metric::<Timing>("time").tag("k", "v").try_thin(1).unwrap();
        (0..3).for_each(|_| times.record(Duration::from_millis(3)));
        flush(&statsd);
        assert_eq!(receiver.lines_so_far()[1], expected);
    }
}

#[test]
fn histograms_and_distributions_state_their_weights() {
    for dialect in [Dialect::Extended, Dialect::DogStatsD, Dialect::Influx] {
        let receiver = UdpReceiver::start();
        let statsd = connector(&receiver, dialect);
        let sizes = statsd.metric::<Histogram>("size").try_thin(1).unwrap();
        (0..3).for_each(|_| sizes.record(1.5));
        flush(&statsd);
        assert_eq!(receiver.lines_so_far(), ["size:1.5|h", "size:1.5|h|@0.5"]);
    }
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, Dialect::DogStatsD);
    let sizes = statsd.metric::<Distribution>("size").try_thin(1).unwrap();
    (0..3).for_each(|_| sizes.record(-2));
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["size:-2|d", "size:-2|d|@0.5"]);
}

/// What the dialect lacks is an error of `try_thin`. Otherwise each call is counted.
#[test]
fn what_the_dialect_lacks_is_dropped_and_counted() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, Dialect::StatsD);
    let sizes = || statsd.metric::<Histogram>("size");
    assert_eq!(sizes().try_thin(4).unwrap_err(), MetricError::UnsupportedKind);
    let tagged = || statsd.metric::<Timing>("time").tag("k", "v");
    assert_eq!(tagged().try_thin(4).unwrap_err(), MetricError::UnsupportedTags);
    let unclean = statsd.metric::<Timing>("a:b").try_thin(4);
    assert_eq!(unclean.unwrap_err(), MetricError::ForbiddenText);
    let (sizes, times) = (sizes().thin(4), tagged().thin(4));
    (0..10).for_each(|_| sizes.record(1));
    (0..10).for_each(|_| times.record(Duration::from_millis(1)));
    statsd.metric::<Timing>("").thin(4).record(Duration::from_millis(1));
    statsd.metric::<Timing>("a:b").thin(4).record(Duration::from_millis(1));
    let stats = statsd.blocking_stop().stats;
    assert_eq!((stats.drops.unsupported.lines, stats.drops.invalid.lines), (20, 1));
    assert_eq!((stats.sent.lines, stats.altered), (1, 1));
}

#[test]
fn negative_histograms_are_unsupported_for_telegraf() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, Dialect::Influx);
    let sizes = statsd.metric::<Histogram>("size").thin(4);
    (0..3).for_each(|_| sizes.record(-1));
    assert_eq!(statsd.blocking_stop().stats.drops.unsupported.lines, 3);
}

//! Tests that numbers which a dialect's servers would misread are not sent.

use super::{ALL, arrived_in};
use freewheel::{Connector, Counter, Dialect, Histogram};

/// Counter values that are not 64-bit integers are not sent in the dialect `Influx`, because
/// Telegraf would truncate them.
#[test]
fn counters_truncated_by_telegraf_are_not_sent() {
    let exact: [fn(&Connector); 6] = [
        |s| s.incr_by("a", i64::MAX),
        |s| s.incr_by("a", i64::MIN),
        |s| s.metric::<Counter>("a").incr_by(2.0),
        |s| s.metric::<Counter>("a").build().decr_by(3),
        |s| s.metric::<Counter>("a").build().incr(),
        |s| s.decr_by("a", 0.0),
    ];
    let truncated: [fn(&Connector); 10] = [
        |s| s.incr_by("a", 0.5),
        |s| s.incr_by("a", -1.25_f32),
        |s| s.decr_by("a", 1e-300),
        |s| s.incr_by("a", u64::MAX),
        |s| s.incr_by("a", i64::MAX.unsigned_abs() + 1),
        |s| s.decr_by("a", i128::MAX),
        |s| s.metric::<Counter>("a").incr_by(1e300),
        |s| s.metric::<Counter>("a").decr_by(0.5),
        |s| s.metric::<Counter>("a").build().incr_by(0.5),
        |s| s.metric::<Counter>("a").tag("k", "v").build().decr_by(u128::MAX),
    ];
    for dialect in [Dialect::Influx, Dialect::DogStatsD] {
        let is_telegraf = dialect == Dialect::Influx;
        let (lines, stats) = arrived_in(dialect, |statsd| {
            exact.iter().for_each(|emit| emit(statsd));
            truncated.iter().for_each(|emit| emit(statsd));
        });
        let unsupported = if is_telegraf { truncated.len() } else { 0 };
        assert_eq!(lines.len(), exact.len() + truncated.len() - unsupported, "{lines:?}");
        assert_eq!(stats.drops.unsupported.lines, unsupported as u64, "{dialect:?}");
        let values =
            ["9223372036854775807", "-9223372036854775808", "2", "-3", "1", "0"].into_iter();
        let expected: Vec<String> = values.map(|value| format!("a:{value}|c")).collect();
        assert_eq!(lines[..exact.len()], expected);
    }
}

/// Negative histogram values are not sent in the dialect `Influx`, because Telegraf accepts a sign
/// only before the values of counters and gauges.
#[test]
fn histograms_below_zero_are_not_sent_to_telegraf() {
    for dialect in ALL {
        let (lines, stats) = arrived_in(dialect, |statsd| {
            statsd.histogram("a", -1);
            statsd.metric::<Histogram>("a").record(-0.5);
            statsd.metric::<Histogram>("a").build().record(-1e300);
            statsd.metric::<Histogram>("a").build().record(-0.0);
            statsd.histogram("a", 0.5);
        });
        let (sent, unsupported) = match dialect {
            Dialect::Influx => (2, 3),
            Dialect::Extended | Dialect::DogStatsD => (5, 0),
            _ => (0, 5),
        };
        assert_eq!(
            (lines.len(), stats.drops.unsupported.lines),
            (sent, unsupported),
            "{dialect:?}"
        );
    }
    let (lines, _) = arrived_in(Dialect::Influx, |statsd| statsd.gauge_delta("a", -0.5));
    assert_eq!(lines, ["a:-0.5|g"]);
}

//! Lines that are merged, and lines that are not.

use super::arrived;
use crate::support::assert_balanced;
use freewheel::dogstatsd::{Event, ServiceCheck, Status};
use freewheel::{Builder, Connector, Counter, Dialect, Gauge, Protocol, SampleRate, Tally};
use std::thread;
use std::time::{Duration, SystemTime};

const PROTOCOLS: [Protocol; 2] = [Protocol::Udp, Protocol::Tcp];

#[test]
fn counts_of_all_threads_are_one_line() {
    for protocol in PROTOCOLS {
        let (lines, stats) = arrived(
            protocol,
            |builder| builder.coalesce(10),
            |statsd| {
                for _ in 0..3 {
                    let statsd = statsd.clone();
                    let emit = move || {
                        (0..100).for_each(|_| statsd.incr("hits"));
                        statsd.decr_by("misses", 2);
                        statsd.timing("time", Duration::from_millis(3));
                    };
                    thread::spawn(emit).join().unwrap();
                }
            },
        );
        assert_eq!(lines, ["hits:300|c", "misses:-6|c", "time:3|ms", "time:3|ms", "time:3|ms"]);
        assert_eq!((stats.emitted.lines, stats.merged.lines), (306, 301));
        assert!(stats.to_string().ends_with("+ dropped 0 + lost 0 + merged 301"), "{stats}");
    }
}

#[test]
fn every_line_is_sent_without_the_setting() {
    for configure in [|builder| builder, |builder: Builder| builder.coalesce(0)] {
        let (lines, stats) = arrived(Protocol::Udp, configure, |statsd| {
            statsd.incr("hits");
            statsd.incr("hits");
        });
        assert_eq!((lines, stats.merged), (vec!["hits:1|c".to_owned(); 2], Tally::default()));
        assert!(stats.to_string().ends_with("+ dropped 0 + lost 0"), "{stats}");
    }
}

#[test]
fn each_set_of_tags_is_summed_for_itself() {
    for protocol in PROTOCOLS {
        let configure = |builder: Builder| {
            builder.coalesce(10).dialect(Dialect::DogStatsD).tag("env", "a:1").container_id("ci-1")
        };
        let (mut lines, _) = arrived(protocol, configure, |statsd| {
            for amount in 1..4 {
                statsd.incr_by("hits", amount);
                statsd.metric::<Counter>("hits").tag("k", "v").incr_by(10 * amount);
                statsd.gauge("depth", -amount);
                statsd.with_tag("k", "w").gauge("depth", 0.5);
            }
        });
        lines.sort();
        assert_eq!(
            lines,
            [
                "depth:-3|g|#env:a:1|c:ci-1",
                "depth:0.5|g|#env:a:1,k:w|c:ci-1",
                "hits:60|c|#env:a:1,k:v|c:ci-1",
                "hits:6|c|#env:a:1|c:ci-1",
            ]
        );
    }
    for (dialect, expected) in [
        (Dialect::Influx, "hits,k=v:3|c"),
        (Dialect::Librato, "hits#k=v:3|c"),
        (Dialect::SignalFx, "hits[k=v]:3|c"),
        (Dialect::Graphite, "hits;k=v:3|c"),
    ] {
        let configure = |builder: Builder| builder.coalesce(10).dialect(dialect);
        let (lines, _) = arrived(Protocol::Udp, configure, |statsd| {
            statsd.metric::<Counter>("hits").tag("k", "v").incr();
            statsd.metric::<Counter>("hits").tag("k", "v").incr_by(2);
        });
        assert_eq!(lines, [expected]);
    }
}

#[test]
fn lines_beyond_the_contexts_are_sent_as_they_are() {
    let (lines, stats) = arrived(
        Protocol::Udp,
        |builder| builder.coalesce(2),
        |statsd| {
            for name in ["a", "b", "c", "d", "a", "b", "c", "d"] {
                statsd.incr(name);
            }
        },
    );
    assert_eq!(lines, ["a:2|c", "b:2|c", "c:1|c", "d:1|c", "c:1|c", "d:1|c"]);
    assert_eq!(stats.merged, Tally { lines: 2, bytes: 12 });
}

#[test]
fn changes_of_gauges_and_negative_gauges_keep_their_order() {
    for protocol in PROTOCOLS {
        let (lines, stats) = arrived(
            protocol,
            |builder| builder.coalesce(10),
            |statsd| {
                for value in [5, 6] {
                    statsd.gauge("depth", value);
                    statsd.gauge("other", value);
                }
                statsd.gauge_delta("depth", 3);
                statsd.gauge("depth", 7);
                statsd.gauge("depth", -8);
                statsd.gauge("depth", -9);
                statsd.gauge("depth", 1);
                statsd.gauge("depth", 2.5);
                statsd.gauge_delta("depth", -1);
            },
        );
        assert_eq!(
            lines,
            [
                "depth:6|g",
                "other:6|g",
                "depth:+3|g",
                "depth:7|g",
                "depth:0|g",
                "depth:-8|g",
                "depth:0|g",
                "depth:-9|g",
                "depth:2.5|g",
                "depth:-1|g",
            ]
        );
        assert_eq!(stats.merged.lines, 3);
    }
}

/// Emits each kind of line that must not be merged, twice.
#[test]
fn other_lines_are_sent_as_they_are() {
    let emit = |statsd: &Connector| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let rate = SampleRate::new(0.5).unwrap();
        for _ in 0..2 {
            statsd.timing("a", Duration::from_millis(3));
            statsd.histogram("a", 1);
            statsd.distribution("a", 1);
            statsd.set("a", "1");
            statsd.incr_by("a", 0.5);
            statsd.metric::<Counter>("a").timestamp(time).incr();
            statsd.metric::<Gauge>("a").timestamp(time).set(1);
            let before = statsd.stats().emitted;
            while statsd.stats().emitted == before {
                statsd.metric::<Counter>("a").sample_rate(rate).incr();
            }
            statsd.inject_metric("a", "1", "c|@0.25");
            statsd.inject_metric("a", "x", "g");
            statsd.event(&Event::new("5", "c"));
            statsd.service_check(&ServiceCheck::new("a", Status::Ok).message("1"));
        }
    };
    for protocol in PROTOCOLS {
        let configure = |builder: Builder| builder.dialect(Dialect::DogStatsD).protocol(protocol);
        let (mut plain, _) = arrived(protocol, configure, emit);
        let (mut lines, stats) = arrived(protocol, |builder| configure(builder).coalesce(10), emit);
        // Gauges and service checks have no order with the others.
        let is_ordered = |line: &String| line.contains("|g") || line.starts_with("_sc");
        plain.sort_by_key(is_ordered);
        lines.sort_by_key(is_ordered);
        assert_eq!(lines, plain);
        assert_eq!((stats.merged, lines.len()), (Tally::default(), 24), "{lines:?}");
    }
}

#[test]
fn sums_begin_anew_where_they_would_not_fit() {
    let (lines, _) = arrived(
        Protocol::Udp,
        |builder| builder.coalesce(10),
        |statsd| {
            statsd.incr_by("a", i64::MAX);
            statsd.incr_by("a", 1);
            statsd.incr_by("a", u64::MAX);
            statsd.incr_by("a", 1);
            statsd.incr_by("b", 4);
            statsd.decr_by("b", 4);
        },
    );
    assert_eq!(lines, ["a:9223372036854775807|c", "a:2|c", "a:18446744073709551615|c", "b:0|c"]);
}

/// Emits many more lines than the flusher merges before it looks for other events. The totals must be
/// exact, and most lines merged. All lines must be merged and sent without a pause.
#[test]
fn totals_of_many_batches_are_exact() {
    for protocol in PROTOCOLS {
        let configure = |builder: Builder| {
            builder.coalesce(100).queue_capacity(64 << 20).flush_interval(Duration::from_secs(30))
        };
        let (lines, stats) = arrived(protocol, configure, |statsd| {
            for number in 0..200_000_u32 {
                statsd.incr_by(&format!("counter.{}", number % 50), number % 7);
            }
        });
        let expected: i64 = (0..200_000).filter(|number| number % 50 == 3).map(|n| n % 7).sum();
        assert_eq!(super::total(&lines, "counter.3"), expected);
        assert_eq!(stats.dropped(), Tally::default());
        assert!(lines.len() < 2_000, "{}", lines.len());
        assert_balanced(&stats);
    }
}

//! Tests that each kind of metric and each optional field arrives as exactly the expected lines in
//! every dialect.

use super::{ALL, arrived, arrived_in, half_rate, timestamp, until_emitted};
use freewheel::{
    Cardinality, Connector, Counter, Dialect, Distribution, Gauge, Histogram, Meter, SampleRate,
    Set, Timing,
};
use std::time::Duration;

/// Feature of the client (a kind of metric or an optional field), with equivalent calls that emit
/// it and the expected lines.
struct Construct {
    name: &'static str,
    ways: Vec<fn(&Connector)>,
    /// Lines expected from a client feature in each dialect, in the order of the list [`ALL`] of
    /// dialects; empty if the dialect does not support the feature.
    lines: [&'static [&'static str]; 7],
}

fn constructs() -> Vec<Construct> {
    const NONE: &[&str] = &[];
    let everywhere = |line: &'static [&'static str]| [line; 7];
    vec![
        Construct {
            name: "counter",
            ways: vec![
                |s| s.incr("a"),
                |s| s.incr_by("a", 1),
                |s| s.decr_by("a", -1),
                |s| s.metric::<Counter>("a").incr(),
                |s| s.metric::<Counter>("a").incr_by(1_u8),
                |s| s.metric::<Counter>("a").build().incr(),
                |s| s.metric::<Counter>("a").build().decr_by(-1),
                |s| s.metric::<Counter>("a").try_build().unwrap().incr_by(1.0),
            ],
            lines: everywhere(&["a:1|c"]),
        },
        Construct {
            name: "decrement",
            ways: vec![|s| s.decr("a"), |s| s.metric::<Counter>("a").decr(), |s| {
                s.metric::<Counter>("a").build().decr()
            }],
            lines: everywhere(&["a:-1|c"]),
        },
        Construct {
            name: "gauge",
            ways: vec![|s| s.gauge("a", 2.5), |s| s.metric::<Gauge>("a").set(2.5), |s| {
                s.metric::<Gauge>("a").build().set(2.5)
            }],
            lines: everywhere(&["a:2.5|g"]),
        },
        Construct {
            name: "gauge below zero",
            ways: vec![|s| s.gauge("a", -5), |s| s.metric::<Gauge>("a").set(-5), |s| {
                s.metric::<Gauge>("a").build().set(-5)
            }],
            lines: {
                let mut lines = everywhere(&["a:0|g", "a:-5|g"]);
                lines[2] = &["a:-5|g"];
                lines
            },
        },
        Construct {
            name: "gauge change",
            ways: vec![|s| s.gauge_delta("a", 3), |s| s.metric::<Gauge>("a").change_by(3), |s| {
                s.metric::<Gauge>("a").build().change_by(3)
            }],
            lines: {
                let mut lines = everywhere(&["a:+3|g"]);
                lines[2] = NONE;
                lines
            },
        },
        Construct {
            name: "timing",
            ways: vec![
                |s| s.timing("a", Duration::from_micros(1500)),
                |s| s.timing_seconds("a", 0.0015),
                |s| s.metric::<Timing>("a").record(Duration::from_micros(1500)),
                |s| s.metric::<Timing>("a").record_seconds(0.0015),
                |s| s.metric::<Timing>("a").build().record(Duration::from_micros(1500)),
            ],
            lines: everywhere(&["a:1.5|ms"]),
        },
        Construct {
            name: "histogram",
            ways: vec![|s| s.histogram("a", 12), |s| s.metric::<Histogram>("a").record(12), |s| {
                s.metric::<Histogram>("a").build().record(12)
            }],
            lines: [NONE, &["a:12|h"], &["a:12|h"], NONE, &["a:12|h"], NONE, NONE],
        },
        Construct {
            name: "distribution",
            ways: vec![
                |s| s.distribution("a", 12),
                |s| s.metric::<Distribution>("a").record(12),
                |s| s.metric::<Distribution>("a").build().record(12),
            ],
            lines: [NONE, NONE, &["a:12|d"], NONE, NONE, NONE, NONE],
        },
        Construct {
            name: "set",
            ways: vec![|s| s.set("a", "Ann B."), |s| s.metric::<Set>("a").insert("Ann B."), |s| {
                s.metric::<Set>("a").build().insert("Ann B.")
            }],
            lines: everywhere(&["a:Ann B.|s"]),
        },
        Construct {
            name: "meter",
            ways: vec![|s| s.meter("a", 12), |s| s.metric::<Meter>("a").mark(12), |s| {
                s.metric::<Meter>("a").build().mark(12)
            }],
            lines: [NONE, &["a:12|m"], NONE, NONE, NONE, NONE, NONE],
        },
        Construct {
            name: "a tag",
            ways: vec![
                |s| s.metric::<Counter>("a").tag("k", "v").incr(),
                |s| s.metric::<Counter>("a").tag("k", "v").build().incr(),
                |s| s.with_tag("k", "v").incr("a"),
                |s| s.with_tag("k", "v").metric::<Counter>("a").build().incr_by(1),
            ],
            lines: [
                NONE,
                NONE,
                &["a:1|c|#k:v"],
                &["a;k=v:1|c"],
                &["a,k=v:1|c"],
                &["a#k=v:1|c"],
                &["a[k=v]:1|c"],
            ],
        },
        Construct {
            name: "two tags",
            ways: vec![
                |s| s.metric::<Counter>("a").tag("k", "v").tag("l", "w").incr(),
                |s| s.metric::<Counter>("a").tag("k", "v").tag("l", "w").build().incr(),
                |s| s.with_tag("k", "v").with_tag("l", "w").incr("a"),
                |s| s.with_tag("k", "v").metric::<Counter>("a").tag("l", "w").incr(),
                |s| s.with_tag("k", "v").metric::<Counter>("a").tag("l", "w").build().incr(),
            ],
            lines: [
                NONE,
                NONE,
                &["a:1|c|#k:v,l:w"],
                &["a;k=v;l=w:1|c"],
                &["a,k=v,l=w:1|c"],
                &["a#k=v,l=w:1|c"],
                &["a[k=v,l=w]:1|c"],
            ],
        },
        Construct {
            name: "a rate",
            ways: vec![
                |s| {
                    let counter = || s.metric::<Counter>("a").sample_rate(half_rate());
                    until_emitted(s, || counter().incr());
                },
                |s| {
                    let counter = || s.metric::<Counter>("a").sample_rate(half_rate());
                    until_emitted(s, || counter().build().incr());
                },
            ],
            lines: everywhere(&["a:1|c|@0.5"]),
        },
        Construct {
            name: "a rate of one",
            ways: vec![|s| {
                s.metric::<Counter>("a").sample_rate(SampleRate::new(1.0).unwrap()).incr()
            }],
            lines: everywhere(&["a:1|c"]),
        },
        Construct {
            name: "a rate and a tag",
            ways: vec![
                |s| {
                    let timing = || s.metric::<Timing>("a").tag("k", "v").sample_rate(half_rate());
                    until_emitted(s, || timing().record_seconds(0.5));
                },
                |s| {
                    let timing = || s.metric::<Timing>("a").sample_rate(half_rate()).tag("k", "v");
                    until_emitted(s, || timing().build().record(Duration::from_millis(500)));
                },
            ],
            lines: [
                NONE,
                NONE,
                &["a:500|ms|@0.5|#k:v"],
                &["a;k=v:500|ms|@0.5"],
                &["a,k=v:500|ms|@0.5"],
                &["a#k=v:500|ms|@0.5"],
                &["a[k=v]:500|ms|@0.5"],
            ],
        },
        Construct {
            name: "a gauge below zero with a tag",
            ways: vec![
                |s| s.metric::<Gauge>("a").tag("k", "v").set(-0.5),
                |s| s.metric::<Gauge>("a").tag("k", "v").build().set(-0.5),
                |s| s.with_tag("k", "v").gauge("a", -0.5),
            ],
            lines: [
                NONE,
                NONE,
                &["a:-0.5|g|#k:v"],
                &["a;k=v:0|g", "a;k=v:-0.5|g"],
                &["a,k=v:0|g", "a,k=v:-0.5|g"],
                &["a#k=v:0|g", "a#k=v:-0.5|g"],
                &["a[k=v]:0|g", "a[k=v]:-0.5|g"],
            ],
        },
        Construct {
            name: "a timestamp",
            ways: vec![
                |s| s.metric::<Counter>("a").tag("k", "v").timestamp(timestamp()).incr(),
                |s| s.metric::<Counter>("a").tag("k", "v").timestamp(timestamp()).build().incr(),
                |s| {
                    s.metric::<Counter>("a")
                        .tag("k", "v")
                        .timestamp(timestamp())
                        .sample_rate(half_rate())
                        .incr()
                },
            ],
            lines: [NONE, NONE, &["a:1|c|#k:v|T1656581400"], NONE, NONE, NONE, NONE],
        },
        Construct {
            name: "a cardinality",
            ways: vec![|s| s.metric::<Set>("a").cardinality(Cardinality::Low).insert("x"), |s| {
                s.metric::<Set>("a").cardinality(Cardinality::Low).build().insert("x")
            }],
            lines: [NONE, NONE, &["a:x|s|card:low"], NONE, NONE, NONE, NONE],
        },
        Construct {
            name: "a prefix",
            ways: vec![
                |s| s.scoped("db").incr("a"),
                |s| s.scoped(".db.").metric::<Counter>("a").build().incr(),
                |s| s.incr("db.a"),
            ],
            lines: everywhere(&["db.a:1|c"]),
        },
        Construct {
            name: "an injected line",
            ways: vec![|s| s.with_tag("k", "v").inject_metric("a;x=y", "1", "c|@0.5|#z")],
            lines: everywhere(&["a;x=y:1|c|@0.5|#z"]),
        },
    ]
}

#[test]
fn every_construct_in_every_dialect() {
    for construct in constructs() {
        for (dialect, expected) in ALL.into_iter().zip(construct.lines) {
            for (number, way) in construct.ways.iter().enumerate() {
                let (lines, stats) = arrived_in(dialect, way);
                let context = format!("{}, {dialect:?}, way {number}", construct.name);
                assert_eq!(lines, expected, "{context}");
                let unsupported = u64::from(expected.is_empty());
                assert_eq!(stats.drops.unsupported.lines, unsupported, "{context}");
                assert_eq!(stats.emitted.lines, expected.len() as u64 + unsupported, "{context}");
                assert_eq!(stats.altered, 0, "{context}");
            }
        }
    }
}

#[test]
fn type_prefixes_are_the_default_without_tags() {
    let emit = |statsd: &Connector| {
        let statsd = statsd.scoped("db");
        statsd.incr("a");
        statsd.set("a", "x");
        statsd.metric::<Gauge>("a").set(1);
        statsd.metric::<Timing>("a").build().record(Duration::from_millis(1));
        statsd.histogram("a", 1);
        statsd.meter("a", 1);
    };
    let extended = arrived(|builder| builder.prefix("app").dialect(Dialect::Extended), emit).0;
    let expected = [
        "app.counters.db.a:1|c",
        "app.sets.db.a:x|s",
        "app.timers.db.a:1|ms",
        "app.histograms.db.a:1|h",
        "app.meters.db.a:1|m",
        // Gauges are in a separate queue.
        "app.gauges.db.a:1|g",
    ];
    assert_eq!(extended, expected);
    let dogstatsd = arrived(|builder| builder.prefix("app").dialect(Dialect::DogStatsD), emit).0;
    let expected =
        ["app.db.a:1|c", "app.db.a:x|s", "app.db.a:1|ms", "app.db.a:1|h", "app.db.a:1|g"];
    assert_eq!(dogstatsd, expected);
}

#[test]
fn a_prepared_metric_keeps_the_flusher_and_can_be_sent() {
    fn is_static<T: Send + Sync + Clone + 'static>(_: &T) {}
    let (lines, _) = arrived_in(Dialect::StatsD, |statsd| {
        let hits = statsd.clone().metric::<Counter>(&String::from("hits")).build();
        is_static(&hits);
        let clone = hits.clone();
        std::thread::spawn(move || clone.incr()).join().unwrap();
        drop(hits);
        let timing = statsd.metric::<Timing>("t").build();
        timing.start().discard();
        assert!(format!("{timing:?}").contains("t:1|ms"));
    });
    assert_eq!(lines, ["hits:1|c"]);

    let receiver = crate::support::UdpReceiver::start();
    let hits = crate::support::started(crate::support::udp(receiver.port()))
        .metric::<Counter>("hits")
        .build();
    hits.incr();
    assert_eq!(receiver.lines(1), ["hits:1|c"]);
}

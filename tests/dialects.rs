//! Every construct in every dialect, byte for byte as it arrives; and what a dialect has no word
//! for, counted and not sent.

#![allow(clippy::unwrap_used)]

mod support;

use freewheel::{
    Builder, Cardinality, Connector, Counter, Dialect, Distribution, DogStatsDVersion, Gauge,
    Histogram, Meter, MetricError, Protocol, SampleRate, Set, Stats, Timing,
};
use std::net::UdpSocket;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{assert_balanced, flush, started};

/// The datagrams that arrive of what `emit` emits, and the account.
fn datagrams(
    configure: impl FnOnce(Builder) -> Builder,
    emit: impl FnOnce(&Connector),
) -> (Vec<String>, Stats) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = receiver.local_addr().unwrap().port();
    let builder = Connector::builder("127.0.0.1").port(port).protocol(Protocol::Udp);
    let statsd = started(configure(builder.flush_interval(Duration::from_secs(60))));
    emit(&statsd);
    flush(&statsd);
    receiver.set_nonblocking(true).unwrap();
    let mut space = [0; 65_536];
    let mut datagrams = Vec::new();
    // Over loopback what is sent is there.
    while let Ok(length) = receiver.recv(&mut space) {
        datagrams.push(String::from_utf8(space[..length].to_vec()).unwrap());
    }
    let stats = statsd.stats();
    assert_balanced(&stats);
    assert_eq!(stats.buffered.lines, 0);
    (datagrams, stats)
}

fn arrived(
    configure: impl FnOnce(Builder) -> Builder,
    emit: impl FnOnce(&Connector),
) -> (Vec<String>, Stats) {
    let (datagrams, stats) = datagrams(configure, emit);
    let lines: Vec<String> = datagrams.iter().flat_map(|d| d.lines()).map(str::to_owned).collect();
    assert_eq!(lines.len() as u64, stats.sent.lines);
    assert_eq!(lines.iter().map(|line| line.len() as u64 + 1).sum::<u64>(), stats.sent.bytes);
    (lines, stats)
}

/// What arrives in this dialect, with nothing before the names.
fn spoken(dialect: Dialect, emit: impl FnOnce(&Connector)) -> (Vec<String>, Stats) {
    arrived(|builder| builder.dialect(dialect).type_prefixes(false), emit)
}

const ALL: [Dialect; 7] = [
    Dialect::StatsD,
    Dialect::Extended,
    Dialect::DogStatsD,
    Dialect::Graphite,
    Dialect::Influx,
    Dialect::Librato,
    Dialect::SignalFx,
];

fn second() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_656_581_400)
}

/// Drawn nearly always: what it does to the line is seen, and nothing is missing.
fn nearly() -> SampleRate {
    SampleRate::new(0.999_999_999_999_999_9).unwrap()
}

/// A construct: how it is emitted by name, by a metric at once, and by a prepared one; and its lines.
struct Construct {
    name: &'static str,
    ways: Vec<fn(&Connector)>,
    /// In the order of [`ALL`]; nothing where it is unsupported.
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
                |s| s.counter("a").incr(),
                |s| s.counter("a").incr_by(1_u8),
                |s| s.counter("a").build().incr(),
                |s| s.counter("a").build().decr_by(-1),
                |s| s.counter("a").try_build().unwrap().incr_by(1.0),
            ],
            lines: everywhere(&["a:1|c"]),
        },
        Construct {
            name: "counted down",
            ways: vec![|s| s.decr("a"), |s| s.counter("a").decr(), |s| {
                s.counter("a").build().decr()
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
                |s| s.counter("a").tag("k", "v").incr(),
                |s| s.counter("a").tag("k", "v").build().incr(),
                |s| s.with_tag("k", "v").incr("a"),
                |s| s.with_tag("k", "v").counter("a").build().incr_by(1),
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
                |s| s.counter("a").tag("k", "v").tag("l", "w").incr(),
                |s| s.counter("a").tag("k", "v").tag("l", "w").build().incr(),
                |s| s.with_tag("k", "v").with_tag("l", "w").incr("a"),
                |s| s.with_tag("k", "v").counter("a").tag("l", "w").incr(),
                |s| s.with_tag("k", "v").counter("a").tag("l", "w").build().incr(),
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
            ways: vec![|s| s.counter("a").sample_rate(nearly()).incr(), |s| {
                s.counter("a").sample_rate(nearly()).build().incr()
            }],
            lines: everywhere(&["a:1|c|@0.9999999999999999"]),
        },
        Construct {
            name: "the rate of all",
            ways: vec![|s| s.counter("a").sample_rate(SampleRate::new(1.0).unwrap()).incr()],
            lines: everywhere(&["a:1|c"]),
        },
        Construct {
            name: "a rate and a tag",
            ways: vec![
                |s| s.metric::<Timing>("a").tag("k", "v").sample_rate(nearly()).record_seconds(0.5),
                |s| {
                    let timing = s.metric::<Timing>("a").sample_rate(nearly()).tag("k", "v");
                    timing.build().record(Duration::from_millis(500));
                },
            ],
            lines: [
                NONE,
                NONE,
                &["a:500|ms|@0.9999999999999999|#k:v"],
                &["a;k=v:500|ms|@0.9999999999999999"],
                &["a,k=v:500|ms|@0.9999999999999999"],
                &["a#k=v:500|ms|@0.9999999999999999"],
                &["a[k=v]:500|ms|@0.9999999999999999"],
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
                |s| s.counter("a").tag("k", "v").timestamp(second()).incr(),
                |s| s.counter("a").tag("k", "v").timestamp(second()).build().incr(),
                |s| s.counter("a").tag("k", "v").timestamp(second()).sample_rate(nearly()).incr(),
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
                |s| s.scoped(".db.").counter("a").build().incr(),
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
                let (lines, stats) = spoken(dialect, way);
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
fn types_stand_before_names_where_there_are_no_tags() {
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
        "app.gauges.db.a:1|g",
        "app.timers.db.a:1|ms",
        "app.histograms.db.a:1|h",
        "app.meters.db.a:1|m",
    ];
    assert_eq!(extended, expected);
    let dogstatsd = arrived(|builder| builder.prefix("app").dialect(Dialect::DogStatsD), emit).0;
    let expected =
        ["app.db.a:1|c", "app.db.a:x|s", "app.db.a:1|g", "app.db.a:1|ms", "app.db.a:1|h"];
    assert_eq!(dogstatsd, expected);
}

#[test]
fn all_fields_of_dogstatsd_in_their_places() {
    let configure = |builder: Builder| {
        let builder = builder.dialect(Dialect::DogStatsD).tag("env", "prod").tag("url", "a:b");
        let builder = builder.container_id("ci-abc").external_data("it-false,cn-web,pu-1");
        builder.cardinality(Cardinality::High)
    };
    let (lines, _) = arrived(configure, |statsd| {
        statsd.incr("a");
        let metric = || statsd.counter("a").tag("k", "v").sample_rate(nearly());
        metric().cardinality(Cardinality::None).incr_by(2);
        metric().cardinality(Cardinality::None).build().incr_by(2);
        statsd.with_tag("k", "v").metric::<Gauge>("a").timestamp(second()).set(3);
        statsd.inject_metric("a", "1", "c");
    });
    let own =
        "a:2|c|@0.9999999999999999|#env:prod,url:a:b,k:v|card:none|c:ci-abc|e:it-false,cn-web,pu-1";
    let expected = [
        "a:1|c|#env:prod,url:a:b|c:ci-abc|e:it-false,cn-web,pu-1|card:high",
        own,
        own,
        "a:3|g|#env:prod,url:a:b,k:v|T1656581400|c:ci-abc|e:it-false,cn-web,pu-1|card:high",
        "a:1|c",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn an_older_server_is_not_asked_for_more_than_it_reads() {
    let metric = |version, emit: fn(&Connector)| {
        let builder =
            |builder: Builder| builder.dialect(Dialect::DogStatsD).dogstatsd_version(version);
        let (lines, stats) = arrived(builder, emit);
        assert_eq!(lines.len() as u64 + stats.drops.unsupported.lines, 1);
        lines.len() == 1
    };
    let timestamp: fn(&Connector) = |statsd| statsd.counter("a").timestamp(second()).incr();
    assert!(!metric(DogStatsDVersion::V1_2, timestamp));
    assert!(metric(DogStatsDVersion::V1_3, timestamp));
    let cardinality: fn(&Connector) =
        |s| s.counter("a").cardinality(Cardinality::Low).build().incr();
    assert!(!metric(DogStatsDVersion::V1_5, cardinality));
    assert!(metric(DogStatsDVersion::V1_6, cardinality));

    let refused = |configure: fn(Builder) -> Builder, before, since| {
        let builder = |version| {
            let builder = Connector::builder("127.0.0.1").protocol(Protocol::Udp);
            configure(builder.dialect(Dialect::DogStatsD)).dogstatsd_version(version)
        };
        let setting = builder(before).build().unwrap_err().setting().to_owned();
        builder(since).build().unwrap();
        let elsewhere = builder(since).dialect(Dialect::Graphite).build().unwrap_err();
        assert_eq!(elsewhere.setting(), setting);
        setting
    };
    use DogStatsDVersion::{V1_0, V1_1, V1_2, V1_3, V1_4, V1_5, V1_6};
    assert_eq!(refused(|b| b.pack_values(true), V1_0, V1_1), "pack_values");
    assert_eq!(refused(|b| b.container_id("abc"), V1_1, V1_2), "container_id");
    assert_eq!(refused(|b| b.container_id("in-123"), V1_3, V1_4), "container_id");
    assert_eq!(refused(|b| b.external_data("it-true"), V1_4, V1_5), "external_data");
    assert_eq!(refused(|b| b.cardinality(Cardinality::Low), V1_5, V1_6), "cardinality");
}

#[test]
fn settings_that_would_forge_fields_are_refused() {
    let dogstatsd = || Connector::builder("127.0.0.1").dialect(Dialect::DogStatsD);
    let setting = |builder: Builder| builder.build().unwrap_err().setting();
    for text in ["", "a|b", "a\nb"] {
        assert_eq!(setting(dogstatsd().container_id(text)), "container_id");
        assert_eq!(setting(dogstatsd().external_data(text)), "external_data");
        assert_eq!(setting(dogstatsd().tag(text, "v")), "tag");
        assert_eq!(setting(dogstatsd().tag("k", text)), "tag");
    }
    assert_eq!(setting(dogstatsd().tag("k", "a,b")), "tag");
    assert_eq!(setting(dogstatsd().tag("k:l", "a")), "tag");
    assert_eq!(setting(dogstatsd().prefix("_sc")), "prefix");
    assert_eq!(setting(dogstatsd().prefix("_e{1,1}")), "prefix");
    assert_eq!(setting(dogstatsd().sample("", nearly())), "sample");
    assert_eq!(setting(dogstatsd().pack_values(true)), "pack_values", "over TCP");
    assert_eq!(setting(Connector::builder("127.0.0.1").tag("k", "v")), "tag");
    let graphite = Connector::builder("127.0.0.1").dialect(Dialect::Graphite);
    assert_eq!(setting(graphite.prefix("a;b=c")), "prefix");
}

#[test]
fn what_is_forbidden_becomes_an_underscore() {
    let emit = |statsd: &Connector| {
        let (name, key, value) = ("n:1|c\nm;x,y", "k:1|l,=", "v|#a:b,c;d=e\u{85}é");
        statsd.counter(name).tag(key, value).incr();
        statsd.counter(name).tag(key, value).build().incr();
        statsd.with_tag(key, value).incr(name);
        statsd.metric::<Set>("s").insert("a:b|c\nd");
        statsd.metric::<Set>("s").build().insert("a:b|c\nd");
        statsd.set("s", "");
        statsd.counter("n").tag("", "").build().incr();
        statsd.counter("n").tag("", "").incr();
    };
    let all = |line: &str, empty: &str| {
        let sets = ["s:a_b_c_d|s"; 2].into_iter().chain(["s:_|s"]);
        let lines = [line; 3].into_iter().chain(sets).chain([empty; 2]);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for (dialect, line, empty) in [
        (Dialect::DogStatsD, "n_1_c_m;x,y:1|c|#k_1_l_=:v_#a:b_c;d=e_é", "n:1|c|#_:_"),
        (Dialect::Graphite, "n_1_c_m_x_y;k_1_l__=v__a_b_c_d_e__:1|c", "n;_=_:1|c"),
        (Dialect::Influx, "n_1_c_m_x_y,k_1_l__=v__a_b_c_d_e_é:1|c", "n,_=_:1|c"),
        (Dialect::Librato, "n_1_c_m_x_y#k_1_l__=v__a_b_c_d_e_é:1|c", "n#_=_:1|c"),
        (Dialect::SignalFx, "n_1_c_m_x_y[k_1_l__=v__a_b_c_d_e_é]:1|c", "n[_=_]:1|c"),
    ] {
        let (lines, stats) = spoken(dialect, emit);
        assert_eq!(lines, all(line, empty), "{dialect:?}");
        assert_eq!(stats.altered, lines.len() as u64, "{dialect:?}");
    }
    let (lines, stats) = spoken(Dialect::StatsD, |statsd| {
        statsd.counter("a:b|c\nd@#,;=").incr();
        statsd.counter("a:b|c\nd@#,;=").build().incr();
        statsd.scoped("a:b").counter("c").incr();
        statsd.scoped("a:b").incr("c");
        statsd.scoped("a:b").counter("c").build().incr();
        statsd.set("s", "a:b|c\nd@#");
        statsd.metric::<Set>("s").build().insert("@");
        statsd.scoped("a:b").inject_metric("c", "1", "c");
    });
    let scoped = "a_b.c:1|c";
    assert_eq!(
        lines,
        [
            "a_b_c_d@#,;=:1|c",
            "a_b_c_d@#,;=:1|c",
            scoped,
            scoped,
            scoped,
            "s:a_b_c_d__|s",
            "s:_|s",
            scoped
        ]
    );
    assert_eq!(stats.altered, 8);
    // No tag is on an injected line, so none was altered.
    let tagged = |statsd: &Connector| statsd.with_tag("a,b", "c").inject_metric("d", "1", "c");
    let (lines, stats) = spoken(Dialect::DogStatsD, tagged);
    assert_eq!((lines, stats.altered), (vec!["d:1|c".to_owned()], 0));
}

/// The Agent takes a line that begins with `_e{` for an event, and with `_sc` for a service
/// check.
#[test]
fn no_metric_is_taken_for_an_event() {
    let (lines, stats) = spoken(Dialect::DogStatsD, |statsd| {
        for name in ["_sc", "_scan", ":sc|x", "_e{5,4}", "|e{1,1}", "__sc", "_e", "sc", "a_sc"] {
            statsd.incr(name);
            statsd.counter(name).tag("k", "v").build().incr();
        }
        statsd.scoped("_sc").incr("a");
        statsd.scoped("a").incr("_sc");
    });
    let names = ["sc", "scan", "sc_x", "e{5,4}", "e{1,1}", "__sc", "_e", "sc", "a_sc"];
    let twice = names.iter().flat_map(|name| [format!("{name}:1|c"), format!("{name}:1|c|#k:v")]);
    let scoped = ["sc.a:1|c", "a._sc:1|c"].map(str::to_owned);
    assert_eq!(lines, twice.chain(scoped).collect::<Vec<_>>());
    assert_eq!(stats.altered, 11);
}

#[test]
fn what_is_no_line_is_dropped_and_counted() {
    let (lines, stats) = spoken(Dialect::DogStatsD, |statsd| {
        let long = "v".repeat(20_000);
        statsd.counter("").incr();
        statsd.counter("").build().incr();
        statsd.counter("a").timestamp(UNIX_EPOCH).incr();
        statsd.counter("a").timestamp(UNIX_EPOCH).build().incr();
        statsd.metric::<Gauge>("a").set(f64::NAN);
        statsd.metric::<Gauge>("a").build().set(f64::NAN);
        statsd.metric::<Timing>("a").build().record_seconds(-1.0);
        statsd.set("", "x");
        statsd.counter("a").tag("k", &long).incr();
        statsd.counter("a").tag("k", &long).build().incr();
        statsd.set("a", &long);
    });
    assert_eq!(lines, [""; 0]);
    assert_eq!(stats.drops.invalid.lines, 8);
    assert_eq!(stats.drops.oversize.lines, 3);
}

#[test]
fn who_asks_is_told_what_cannot_be() {
    let statsd = |dialect| Connector::builder("127.0.0.1").dialect(dialect).build().unwrap();
    let (plain, dogstatsd) = (&statsd(Dialect::StatsD), &statsd(Dialect::DogStatsD));
    let refused = |result: Result<Counter, MetricError>| result.unwrap_err();
    assert_eq!(plain.metric::<Meter>("a").try_build().unwrap_err(), MetricError::Kind);
    assert_eq!(refused(plain.counter("a").tag("k", "v").try_build()), MetricError::Tags);
    assert_eq!(refused(plain.with_tag("k", "v").counter("a").try_build()), MetricError::Tags);
    assert_eq!(
        refused(plain.counter("a").timestamp(second()).try_build()),
        MetricError::Timestamps
    );
    let cardinality = plain.counter("a").cardinality(Cardinality::Low);
    assert_eq!(refused(cardinality.try_build()), MetricError::Cardinality);
    assert_eq!(refused(plain.counter("").try_build()), MetricError::EmptyName);
    assert_eq!(refused(plain.counter("a:b").try_build()), MetricError::Unclean);
    assert_eq!(refused(dogstatsd.counter("a").tag("k", "a,b").try_build()), MetricError::Unclean);
    assert_eq!(refused(dogstatsd.counter("_sc").try_build()), MetricError::Unclean);
    assert_eq!(refused(dogstatsd.with_tag("", "v").counter("a").try_build()), MetricError::Unclean);
    let before = dogstatsd.counter("a").timestamp(UNIX_EPOCH);
    assert_eq!(refused(before.try_build()), MetricError::Timestamp);
    Connector::disabled().counter("").tag("k", "v").try_build().unwrap().incr();
}

/// Drawn by a known generator: the bounds are six standard deviations away.
#[test]
fn lines_are_sampled_at_their_rate() {
    const CALLS: u64 = 100_000;
    fastrand::seed(7);
    let statsd = |builder: Builder| builder.queue_capacity(64 << 20).build().unwrap();
    let rate = |rate| SampleRate::new(rate).unwrap();
    for chance in [0.001, 0.1, 0.5, 0.9] {
        let plain = statsd(Connector::builder("127.0.0.1").sample("http.*", rate(chance)));
        let hits = plain.counter("hits").sample_rate(rate(chance)).build();
        let by_pattern = plain.counter("http.hits").build();
        let scoped = plain.scoped("http");
        let ways: [&dyn Fn(); 6] = [
            &|| hits.incr(),
            &|| by_pattern.incr_by(2),
            &|| plain.counter("hits").sample_rate(rate(chance)).incr(),
            &|| plain.incr("http.hits"),
            &|| plain.timing("http.time", Duration::from_millis(1)),
            &|| scoped.incr("hits"),
        ];
        for (number, way) in ways.iter().enumerate() {
            let before = plain.stats().emitted.lines;
            (0..CALLS).for_each(|_| way());
            let drawn = (plain.stats().emitted.lines - before) as f64;
            let mean = CALLS as f64 * chance;
            let deviation = (mean * (1.0 - chance)).sqrt();
            assert!((drawn - mean).abs() < 6.0 * deviation, "{drawn} of {mean}, way {number}");
        }
        assert_eq!(plain.stats().dropped().lines, 0);
    }
}

#[test]
fn patterns_are_of_the_calls_names_and_the_call_has_the_last_word() {
    let configure = |builder: Builder| {
        let never = SampleRate::new(1e-18).unwrap();
        let builder = builder.type_prefixes(false).prefix("app").sample("a.all", nearly());
        builder.sample("a.*", never).sample("*.z", never)
    };
    let (lines, stats) = arrived(configure, |statsd| {
        statsd.incr("a.b");
        statsd.incr("a.all");
        statsd.incr("app.a.b");
        statsd.scoped("a").incr("b");
        statsd.counter("a.b").build().incr();
        statsd.counter("a.b").sample_rate(nearly()).incr();
        statsd.counter("a.b").sample_rate(nearly()).build().incr();
        // What is not sampled.
        statsd.gauge("a.b", -1);
        statsd.set("x.z", "m");
        statsd.metric::<Set>("a.b").build().insert("m");
        statsd.timing("x.z", Duration::ZERO);
    });
    let rate = "@0.9999999999999999";
    let expected = [
        &*format!("app.a.all:1|c|{rate}"),
        "app.app.a.b:1|c",
        &format!("app.a.b:1|c|{rate}"),
        &format!("app.a.b:1|c|{rate}"),
        "app.a.b:0|g",
        "app.a.b:-1|g",
        "app.x.z:m|s",
        "app.a.b:m|s",
    ];
    assert_eq!(lines, expected);
    assert_eq!(stats.emitted.lines, 8);
}

#[test]
fn values_are_packed_where_asked_for() {
    let configure = |builder: Builder| builder.dialect(Dialect::DogStatsD).pack_values(true);
    let (datagrams, stats) = datagrams(configure, |statsd| {
        let size = statsd.metric::<Distribution>("size").tag("k", "v").build();
        (1..=3).for_each(|value| size.record(value));
        statsd.set("s", "x");
        statsd.set("s", "x");
        statsd.incr("c");
        statsd.incr("c");
    });
    assert_eq!(datagrams, ["size:1:2:3|d|#k:v\ns:x|s\ns:x|s\nc:1:1|c\n"]);
    assert_eq!(stats.sent.lines, 7);
}

#[test]
fn a_prepared_metric_keeps_the_flusher_and_can_be_sent() {
    fn is_static<T: Send + Sync + Clone + 'static>(_: &T) {}
    let (lines, _) = spoken(Dialect::StatsD, |statsd| {
        let hits = statsd.clone().counter(&String::from("hits")).build();
        is_static(&hits);
        let clone = hits.clone();
        std::thread::spawn(move || clone.incr()).join().unwrap();
        drop(hits);
        let timing = statsd.metric::<Timing>("t").build();
        timing.start().discard();
        assert!(format!("{timing:?}").contains("t:1|ms"));
    });
    assert_eq!(lines, ["hits:1|c"]);

    let receiver = support::UdpReceiver::start();
    let hits = started(support::udp(receiver.port())).counter("hits").build();
    hits.incr();
    assert_eq!(receiver.lines(1), ["hits:1|c"]);
}

#[test]
fn events_and_service_checks_have_the_connectors_tags_in_dogstatsd_alone() {
    use freewheel::dogstatsd::{Event, ServiceCheck, Status};
    let emit = |statsd: &Connector| {
        let statsd = statsd.scoped("ignored").with_tag("k", "v");
        statsd.event(&Event::new("title", "text"));
        statsd.service_check(&ServiceCheck::new("db", Status::Ok));
    };
    let configure = |builder: Builder| {
        builder.dialect(Dialect::DogStatsD).tag("env", "prod").container_id("ci-1")
    };
    let expected = ["_e{5,4}:title|text|#env:prod,k:v|c:ci-1", "_sc|db|0|#env:prod,k:v|c:ci-1"];
    assert_eq!(arrived(configure, emit).0, expected);
    let (lines, stats) = spoken(Dialect::Influx, emit);
    assert_eq!((lines.len(), stats.drops.unsupported.lines), (0, 2));
}

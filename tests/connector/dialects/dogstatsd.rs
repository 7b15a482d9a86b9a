//! Tests of features of DogStatsD only: fields that need a protocol version, packed values, events
//! and service checks.

use super::{arrived, arrived_in, datagrams, half_rate, timestamp, until_emitted};
use freewheel::{
    Builder, Cardinality, Connector, Counter, Dialect, Distribution, DogStatsDVersion, Gauge,
    Protocol,
};

#[test]
fn all_fields_of_dogstatsd_in_their_places() {
    let configure = |builder: Builder| {
        let builder = builder.dialect(Dialect::DogStatsD).tag("env", "prod").tag("url", "a:b");
        let builder = builder.container_id("ci-abc").external_data("it-false,cn-web,pu-1");
        builder.cardinality(Cardinality::High)
    };
    let (lines, _) = arrived(configure, |statsd| {
        statsd.incr("a");
        let metric = || statsd.metric::<Counter>("a").tag("k", "v").sample_rate(half_rate());
        until_emitted(statsd, || metric().cardinality(Cardinality::None).incr_by(2));
        until_emitted(statsd, || metric().cardinality(Cardinality::None).build().incr_by(2));
        statsd.with_tag("k", "v").metric::<Gauge>("a").timestamp(timestamp()).set(3);
        statsd.inject_metric("a", "1", "c");
    });
    let own = "a:2|c|@0.5|#env:prod,url:a:b,k:v|card:none|c:ci-abc|e:it-false,cn-web,pu-1";
    let expected = [
        "a:1|c|#env:prod,url:a:b|c:ci-abc|e:it-false,cn-web,pu-1|card:high",
        own,
        own,
        "a:1|c",
        "a:3|g|#env:prod,url:a:b,k:v|T1656581400|c:ci-abc|e:it-false,cn-web,pu-1|card:high",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn an_older_server_is_not_asked_for_more_than_it_reads() {
    let is_sent = |version, emit: fn(&Connector)| {
        let builder =
            |builder: Builder| builder.dialect(Dialect::DogStatsD).dogstatsd_version(version);
        let (lines, stats) = arrived(builder, emit);
        assert_eq!(lines.len() as u64 + stats.drops.unsupported.lines, 1);
        lines.len() == 1
    };
    let timestamp: fn(&Connector) =
        |statsd| statsd.metric::<Counter>("a").timestamp(timestamp()).incr();
    assert!(!is_sent(DogStatsDVersion::V1_2, timestamp));
    assert!(is_sent(DogStatsDVersion::V1_3, timestamp));
    let cardinality: fn(&Connector) =
        |s| s.metric::<Counter>("a").cardinality(Cardinality::Low).build().incr();
    assert!(!is_sent(DogStatsDVersion::V1_5, cardinality));
    assert!(is_sent(DogStatsDVersion::V1_6, cardinality));

    // Returns the setting that is refused before this version, and in another dialect.
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

/// No metric's line begins with `_e{` or `_sc`, because the Datadog Agent would read the line as an
/// event or a service check.
#[test]
fn no_metric_is_taken_for_an_event() {
    let (lines, stats) = arrived_in(Dialect::DogStatsD, |statsd| {
        for name in ["_sc", "_scan", ":sc|x", "_e{5,4}", "|e{1,1}", "__sc", "_e", "sc", "a_sc"] {
            statsd.incr(name);
            statsd.metric::<Counter>(name).tag("k", "v").build().incr();
        }
        statsd.scoped("_sc").incr("a");
        statsd.scoped("a").incr("_sc");
        for path in ["_e{1,1}", "\n_sc", "|sc", "sc"] {
            statsd.inject_metric(path, "a", "b");
        }
        statsd.scoped("a").inject_metric("_sc", "a", "b");
    });
    let names = ["sc", "scan", "sc_x", "e{5_4}", "e{1_1}", "__sc", "_e", "sc", "a_sc"];
    let twice = names.iter().flat_map(|name| [format!("{name}:1|c"), format!("{name}:1|c|#k:v")]);
    let scoped = ["sc.a:1|c", "a._sc:1|c"].map(str::to_owned);
    let injected = ["e{1,1}:a|b", "__sc:a|b", "sc:a|b", "sc:a|b", "a._sc:a|b"].map(str::to_owned);
    assert_eq!(lines, twice.chain(scoped).chain(injected).collect::<Vec<_>>());
    assert_eq!(stats.altered, 14);
}

/// A scope's prefix `_sc` is altered only on lines that begin with it. With type prefixes, only an
/// injected line begins with it.
#[test]
fn prefix_after_a_type_prefix_is_not_altered() {
    let configure = |builder: Builder| builder.dialect(Dialect::DogStatsD).type_prefixes(true);
    let (datagrams, stats) = datagrams(configure, |statsd| {
        let scoped = statsd.scoped("_sc");
        scoped.incr("a");
        assert!(scoped.metric::<Counter>("a").try_build().is_ok());
        scoped.inject_metric("a", "b", "c");
    });
    assert_eq!(datagrams, ["counters._sc.a:1|c\nsc.a:b|c\n"]);
    assert_eq!(stats.altered, 1);
}

#[test]
fn values_are_packed_if_enabled() {
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
fn events_and_checks_carry_connector_tags_in_dogstatsd_only() {
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
    let (lines, stats) = arrived_in(Dialect::Influx, emit);
    assert_eq!((lines.len(), stats.drops.unsupported.lines), (0, 2));
}

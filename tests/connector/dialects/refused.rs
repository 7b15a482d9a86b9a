//! Tests of refused input: invalid settings, dropped lines, and errors of `try_build`.

use super::{arrived_in, half_rate, timestamp};
use freewheel::{
    Builder, Cardinality, Connector, Counter, Dialect, Gauge, Meter, MetricError, Protocol, Timing,
};
use std::time::UNIX_EPOCH;

#[test]
fn field_forging_settings_are_refused() {
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
    assert_eq!(setting(dogstatsd().sample("", half_rate())), "sample");
    let over_tcp = dogstatsd().protocol(Protocol::Tcp);
    assert_eq!(setting(over_tcp.pack_values(true)), "pack_values");
    assert_eq!(setting(Connector::builder("127.0.0.1").tag("k", "v")), "tag");
    let graphite = Connector::builder("127.0.0.1").dialect(Dialect::Graphite);
    assert_eq!(setting(graphite.prefix("a;b=c")), "prefix");
}

#[test]
fn invalid_lines_are_dropped_and_counted() {
    let (lines, stats) = arrived_in(Dialect::DogStatsD, |statsd| {
        let long = "v".repeat(20_000);
        statsd.metric::<Counter>("").incr();
        statsd.metric::<Counter>("").build().incr();
        statsd.metric::<Counter>("a").timestamp(UNIX_EPOCH).incr();
        statsd.metric::<Counter>("a").timestamp(UNIX_EPOCH).build().incr();
        statsd.metric::<Gauge>("a").set(f64::NAN);
        statsd.metric::<Gauge>("a").build().set(f64::NAN);
        statsd.metric::<Timing>("a").build().record_seconds(-1.0);
        statsd.set("", "x");
        statsd.metric::<Counter>("a").tag("k", &long).incr();
        statsd.metric::<Counter>("a").tag("k", &long).build().incr();
        statsd.set("a", &long);
    });
    assert_eq!(lines, [""; 0]);
    assert_eq!(stats.drops.invalid.lines, 8);
    assert_eq!(stats.drops.oversize.lines, 3);
}

#[test]
fn try_build_reports_unsupported_metrics() {
    let statsd = |dialect| Connector::builder("127.0.0.1").dialect(dialect).build().unwrap();
    let (plain, dogstatsd) = (&statsd(Dialect::StatsD), &statsd(Dialect::DogStatsD));
    let refused = |result: Result<Counter, MetricError>| result.unwrap_err();
    assert_eq!(plain.metric::<Meter>("a").try_build().unwrap_err(), MetricError::UnsupportedKind);
    assert_eq!(
        refused(plain.metric::<Counter>("a").tag("k", "v").try_build()),
        MetricError::UnsupportedTags
    );
    assert_eq!(
        refused(plain.with_tag("k", "v").metric::<Counter>("a").try_build()),
        MetricError::UnsupportedTags
    );
    assert_eq!(
        refused(plain.metric::<Counter>("a").timestamp(timestamp()).try_build()),
        MetricError::UnsupportedTimestamp
    );
    let cardinality = plain.metric::<Counter>("a").cardinality(Cardinality::Low);
    assert_eq!(refused(cardinality.try_build()), MetricError::UnsupportedCardinality);
    assert_eq!(refused(plain.metric::<Counter>("").try_build()), MetricError::EmptyName);
    assert_eq!(refused(plain.metric::<Counter>("a:b").try_build()), MetricError::ForbiddenText);
    assert_eq!(
        refused(dogstatsd.metric::<Counter>("a").tag("k", "a,b").try_build()),
        MetricError::ForbiddenText
    );
    assert_eq!(refused(dogstatsd.metric::<Counter>("_sc").try_build()), MetricError::ForbiddenText);
    assert_eq!(
        refused(dogstatsd.with_tag("", "v").metric::<Counter>("a").try_build()),
        MetricError::ForbiddenText
    );
    let before = dogstatsd.metric::<Counter>("a").timestamp(UNIX_EPOCH);
    assert_eq!(refused(before.try_build()), MetricError::InvalidTimestamp);
    Connector::disabled().metric::<Counter>("").tag("k", "v").try_build().unwrap().incr();
}

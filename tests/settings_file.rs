//! Tests of settings that serde deserializes from the text of a configuration file.

#![allow(clippy::unwrap_used)]

use freewheel::{
    Builder, Cardinality, Connector, Delivery, Dialect, DogStatsDVersion, Framing, Protocol,
    SampleRate, Settings, WhenFull,
};
use std::collections::BTreeMap;
use std::time::Duration;

fn read(text: &str) -> Result<Settings, serde_json::Error> {
    serde_json::from_str(text)
}

/// Parses settings from JSON, and resolves them in an empty environment. Returns `None` if the
/// settings disable the connector.
#[track_caller]
fn builder(text: &str) -> Option<Builder> {
    read(text).unwrap().builder_from(|_| None).unwrap()
}

#[track_caller]
fn assert_is(text: &str, expected: Builder) {
    assert_eq!(format!("{:?}", builder(text).unwrap()), format!("{expected:?}"));
}

#[test]
fn every_setting_can_be_read() {
    let text = r#"{
        "enabled": true, "host": "statsd.example", "port": 9125, "prefix": "app", "protocol": "tcp",
        "reconnect_timeout": 2, "wait_timeout": 0.05, "service": "shop", "environment": "production",
        "shutdown_timeout": 20, "type_prefixes": false, "queue_capacity": 65536,
        "max_datagram_payload": 512, "hold_when_refused": false, "delivery": "written",
        "framing": "length_prefixed", "when_full": "drop_oldest", "connect_timeout": 3,
        "peer_timeout": 4, "lookup_interval": 5, "stop_timeout": 6.5, "segmentation_offload": false,
        "dialect": "dogstatsd", "dogstatsd_version": "1.6", "tags": {"env": "prod", "az": "a"},
        "sample": [["http.*", 0.5], ["*", 0.25]], "pack_values": false, "container_id": "ci-1",
        "external_data": "it-false", "cardinality": "low", "never_wake": true, "prefault": 4,
        "block_size": 4096, "aggregate_interval": 2.5, "gauge_repeat": [10, 600],
        "coalesce": 500, "thread_name": "statsd"
    }"#;
    let expected = Connector::builder("statsd.example")
        .port(9125)
        .prefix("app")
        .protocol(Protocol::Tcp)
        .reconnect_sleep(Duration::from_secs(2))
        .flush_interval(Duration::from_millis(50))
        .type_prefixes(false)
        .queue_capacity(65536)
        .max_datagram_payload(512)
        .hold_when_refused(false)
        .delivery(Delivery::Written)
        .framing(Framing::LengthPrefixed)
        .when_full(WhenFull::DropOldest)
        .connect_timeout(Duration::from_secs(3))
        .peer_timeout(Duration::from_secs(4))
        .lookup_interval(Duration::from_secs(5))
        .stop_timeout(Duration::from_millis(6500))
        .segmentation_offload(false)
        .dialect(Dialect::DogStatsD)
        .dogstatsd_version(DogStatsDVersion::V1_6)
        .tag("az", "a")
        .tag("env", "prod")
        .sample("http.*", SampleRate::new(0.5).unwrap())
        .sample("*", SampleRate::new(0.25).unwrap())
        .pack_values(false)
        .container_id("ci-1")
        .external_data("it-false")
        .cardinality(Cardinality::Low)
        .low_latency(4)
        .block_size(4096)
        .aggregate_interval(Duration::from_millis(2500))
        .gauge_repeat(Duration::from_secs(10), Duration::from_secs(600))
        .coalesce(500)
        .thread_name("statsd");
    assert_is(text, expected);
    assert!(format!("{:?}", read(text).unwrap()).contains("shutdown_timeout: 20s"));
    // The error for an unknown name lists all settings.
    let refused = read(r#"{"": 1}"#).unwrap_err().to_string();
    let all: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    assert_eq!(refused.matches('`').count(), 2 * (all.len() + 1), "{refused}");
    for name in all.keys() {
        assert!(refused.contains(&format!("`{name}`")), "{name}: {refused}");
    }
}

#[test]
fn every_word_can_be_read() {
    let resolved = |setting: &str, word: &str| {
        let text = format!(
            r#"{{"host": "a", "prefix": "", "dialect": "dogstatsd", {setting:?}: {word:?}}}"#
        );
        builder(&text).unwrap()
    };
    let base = || Connector::builder("a").dialect(Dialect::DogStatsD);
    for (word, value) in [
        ("none", Cardinality::None),
        ("low", Cardinality::Low),
        ("orchestrator", Cardinality::Orchestrator),
        ("high", Cardinality::High),
    ] {
        let expected = base().cardinality(value);
        assert_eq!(format!("{:?}", resolved("cardinality", word)), format!("{expected:?}"));
    }
    for (minor, value) in [
        DogStatsDVersion::V1_0,
        DogStatsDVersion::V1_1,
        DogStatsDVersion::V1_2,
        DogStatsDVersion::V1_3,
        DogStatsDVersion::V1_4,
        DogStatsDVersion::V1_5,
        DogStatsDVersion::V1_6,
    ]
    .into_iter()
    .enumerate()
    {
        let read = resolved("dogstatsd_version", &format!("1.{minor}"));
        assert_eq!(format!("{read:?}"), format!("{:?}", base().dogstatsd_version(value)));
    }
    for (word, value) in [
        ("statsd", Dialect::StatsD),
        ("extended", Dialect::Extended),
        ("dogstatsd", Dialect::DogStatsD),
        ("graphite", Dialect::Graphite),
        ("influx", Dialect::Influx),
        ("librato", Dialect::Librato),
        ("signalfx", Dialect::SignalFx),
    ] {
        let text = format!(r#"{{"host": "a", "prefix": "", "dialect": {word:?}}}"#);
        assert_is(&text, Connector::builder("a").dialect(value));
    }
    let text = r#"{"host": "a", "prefix": "", "delivery": "acknowledged", "framing": "newlines",
        "when_full": "drop_newest"}"#;
    let framed = Connector::builder("a").framing(freewheel::Framing::Newlines);
    assert_is(text, framed);
}

#[test]
fn absent_settings_keep_their_defaults() {
    assert_eq!(format!("{:?}", read("{}").unwrap()), format!("{:?}", Settings::new()));
    let expected = Connector::builder("a").prefix("applications.b.c");
    assert_is(r#"{"host": "a", "service": "b", "environment": "c"}"#, expected);
    assert!(builder(r#"{"enabled": false, "port": 0}"#).is_none());
}

#[test]
fn null_prefix_is_an_explicit_none() {
    assert_is(r#"{"host": "a", "prefix": null}"#, Connector::builder("a"));
    assert_is(r#"{"host": "a", "prefix": ""}"#, Connector::builder("a"));
    assert!(read(r#"{"host": "a"}"#).unwrap().builder_from(|_| None).is_err());
}

#[test]
fn null_settings_keep_their_defaults() {
    let expected = Connector::builder("a").prefix("b");
    let text = r#"{"host": "a", "prefix": "b", "port": null, "wait_timeout": null, "tags": null,
        "sample": null, "dialect": null, "shutdown_timeout": null, "enabled": null}"#;
    assert_is(text, expected);
}

#[test]
fn type_error_names_setting_value_and_accepted_values() {
    for (text, expected) in [
        (r#"{"port": "x"}"#, r#"port: expected 1 to 65535: invalid type: string "x""#),
        (r#"{"port": 18446744073709551615}"#, "port: expected 1 to 65535: invalid value: integer"),
        (r#"{"enabled": "y"}"#, r#"enabled: expected true or false: invalid type: string "y""#),
        (r#"{"prefix": 5}"#, "prefix: expected a text: invalid type: integer `5`"),
        (r#"{"wait_timeout": "1s"}"#, "wait_timeout: expected seconds, more than 0, at most a day"),
        (r#"{"dialect": 1}"#, "dialect: expected one of statsd, extended, dogstatsd, graphite"),
        (r#"{"dogstatsd_version": 1.6}"#, "dogstatsd_version: expected one of 1.0, 1.1"),
        (r#"{"tags": ["a"]}"#, "tags: expected texts by their keys: invalid type: sequence"),
        (r#"{"sample": {"a": 1}}"#, "sample: expected pairs of a pattern and a rate: invalid type"),
        ("[]", "invalid type: sequence, expected settings by their names"),
    ] {
        let refused = read(text).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{refused}");
        // The position in the file is given once.
        assert_eq!(refused.matches(" at line 1 column ").count(), 1, "{refused}");
    }
}

#[test]
fn invalid_time_is_named_by_the_error() {
    for setting in ["shutdown_timeout", "wait_timeout", "stop_timeout"] {
        for (given, shown) in [("0", "0ns"), ("86401", "86401s")] {
            let text = format!(r#"{{"host": "a", "prefix": "b", "{setting}": {given}}}"#);
            let refused = read(&text).unwrap().builder_from(|_| None).unwrap_err().to_string();
            let expected =
                format!("invalid value {shown} for {setting}: expected more than 0, at most a day");
            assert_eq!(refused, expected);
        }
    }
}

#[test]
fn a_setting_given_twice_is_an_error() {
    let refused = read(r#"{"port": 1, "port": 2}"#).unwrap_err().to_string();
    assert!(refused.starts_with("duplicate field `port`"), "{refused}");
}

#[test]
fn invalid_value_names_setting_value_and_accepted_values() {
    for (text, expected) in [
        (r#"{"port": 70000}"#, "invalid value 70000 for port: expected 1 to 65535"),
        (r#"{"port": -1}"#, "invalid value -1 for port: expected 1 to 65535"),
        (
            r#"{"protocol": "sctp"}"#,
            r#"invalid value "sctp" for protocol: expected tcp or udp, or on Unix unixgram or unixstream"#,
        ),
        // A file accepts only the lower-case form.
        (r#"{"protocol": "TCP"}"#, r#"invalid value "TCP" for protocol: "#),
        (
            r#"{"wait_timeout": -0.1}"#,
            "invalid value -0.1 for wait_timeout: expected seconds, more than 0, at most a day",
        ),
        (
            r#"{"stop_timeout": 1e300}"#,
            " for stop_timeout: expected seconds, more than 0, at most a day",
        ),
        (
            r#"{"queue_capacity": -1}"#,
            "invalid value -1 for queue_capacity: expected 1024 to 1073741824 bytes",
        ),
        (
            r#"{"max_datagram_payload": -1}"#,
            "invalid value -1 for max_datagram_payload: expected 1 to 65507 bytes",
        ),
        (r#"{"coalesce": -1}"#, "invalid value -1 for coalesce: expected a number of contexts"),
        (
            r#"{"delivery": "maybe"}"#,
            r#"invalid value "maybe" for delivery: expected one of acknowledged, written"#,
        ),
        (
            r#"{"framing": "none"}"#,
            r#"invalid value "none" for framing: expected one of newlines, length_prefixed"#,
        ),
        (
            r#"{"cardinality": "all"}"#,
            r#"invalid value "all" for cardinality: expected one of none, low, orchestrator, high"#,
        ),
        (r#"{"sample": [["a", 2]]}"#, "sample: "),
        (
            r#"{"when_full": "wait"}"#,
            r#"invalid value "wait" for when_full: expected one of drop_newest, drop_oldest"#,
        ),
    ] {
        let refused = read(text).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn an_unknown_setting_is_an_error() {
    let refused = read(r#"{"hots": "a"}"#).unwrap_err().to_string();
    assert!(refused.starts_with("unknown field `hots`, expected one of `enabled`"), "{refused}");
}

#[test]
fn dogstatsd_without_a_protocol_is_udp() {
    for (given, expected) in [
        (r#""dialect": "dogstatsd""#, "udp://"),
        (r#""dialect": "dogstatsd", "protocol": null"#, "udp://"),
        (r#""dialect": "dogstatsd", "protocol": "tcp""#, "tcp://"),
        (r#""protocol": "udp", "dialect": "graphite""#, "udp://"),
        (r#""dialect": "graphite""#, "tcp://"),
    ] {
        let builder = builder(&format!(r#"{{"host": "a", "prefix": "", {given}}}"#)).unwrap();
        assert!(format!("{:?}", builder.build().unwrap()).contains(expected), "{given}");
    }
}

#[test]
fn stats_and_reports_are_serialized_by_their_names() {
    let statsd = Connector::builder("127.0.0.1").build().unwrap();
    statsd.incr("a");
    let stats = serde_json::to_value(statsd.stats()).unwrap();
    assert_eq!(stats["emitted"]["lines"], 1);
    assert_eq!(stats["drops"]["full"]["bytes"], 0);
    assert_eq!(stats["losses"]["refused"]["lines"], 0);
    let report = serde_json::to_value(statsd.blocking_stop()).unwrap();
    assert_eq!(report["stats"], stats);
    assert_eq!(report["kept"]["lines"], 1);
}

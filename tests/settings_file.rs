//! Settings that are read from a file, by serde.

#![allow(clippy::unwrap_used)]

use freewheel::{Builder, Connector, Delivery, Framing, Protocol, Settings, WhenFull};
use std::time::Duration;

fn read(text: &str) -> Result<Settings, serde_json::Error> {
    serde_json::from_str(text)
}

/// What they come to without any environment.
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
        "peer_timeout": 4, "lookup_interval": 5, "stop_timeout": 6.5
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
        .stop_timeout(Duration::from_millis(6500));
    assert_is(text, expected);
    assert!(format!("{:?}", read(text).unwrap()).contains("shutdown_timeout: 20s"));
}

#[test]
fn what_is_left_out_is_left_open() {
    assert_eq!(format!("{:?}", read("{}").unwrap()), format!("{:?}", Settings::new()));
    let expected = Connector::builder("a").prefix("applications.b.c");
    assert_is(r#"{"host": "a", "service": "b", "environment": "c"}"#, expected);
    assert!(builder(r#"{"enabled": false, "port": 0}"#).is_none());
}

#[test]
fn a_prefix_of_null_is_none_said_explicitly() {
    assert_is(r#"{"host": "a", "prefix": null}"#, Connector::builder("a"));
    assert_is(r#"{"host": "a", "prefix": ""}"#, Connector::builder("a"));
    assert!(read(r#"{"host": "a"}"#).unwrap().builder_from(|_| None).is_err());
}

#[test]
fn a_bad_value_is_an_error_that_names_setting_value_and_what_is_accepted() {
    for (text, expected) in [
        (r#"{"port": 70000}"#, "port: 70000 is refused: expected 1 to 65535"),
        (r#"{"port": -1}"#, "port: -1 is refused: expected 1 to 65535"),
        (
            r#"{"protocol": "sctp"}"#,
            r#"protocol: "sctp" is refused: expected tcp or udp, or on Unix unixgram or unixstream"#,
        ),
        (
            r#"{"wait_timeout": -0.1}"#,
            "wait_timeout: -0.1 is refused: expected seconds, more than 0, at most a day",
        ),
        (r#"{"stop_timeout": 1e300}"#, "is refused: expected seconds, more than 0, at most a day"),
        (
            r#"{"queue_capacity": -1}"#,
            "queue_capacity: -1 is refused: expected 1024 to 1073741824 bytes",
        ),
        (
            r#"{"max_datagram_payload": -1}"#,
            "max_datagram_payload: -1 is refused: expected 1 to 65507 bytes",
        ),
        (
            r#"{"delivery": "maybe"}"#,
            r#"delivery: "maybe" is refused: expected acknowledged or written"#,
        ),
        (
            r#"{"framing": "none"}"#,
            r#"framing: "none" is refused: expected newlines or length_prefixed"#,
        ),
        (
            r#"{"when_full": "wait"}"#,
            r#"when_full: "wait" is refused: expected drop_newest or drop_oldest"#,
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

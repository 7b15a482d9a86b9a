//! Settings that are refused, and those that are just not.

// In a test, that is an assertion.
#![allow(clippy::unwrap_used)]

use freewheel::{Builder, Connector};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn bad_settings_are_refused_by_name_and_value() {
    let given = || Connector::builder("127.0.0.1");
    let label = "l".repeat(64);
    let name = ["l".repeat(63).as_str(); 4].join(".");
    let long_prefix = "p".repeat(257);
    let longer_than_a_day = DAY + Duration::from_nanos(1);
    let refused: Vec<(Builder, &str, &str)> = vec![
        (Connector::builder(""), "host", ""),
        (Connector::builder("two words"), "host", "two words"),
        (Connector::builder("statsd.example:8125"), "host", "statsd.example:8125"),
        (Connector::builder("http://statsd.example"), "host", "http://statsd.example"),
        (Connector::builder("[::1]:8125"), "host", "[::1]:8125"),
        (Connector::builder("[127.0.0.1]"), "host", "[127.0.0.1]"),
        (Connector::builder("[::1"), "host", "[::1"),
        (Connector::builder("1::2::3"), "host", "1::2::3"),
        (Connector::builder("a..b"), "host", "a..b"),
        (Connector::builder("."), "host", "."),
        (Connector::builder("999.999.999.999"), "host", "999.999.999.999"),
        (Connector::builder("1.2.3"), "host", "1.2.3"),
        (Connector::builder("-statsd"), "host", "-statsd"),
        (Connector::builder("statsd.example\n"), "host", r"statsd.example\n"),
        (Connector::builder(&label), "host", &label),
        (Connector::builder(&name), "host", &name),
        (given().port(0), "port", "0"),
        (given().prefix("a:b"), "prefix", "a:b"),
        (given().prefix("a|b"), "prefix", "a|b"),
        (given().prefix("a\nb"), "prefix", r"a\nb"),
        (given().prefix("a\u{85}b"), "prefix", r"a\u{85}b"),
        (given().prefix(&long_prefix), "prefix", &long_prefix),
        (given().queue_capacity(1023), "queue_capacity", "1023"),
        (given().queue_capacity((1 << 30) + 1), "queue_capacity", "1073741825"),
        (given().max_datagram_payload(0), "max_datagram_payload", "0"),
        (given().max_datagram_payload(65_508), "max_datagram_payload", "65508"),
        (given().flush_interval(Duration::ZERO), "flush_interval", "0ns"),
        (given().flush_interval(longer_than_a_day), "flush_interval", "86400.000000001s"),
        (given().reconnect_sleep(Duration::ZERO), "reconnect_sleep", "0ns"),
        (given().reconnect_sleep(longer_than_a_day), "reconnect_sleep", "86400.000000001s"),
        (given().connect_timeout(Duration::ZERO), "connect_timeout", "0ns"),
        (given().connect_timeout(longer_than_a_day), "connect_timeout", "86400.000000001s"),
        (given().stop_timeout(Duration::ZERO), "stop_timeout", "0ns"),
        (given().stop_timeout(longer_than_a_day), "stop_timeout", "86400.000000001s"),
    ];
    for (builder, setting, value) in refused {
        let error = builder.build().expect_err(value);
        assert_eq!(error.setting(), setting);
        assert!(error.value().contains(value), "{error}");
        assert!(error.to_string().starts_with(&format!("{setting}: ")), "{error}");
        assert!(error.to_string().contains(value), "{error}");
    }
}

#[test]
fn settings_at_their_bounds_are_accepted() {
    let given = || Connector::builder("127.0.0.1");
    let label = "l".repeat(63);
    let accepted = [
        Connector::builder("localhost"),
        Connector::builder("statsd.example."),
        Connector::builder("my_stats-d.example"),
        Connector::builder(&label),
        Connector::builder("::1"),
        Connector::builder("[::1]"),
        given().port(1),
        given().port(65_535),
        given().prefix(""),
        given().prefix("..."),
        given().prefix(format!(".{}.", "p".repeat(256))),
        given().queue_capacity(1 << 10),
        given().queue_capacity(1 << 30),
        given().max_datagram_payload(1),
        given().max_datagram_payload(65_507),
        given().flush_interval(Duration::from_nanos(1)),
        given().flush_interval(DAY),
        given().reconnect_sleep(DAY),
        given().connect_timeout(DAY),
        given().stop_timeout(DAY),
    ];
    for builder in accepted {
        let text = format!("{builder:?}");
        assert!(builder.build().is_ok(), "{text}");
    }
}

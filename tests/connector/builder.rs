//! Tests of a connector's settings: invalid values are refused, and values at their bounds are
//! accepted.

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
    let most = usize::MAX.to_string();
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
        (given().block_size(1023), "block_size", "1023"),
        (given().block_size((1 << 20) + 1), "block_size", "1048577"),
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
        (given().prefault(65_536), "prefault", "65536"),
        (given().low_latency(usize::MAX), "prefault", &most),
        (given().thread_name(""), "thread_name", ""),
        (given().thread_name("a\0b"), "thread_name", r"a\0b"),
    ];
    for (builder, setting, value) in refused {
        let error = builder.build().expect_err(value);
        assert_eq!(error.setting(), setting);
        // An error shows at most 64 bytes of a value.
        let value = &value[..value.len().min(64)];
        assert!(error.value().contains(value), "{error}");
        assert!(error.value().len() <= 64 + "\"\"…".len(), "{error}");
        assert!(error.to_string().starts_with("invalid value "), "{error}");
        assert!(error.to_string().contains(&format!(" for {setting}: expected ")), "{error}");
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
        given().block_size(1 << 10),
        given().block_size(1 << 20),
        given().queue_capacity(1 << 10).block_size(1 << 20),
        given().max_datagram_payload(1),
        given().max_datagram_payload(65_507),
        given().flush_interval(Duration::from_nanos(1)),
        given().flush_interval(DAY),
        given().reconnect_sleep(DAY),
        given().connect_timeout(DAY),
        given().stop_timeout(DAY),
        given().prefault(0),
        given().prefault(1_000),
        given().queue_capacity(1 << 10).low_latency(65),
        given().thread_name("t".repeat(1_000)),
    ];
    for builder in accepted {
        let text = format!("{builder:?}");
        assert!(builder.build().is_ok(), "{text}");
    }
}

#[test]
fn tags_must_leave_space_for_calls() {
    use freewheel::Dialect;
    // A DogStatsD line has at most 8,192 bytes; `|#k:` and the newline are part of it.
    let build = |len: usize, capacity: usize| {
        let builder = Connector::builder("127.0.0.1").dialect(Dialect::DogStatsD);
        builder.queue_capacity(capacity).tag("k", "v".repeat(len)).build()
    };
    let longest = 8192 - 256 - "|#k:\n".len();
    let statsd = build(longest, 1 << 20).unwrap();
    statsd.incr(&"n".repeat(200));
    assert_eq!(statsd.stats().buffered.lines, 1);
    let error = build(longest + 1, 1 << 20).unwrap_err();
    assert_eq!(error.setting(), "tag");
    let expected = "tags that leave 256 bytes of the longest line for calls";
    assert_eq!(error.expected(), expected);
    // A small capacity shortens the longest line.
    assert!(build(1024 - 256 - "|#k:\n".len(), 1 << 10).is_ok());
    assert_eq!(build(1024 - 256, 1 << 10).unwrap_err().expected(), expected);
}

/// A line of the maximum length is accepted, and a line that is one byte longer is dropped and
/// counted. The maximum depends on the dialect, the transport protocol and the maximum datagram
/// payload.
#[test]
fn the_longest_line_depends_on_dialect_and_transport() {
    use freewheel::{Dialect, Protocol};
    const TCP: Protocol = Protocol::Tcp;
    const UDP: Protocol = Protocol::Udp;
    for (dialect, protocol, payload, longest) in [
        (Dialect::StatsD, UDP, 1432, 16_384),
        (Dialect::Extended, UDP, 1432, 8_999),
        (Dialect::Extended, UDP, 10_000, 10_000),
        (Dialect::Extended, TCP, 1432, 16_384),
        (Dialect::DogStatsD, UDP, 1432, 8_192),
        (Dialect::DogStatsD, UDP, 9_000, 9_000),
        (Dialect::SignalFx, TCP, 1432, 4_096),
        (Dialect::Librato, TCP, 1432, 4_096),
        (Dialect::SignalFx, UDP, 1432, 16_384),
    ] {
        let builder = Connector::builder("127.0.0.1").dialect(dialect).protocol(protocol);
        let builder = builder.max_datagram_payload(payload).type_prefixes(false);
        let statsd = builder.build().unwrap();
        let line = |len: usize| statsd.set("a", &"m".repeat(len - "a:|s\n".len()));
        line(longest);
        let context = format!("{dialect} {protocol} {payload}");
        assert_eq!(statsd.stats().buffered.lines, 1, "{context}");
        line(longest + 1);
        assert_eq!(statsd.stats().drops.oversize.lines, 1, "{context}");
    }
}

/// Builds a connector, and returns the URL scheme of its endpoint, such as `tcp`.
fn scheme(builder: Builder) -> String {
    let connector = format!("{:?}", builder.build().unwrap());
    let (before, _) = connector.split_once("://").unwrap();
    before.rsplit(' ').next().unwrap().to_owned()
}

/// The protocol of a connector is its protocol setting, or else the scheme of its URL, or else the
/// default of its dialect. The order of the builder calls does not matter.
#[test]
fn the_protocol_is_settled_when_a_connector_is_built() {
    use freewheel::{Dialect, Protocol};
    let dialects = [
        (Dialect::StatsD, "tcp"),
        (Dialect::Extended, "tcp"),
        (Dialect::DogStatsD, "udp"),
        (Dialect::Graphite, "tcp"),
        (Dialect::Influx, "tcp"),
        (Dialect::Librato, "tcp"),
        (Dialect::SignalFx, "tcp"),
    ];
    let given = || Connector::builder("127.0.0.1");
    let by_url = |scheme: &str| Builder::from_url(&format!("{scheme}://127.0.0.1")).unwrap();
    assert_eq!(scheme(given()), "tcp");
    for (dialect, default) in dialects {
        assert_eq!(scheme(given().dialect(dialect)), default);
        for (protocol, stated, other) in
            [(Protocol::Tcp, "tcp", "udp"), (Protocol::Udp, "udp", "tcp")]
        {
            assert_eq!(scheme(given().dialect(dialect).protocol(protocol)), stated);
            assert_eq!(scheme(given().protocol(protocol).dialect(dialect)), stated);
            assert_eq!(scheme(by_url(stated).dialect(dialect)), stated);
            assert_eq!(scheme(by_url(other).protocol(protocol).dialect(dialect)), stated);
            assert_eq!(scheme(by_url(other).dialect(dialect).protocol(protocol)), stated);
        }
    }
    // A later dialect replaces an earlier one, and its protocol too.
    assert_eq!(scheme(given().dialect(Dialect::DogStatsD).dialect(Dialect::StatsD)), "tcp");
    // The protocol of the dialect decides whether packing and framing are accepted.
    let dogstatsd = || given().dialect(Dialect::DogStatsD);
    assert_eq!(scheme(dogstatsd().pack_values(true)), "udp");
    let framed = dogstatsd().framing(freewheel::Framing::LengthPrefixed);
    assert_eq!(framed.build().unwrap_err().setting(), "framing");
}

//! Tests of the exact bytes of the lines that a server receives.

use freewheel::{Builder, Connector, Protocol};
use std::net::UdpSocket;
use std::time::Duration;

/// Builds a connector with the function `configure`, starts it, and calls the function `emit` with
/// it. Returns the lines that a UDP server receives, with gauges last.
fn received_lines(
    configure: impl Fn(Builder) -> Builder,
    emit: impl Fn(&Connector),
) -> Vec<String> {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let port = receiver.local_addr().unwrap().port();
    let builder = Connector::builder("127.0.0.1").port(port).protocol(Protocol::Udp);
    let statsd = configure(builder).build().unwrap();
    statsd.start_on_thread().unwrap();
    emit(&statsd);
    assert_eq!(statsd.blocking_flush(), Ok(()));
    let stats = statsd.stats();
    let mut datagram = [0; 65_536];
    let mut lines = Vec::new();
    while lines.len() < stats.sent.lines as usize {
        let length = receiver.recv(&mut datagram).unwrap();
        let text = std::str::from_utf8(&datagram[..length]).unwrap();
        assert!(text.ends_with('\n'), "unterminated: {text:?}");
        // Some datagrams are padded with empty lines.
        lines.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
    assert_eq!(stats.buffered, Default::default());
    assert_eq!(lines.iter().map(|line| line.len() as u64 + 1).sum::<u64>(), stats.sent.bytes);
    // Gauges have an order of their own, so they come before or after other lines. The sort puts
    // them last.
    lines.sort_by_key(|line| line.split('|').nth(1) == Some("g"));
    lines
}

/// Calls `emit` with a connector that adds no type prefixes (such as `counters.`) to metric names.
/// Returns the lines that a UDP server receives.
fn lines(emit: impl Fn(&Connector)) -> Vec<String> {
    received_lines(|builder| builder.type_prefixes(false), emit)
}

#[test]
fn paths_have_the_prefix_and_the_type() {
    let emit = |statsd: &Connector| {
        statsd.incr("a");
        statsd.gauge("b", 1);
        statsd.timing("c", Duration::from_millis(1));
        statsd.inject_metric("d", "1", "c");
    };
    let prefixed = received_lines(|builder| builder.prefix(".app.service."), emit);
    // Gauges come last.
    assert_eq!(
        prefixed,
        [
            "app.service.counters.a:1|c",
            "app.service.timers.c:1|ms",
            "app.service.d:1|c",
            "app.service.gauges.b:1|g"
        ]
    );
    let plain = received_lines(|builder| builder, emit);
    assert_eq!(plain, ["counters.a:1|c", "timers.c:1|ms", "d:1|c", "gauges.b:1|g"]);
    let bare = received_lines(|builder| builder.prefix("app").type_prefixes(false), emit);
    assert_eq!(bare, ["app.a:1|c", "app.c:1|ms", "app.d:1|c", "app.b:1|g"]);
}

#[test]
fn prefixes_of_every_length_are_whole() {
    let text = "the-prefix-of-a-service.".repeat(10);
    for length in 1..=200 {
        let prefix = text[..length].trim_matches('.');
        let configure = |builder: Builder| builder.prefix(prefix).type_prefixes(false);
        let lines = received_lines(configure, |statsd| statsd.incr("a"));
        assert_eq!(lines, [format!("{prefix}.a:1|c")]);
    }
}

#[test]
fn counters_count_up_and_down() {
    let lines = lines(|statsd| {
        statsd.incr("a");
        statsd.incr_by("a", 5);
        statsd.incr_by("a", -2);
        statsd.incr_by("a", 1.5);
        statsd.decr("a");
        statsd.decr_by("a", 2);
        statsd.decr_by("a", -3);
        statsd.decr_by("a", 0);
        statsd.decr_by("a", i64::MIN);
        statsd.decr_by("a", u64::MAX);
        statsd.decr_by("a", 0.25);
    });
    let values = [
        "1",
        "5",
        "-2",
        "1.5",
        "-1",
        "-2",
        "3",
        "0",
        "9223372036854775808",
        "-18446744073709551615",
        "-0.25",
    ];
    assert_eq!(lines, values.map(|value| format!("a:{value}|c")));
}

#[test]
fn gauges_are_set_raised_and_lowered() {
    let lines = lines(|statsd| {
        statsd.gauge("a", 17);
        statsd.gauge("a", -5);
        statsd.gauge("a", -0.0);
        statsd.gauge_delta("a", 10);
        statsd.gauge_delta("a", -10);
        statsd.gauge_delta("a", 0);
        statsd.gauge_delta("a", 0.5);
    });
    let values = ["17", "0", "-5", "0", "+10", "-10", "+0", "+0.5"];
    assert_eq!(lines, values.map(|value| format!("a:{value}|g")));
}

#[test]
fn floats_are_plain_decimals() {
    let lines = lines(|statsd| {
        for value in [1e3, 0.1, 1e16, 1.5e-7, 123_456.789, 9_007_199_254_740_993.0, 1e23, 5e-324] {
            statsd.gauge("a", value);
        }
        statsd.gauge("a", f64::MAX);
        statsd.gauge("a", 0.1_f32);
        statsd.gauge("a", f32::MIN_POSITIVE);
    });
    let tiny = format!("0.{}5", "0".repeat(323));
    let huge = format!("17976931348623157{}", "0".repeat(292));
    let small = format!("0.{}11754944", "0".repeat(37));
    let values = [
        "1000",
        "0.1",
        "10000000000000000",
        "0.00000015",
        "123456.789",
        "9007199254740992",
        "100000000000000000000000",
        &tiny,
        &huge,
        "0.1",
        &small,
    ];
    assert_eq!(lines, values.map(|value| format!("a:{value}|g")));
}

#[test]
fn times_are_exact_milliseconds() {
    let lines = lines(|statsd| {
        for nanos in [0, 1, 999, 1_000, 1_500_000, 999_999, 1_000_000, 1_000_000_001, 1_020_300_000]
        {
            statsd.timing("a", Duration::from_nanos(nanos));
        }
        statsd.timing("a", Duration::MAX);
        for seconds in [0.001, 0.0011, 1e-8, 2.0, 0.0, -0.0, 1.001344919204712, 1e20] {
            statsd.timing_seconds("a", seconds);
        }
    });
    let values = [
        "0",
        "0.000001",
        "0.000999",
        "0.001",
        "1.5",
        "0.999999",
        "1",
        "1000.000001",
        "1020.3",
        "18446744073709551615999.999999",
        "1",
        "1.1",
        "0.00001",
        "2000",
        "0",
        "0",
        "1001.344919204712",
        "100000000000000000000000",
    ];
    assert_eq!(lines, values.map(|value| format!("a:{value}|ms")));
}

#[test]
fn names_cannot_leave_their_field() {
    let lines = lines(|statsd| {
        for name in
            ["a:b|c\nd", "\r\0\t\u{7f}", "plain but spaced", "naïve.ok", "\u{85}x", "@#,;=ok"]
        {
            statsd.incr(name);
        }
        statsd.incr("a name of more than sixteen bytes|with one bad one");
        statsd.inject_metric("p\nq:1|c", "1", "c|@0.5");
    });
    let names = [
        "a_b_c_d:1|c",
        "____:1|c",
        "plain but spaced:1|c",
        "naïve.ok:1|c",
        "_x:1|c",
        "_____ok:1|c",
        "a name of more than sixteen bytes_with one bad one:1|c",
        "p_q_1_c:1|c|@0.5",
    ];
    assert_eq!(lines, names);
}

#[test]
fn invalid_lines_are_counted() {
    let statsd = Connector::builder("127.0.0.1").build().unwrap();
    statsd.incr("");
    statsd.gauge("a", f64::NAN);
    statsd.gauge("a", f32::NEG_INFINITY);
    statsd.incr_by("a", f64::INFINITY);
    statsd.timing_seconds("a", -0.1);
    statsd.timing_seconds("a", f64::NAN);
    // In milliseconds, no server could hold it.
    statsd.timing_seconds("a", f64::MAX / 999.0);
    statsd.gauge("", -1);
    for (value, code) in
        [("", "c"), ("1\n", "c"), ("1|c", "c"), ("1:2", "c"), ("1", ""), ("1", "c\n")]
    {
        statsd.inject_metric("a", value, code);
    }
    let stats = statsd.stats();
    assert_eq!(stats.drops.invalid.lines, 15, "a negative gauge is two lines");
    statsd.incr(&"n".repeat(16 << 10));
    let stats = statsd.stats();
    assert_eq!(stats.drops.oversize.lines, 1);
    assert_eq!(stats.dropped().lines, stats.emitted.lines);
    assert_eq!(stats.buffered.lines, 0);
}

#[test]
fn a_timer_records_when_dropped_also_by_a_panic() {
    let lines = lines(|statsd| {
        statsd.timer("a").discard();
        drop(statsd.timer("b"));
        let panicking = std::panic::AssertUnwindSafe(|| {
            let _timer = statsd.timer("c");
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        std::panic::catch_unwind(panicking).unwrap_err();
    });
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("b:") && lines[0].ends_with("|ms"), "{lines:?}");
    assert!(lines[1].starts_with("c:"), "{lines:?}");
}

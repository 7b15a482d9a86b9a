//! Aggregated gauges and levels.

use super::{NEVER, OFTEN, connector, settings};
use crate::support::{UdpReceiver, assert_balanced, flush, started};
use freewheel::{Dialect, Gauge};
use std::thread;
use std::time::Duration;

#[test]
fn last_value_is_sent_once() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let depth = statsd.metric::<Gauge>("depth").aggregate();
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), [""; 0], "no line before the first value");
    [1.0, 7.5, 17.0].into_iter().for_each(|value| depth.set(value));
    flush(&statsd);
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["depth:17|g"]);
    depth.set(u64::MAX);
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["depth:18446744073709552000|g"]);
    depth.set(0);
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["depth:0|g"]);
}

#[test]
fn negative_values_are_values_in_each_dialect() {
    for (dialect, expected) in [
        (Dialect::StatsD, ["depth:0|g", "depth:-3|g"].as_slice()),
        (Dialect::DogStatsD, &["depth:-3|g"]),
    ] {
        let receiver = UdpReceiver::start();
        let statsd = started(settings(receiver.port(), NEVER).dialect(dialect));
        statsd.metric::<Gauge>("depth").aggregate().set(-3);
        flush(&statsd);
        assert_eq!(receiver.lines_so_far(), expected);
        statsd.metric::<Gauge>("depth").aggregate_level().sub(3);
        flush(&statsd);
        assert_eq!(receiver.lines_so_far(), expected);
    }
}

#[test]
fn value_that_is_not_finite_is_dropped_and_counted() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let depth = statsd.metric::<Gauge>("depth").aggregate();
    depth.set(4);
    [f64::NAN, f64::INFINITY].into_iter().for_each(|value| depth.set(value));
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["depth:4|g"]);
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.drops.invalid.lines, 2);
    assert_balanced(&stats);
}

#[test]
fn level_goes_up_and_down_and_is_sent_as_its_value() {
    let receiver = UdpReceiver::start();
    let statsd = started(settings(receiver.port(), NEVER).dialect(Dialect::DogStatsD));
    let open = statsd.metric::<Gauge>("open").aggregate_level();
    let change = |by: i64| {
        thread::scope(|scope| scope.spawn(|| open.add(by)).join().unwrap());
        flush(&statsd);
        receiver.lines_so_far()
    };
    assert_eq!(change(3), ["open:3|g"]);
    assert_eq!(change(-1), ["open:2|g"]);
    assert_eq!(change(0), [""; 0]);
    open.set(100);
    assert_eq!(open.value(), 100);
    assert_eq!(change(1), ["open:101|g"]);
    open.sub(101);
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["open:0|g"]);
    // It is back at the value that was sent last.
    open.add(5);
    open.sub(5_u8);
    flush(&statsd);
    assert_eq!((receiver.lines_so_far(), open.value()), (vec![], 0));
}

#[test]
fn level_is_exact_after_many_threads() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, OFTEN);
    let open = statsd.metric::<Gauge>("open").aggregate_level();
    for _ in 0..20 {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        open.add(1);
                        open.sub(1);
                    }
                    open.add(1);
                });
            }
        });
    }
    flush(&statsd);
    assert_eq!(open.value(), 80);
    assert_eq!(receiver.lines_so_far().last().map(String::as_str), Some("open:80|g"));
}

#[test]
fn gauges_are_repeated_for_a_limited_time_if_asked_for() {
    let receiver = UdpReceiver::start();
    let settings = settings(receiver.port(), OFTEN);
    let limit = Duration::from_millis(300);
    let statsd = started(settings.gauge_repeat(Duration::from_millis(20), limit));
    let depth = statsd.metric::<Gauge>("depth").aggregate();
    let open = statsd.metric::<Gauge>("open").aggregate_level();
    depth.set(17);
    open.add(2);
    thread::sleep(limit + Duration::from_millis(200));
    let lines = receiver.lines_so_far();
    let count = |line: &str| lines.iter().filter(|received| *received == line).count();
    let [depths, opens] = ["depth:17|g", "open:2|g"].map(count);
    assert!(depths > 1 && opens > 1, "{lines:?}");
    assert_eq!(depths + opens, lines.len());
    thread::sleep(Duration::from_millis(200));
    assert_eq!(receiver.lines_so_far(), [""; 0], "after the limit");
    depth.set(18);
    assert_eq!(receiver.lines(2), ["depth:18|g"; 2]);
}

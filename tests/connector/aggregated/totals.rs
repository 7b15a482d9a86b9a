//! Totals of aggregated counters.

use super::{NEVER, OFTEN, connector, settings, total};
use crate::support::{UdpReceiver, assert_balanced, eventually, flush, started};
use freewheel::{Aggregated, Connector, Counter, Dialect, MetricError, Tally};
use std::thread;

#[test]
fn amounts_of_an_interval_are_one_line() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let hits = statsd.metric::<Counter>("hits").aggregate();
    (0..1000).for_each(|_| hits.incr());
    hits.incr_by(50_u8);
    hits.decr();
    hits.decr_by(9_i64);
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["hits:1040|c"]);
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), [""; 0], "no line without a change");
    hits.decr_by(u64::MAX);
    hits.decr();
    hits.incr_by(-7_isize);
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["hits:-7|c"]);
    let stats = statsd.blocking_stop().stats;
    assert_eq!((stats.emitted.lines, stats.sent), (2, Tally { lines: 2, bytes: 22 }));
    assert_eq!((stats.aggregated.metrics, stats.aggregated.lines), (1, 2));
}

#[test]
fn lines_are_emitted_at_each_interval_without_a_flush() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, OFTEN);
    let hits = statsd.metric::<Counter>("hits").aggregate();
    let mut lines = Vec::new();
    for _ in 0..3 {
        hits.incr_by(2);
        lines.append(&mut receiver.lines(1));
    }
    assert_eq!(lines, ["hits:2|c"; 3]);
}

/// A flusher without a timer (dormant) must notice the addition.
#[test]
fn dormant_flusher_notices_an_addition() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, OFTEN);
    let hits = statsd.metric::<Counter>("hits").aggregate();
    for _ in 0..2 {
        thread::sleep(std::time::Duration::from_millis(1_300));
        hits.incr();
        assert_eq!(receiver.lines(1), ["hits:1|c"]);
    }
}

#[test]
fn threads_that_come_and_go_are_counted_exactly() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, OFTEN);
    let hits = statsd.metric::<Counter>("hits").aggregate();
    let mut lines = Vec::new();
    for _ in 0..20 {
        thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| (0..10_000).for_each(|_| hits.incr()));
            }
        });
        lines.append(&mut receiver.lines_so_far());
    }
    flush(&statsd);
    lines.append(&mut receiver.lines_so_far());
    assert_eq!(total(&lines, "hits"), 1_000_000);
    assert_eq!(format!("{hits:?}"), "AggregatedCounter(\"hits:…|c\")");
    assert_balanced(&statsd.stats());
}

#[test]
fn clones_and_equal_metrics_count_separately_but_completely() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let hits = statsd.metric::<Counter>("hits").aggregate();
    let (clone, equal) = (hits.clone(), statsd.metric::<Counter>("hits").aggregate());
    [&hits, &clone, &equal].into_iter().for_each(|counter| counter.incr_by(5));
    flush(&statsd);
    let lines = receiver.lines_so_far();
    assert_eq!((lines.len(), total(&lines, "hits")), (2, 15));
    assert_eq!(statsd.stats().aggregated.metrics, 2);
}

#[test]
fn tags_scopes_and_dialects_apply() {
    let receiver = UdpReceiver::start();
    let statsd =
        started(settings(receiver.port(), NEVER).dialect(Dialect::DogStatsD).tag("env", "t"));
    let scoped = statsd.scoped("api").with_tag("zone", "a");
    scoped.metric::<Counter>("hits").tag("route", "/").aggregate().incr();
    // The prefix and the tags stay, though the scope and the handle are gone.
    drop(scoped);
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["api.hits:1|c|#env:t,zone:a,route:/"]);
}

#[test]
fn builder_patterns_do_not_sample() {
    let receiver = UdpReceiver::start();
    let rate = freewheel::SampleRate::new(0.001).unwrap();
    let statsd = started(settings(receiver.port(), NEVER).sample("*", rate));
    let hits = statsd.metric::<Counter>("hits").aggregate();
    hits.incr();
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["hits:1|c"]);
}

#[test]
fn what_the_dialect_lacks_is_dropped_and_counted() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let tagged = || statsd.metric::<Counter>("hits").tag("route", "/");
    assert_eq!(tagged().try_aggregate().unwrap_err(), MetricError::UnsupportedTags);
    let unclean = statsd.metric::<Counter>("a:b").try_aggregate();
    assert_eq!(unclean.unwrap_err(), MetricError::ForbiddenText);
    let hits = tagged().aggregate();
    (0..10).for_each(|_| hits.incr());
    let nameless = statsd.metric::<Counter>("").aggregate();
    nameless.incr();
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    assert_eq!((stats.drops.unsupported.lines, stats.drops.invalid.lines), (1, 1));
    assert_balanced(&stats);
}

#[test]
fn altered_and_long_names_are_counted() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let unclean = statsd.metric::<Counter>("a:b").aggregate();
    unclean.incr();
    let long = statsd.metric::<Counter>(&"x".repeat(20_000)).aggregate();
    long.incr();
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["a_b:1|c"]);
    let stats = statsd.blocking_stop().stats;
    assert_eq!((stats.altered, stats.drops.oversize.lines), (1, 1));
    assert_balanced(&stats);
}

/// Totals are exact up to 2^63, and wrap around there.
#[test]
fn totals_reach_the_bounds_of_64_bits() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let hits = statsd.metric::<Counter>("hits").aggregate();
    let line = |amounts: &[i64]| {
        amounts.iter().for_each(|&amount| hits.incr_by(amount));
        flush(&statsd);
        receiver.lines_so_far()
    };
    assert_eq!(line(&[i64::MAX]), ["hits:9223372036854775807|c"]);
    assert_eq!(line(&[i64::MIN]), ["hits:-9223372036854775808|c"]);
    assert_eq!(line(&[i64::MAX, 1]), ["hits:-9223372036854775808|c"]);
    assert_eq!(line(&[i64::MAX, i64::MIN, 1]), [""; 0], "they add up to 0");
    hits.incr_by(u64::MAX);
    assert_eq!(line(&[]), ["hits:-1|c"]);
}

#[test]
fn disabled_connector_counts_nothing() {
    let statsd = Connector::disabled();
    let hits = statsd.metric::<Counter>("hits").try_aggregate().unwrap();
    hits.incr();
    assert_eq!(statsd.stats().aggregated, Aggregated::default());
    assert_eq!(format!("{hits:?}"), "AggregatedCounter(disabled)");
}

/// Counters go into the server's windows at the same time in each of them.
#[test]
fn counts_of_two_connectors_are_not_mixed() {
    let receivers = [UdpReceiver::start(), UdpReceiver::start()];
    let connectors = receivers.each_ref().map(|receiver| connector(receiver, OFTEN));
    let counters = connectors.each_ref().map(|one| one.metric::<Counter>("hits").aggregate());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    counters[0].incr();
                    counters[1].incr_by(2);
                }
            });
        }
    });
    connectors.iter().for_each(flush);
    let totals = receivers.each_ref().map(|receiver| total(&receiver.lines_so_far(), "hits"));
    assert_eq!(totals, [3_000, 6_000]);
    eventually("all lines are sent", || connectors[0].stats().buffered.lines == 0);
}

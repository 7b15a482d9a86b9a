//! Handles of aggregated metrics: their creation, drop and reuse.

use super::{NEVER, OFTEN, connector, settings, total};
use crate::support::{UdpReceiver, eventually, flush, started};
use freewheel::{AggregatedCounter, AggregatedGauge, Counter, Gauge, Level};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread;

#[test]
fn handles_can_be_shared_and_sent() {
    fn check<T: Clone + Send + Sync + UnwindSafe + RefUnwindSafe + 'static>() {}
    check::<AggregatedCounter>();
    check::<AggregatedGauge>();
    check::<Level>();
}

#[test]
fn metric_is_removed_once_its_last_value_is_sent() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let hits = statsd.metric::<Counter>("hits").aggregate();
    let depth = statsd.metric::<Gauge>("depth").aggregate();
    hits.incr_by(3);
    depth.set(4);
    drop((hits, depth));
    assert_eq!(statsd.stats().aggregated.metrics, 2);
    flush(&statsd);
    assert_eq!(receiver.lines_so_far().len(), 2);
    assert_eq!(statsd.stats().aggregated.metrics, 0);
}

/// The cells of dropped metrics are used again, while threads count.
#[test]
fn reused_cells_mix_no_counts() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, OFTEN);
    let lasting = statsd.metric::<Counter>("lasting").aggregate();
    let mut lines = Vec::new();
    for _ in 0..10 {
        thread::scope(|scope| {
            for thread in 0..3 {
                let (statsd, lasting) = (&statsd, &lasting);
                scope.spawn(move || {
                    for _ in 0..100 {
                        let hits = statsd.metric::<Counter>(&format!("t{thread}")).aggregate();
                        (0..10).for_each(|_| hits.incr());
                        lasting.incr();
                    }
                });
            }
        });
        flush(&statsd);
        lines.append(&mut receiver.lines_so_far());
    }
    assert_eq!(
        ["t0", "t1", "t2", "lasting"].map(|name| total(&lines, name)),
        [10_000, 10_000, 10_000, 3_000]
    );
    eventually("all metrics but one are removed", || statsd.stats().aggregated.metrics == 1);
}

/// Without a flusher, dropped handles that owe nothing do not gather.
#[test]
fn unused_metrics_do_not_gather_without_a_flusher() {
    let receiver = UdpReceiver::start();
    let statsd = settings(receiver.port(), NEVER).build().unwrap();
    let kept = statsd.metric::<Counter>("kept").aggregate();
    kept.incr();
    for _ in 0..1000 {
        drop(statsd.metric::<Counter>("unused").aggregate());
    }
    let metrics = statsd.stats().aggregated.metrics;
    assert!(metrics < 10, "{metrics}");
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["kept:1|c"]);
}

/// The last handle keeps the flusher, and its drop sends what was counted.
#[test]
fn drop_of_the_last_handle_sends_what_was_counted() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let hits = statsd.metric::<Counter>("hits").aggregate();
    drop(statsd);
    hits.incr_by(9);
    drop(hits);
    assert_eq!(receiver.lines(1), ["hits:9|c"]);
}

/// A thread has cells for the first thousand metrics at hand, and the other ones behind.
#[test]
fn many_metrics_are_counted_exactly() {
    let receiver = UdpReceiver::start();
    let settings = settings(receiver.port(), NEVER).max_datagram_payload(60_000);
    let statsd = started(settings);
    let counters: Vec<_> = (0..3000)
        .map(|index| statsd.metric::<Counter>(&format!("c{}", index % 2)).aggregate())
        .collect();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| counters.iter().for_each(|counter| counter.incr_by(7)));
        }
    });
    flush(&statsd);
    let lines = receiver.lines_so_far();
    assert_eq!(["c0", "c1"].map(|name| total(&lines, name)), [21_000; 2]);
}

//! Intervals of thinned metrics: when they begin, and what a thread emits then.

use super::*;

/// Records until a value has the weight 1 again: the thread has found that a new interval has begun.
/// Before, it has a large stride.
fn until_weight_one(receiver: &UdpReceiver, statsd: &Connector, sizes: &Thinned<Histogram>) {
    eventually("a value passes with the weight 1", || {
        thread::sleep(Duration::from_millis(30));
        sizes.record(9);
        flush(statsd);
        receiver.lines_so_far().iter().any(|line| line == "size:9|h")
    });
}

#[test]
fn intervals_begin_with_a_flusher() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, Duration::from_millis(10));
    let sizes = statsd.metric::<Histogram>("size").thin(1);
    for _ in 0..3 {
        (0..1_000_000).for_each(|_| sizes.record(1));
        until_weight_one(&receiver, &statsd, &sizes);
    }
}

/// Within an interval, the stride stays as it is, whatever is flushed.
#[test]
fn flush_begins_no_interval() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let sizes = statsd.metric::<Histogram>("size").thin(1);
    (0..(1 << 20) - 1).for_each(|_| sizes.record(1));
    for _ in 0..10 {
        flush(&statsd);
        sizes.record(9);
    }
    flush(&statsd);
    assert!(receiver.lines_so_far().iter().all(|line| line != "size:9|h"));
}

/// While the server is down, intervals begin too.
#[test]
fn intervals_begin_without_a_connection() {
    let port = crate::support::unused_port();
    let settings = crate::support::tcp(port).dialect(Dialect::DogStatsD);
    let statsd = started(settings.aggregate_interval(Duration::from_millis(10)));
    let sizes = statsd.metric::<Histogram>("size").thin(1);
    (0..1_000_000).for_each(|_| sizes.record(1));
    let before = statsd.stats().emitted.lines;
    eventually("an interval has begun", || {
        thread::sleep(Duration::from_millis(300));
        // After a pause of more than an interval, the first value passes.
        let before = statsd.stats().emitted.lines;
        sizes.record(9);
        statsd.stats().emitted.lines > before
    });
    assert!(statsd.stats().emitted.lines < before + 10);
}

/// Without a flusher, an interval does not end, and the strides bound the lines. A stop and a start begin
/// new ones.
#[test]
fn stop_and_start_begin_intervals() {
    let receiver = UdpReceiver::start();
    let statsd = settings(receiver.port(), NEVER).build().unwrap();
    let sizes = statsd.metric::<Histogram>("size").thin(1);
    (0..(1 << 20) - 1).for_each(|_| sizes.record(1));
    let lines = statsd.stats().emitted.lines;
    assert!((20..=32).contains(&lines), "{lines}");
    for _ in 0..3 {
        statsd.start_on_thread().unwrap();
        let _ = statsd.blocking_stop();
        sizes.record(9);
        statsd.start_on_thread().unwrap();
        flush(&statsd);
        let lines = receiver.lines_so_far();
        assert_eq!(lines.iter().filter(|line| *line == "size:9|h").count(), 1, "{lines:?}");
        (0..1_000).for_each(|_| sizes.record(1));
        let _ = statsd.blocking_stop();
    }
}

/// The weights that arrive over many intervals add up to the number of values, within five standard
/// deviations of what the cut blocks add, while the intervals begin at any time.
#[test]
fn weights_are_unbiased_over_intervals() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, Duration::from_millis(10));
    let sizes = statsd.metric::<Histogram>("size").thin(100);
    let (mut recorded, mut counted, mut squares) = (0.0, 0.0, 0.0);
    let mut before = 1.0;
    for round in 0..120_u32 {
        let count = 1_000 << (round % 3 * 2);
        for _ in 0..8 {
            (0..count).for_each(|_| sizes.record(1));
            recorded += f64::from(count);
        }
        flush(&statsd);
        let weights = receiver.lines_so_far();
        let heaviest = weights.iter().map(|line| weight(line)).fold(1.0, f64::max);
        counted += weights.iter().map(|line| weight(line)).sum::<f64>();
        // A cut block has at most twice the largest weight, and its variance is at most a quarter of its
        // weight's square. An interval of 10 ms cuts one block, and 8 are more than a round takes.
        squares += 8.0 * f64::powi(f64::max(heaviest, before), 2);
        before = heaviest;
    }
    let missed: f64 = counted - recorded;
    assert!(missed.abs() < 5.0 * f64::sqrt(squares), "{missed} of {recorded}, {squares}");
}

/// A dormant flusher begins no interval, and the first value after it passes with the weight 1 and wakes
/// it.
#[test]
fn first_value_after_dormancy_passes() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, Duration::from_millis(10));
    let sizes = statsd.metric::<Histogram>("size").thin(1);
    for _ in 0..2 {
        (0..1_000_000).for_each(|_| sizes.record(1));
        flush(&statsd);
        receiver.lines_so_far();
        thread::sleep(Duration::from_millis(1_700));
        sizes.record(9);
        assert_eq!(receiver.lines(1), ["size:9|h"]);
    }
}

/// After dormancy the first value passes also if the flusher has begun one interval only since the last
/// value: it begins another one when it becomes dormant.
#[test]
fn dormancy_ends_the_last_interval() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, Duration::from_millis(1_500));
    let sizes = statsd.metric::<Histogram>("size").thin(1);
    (0..1_000_000).for_each(|_| sizes.record(1));
    thread::sleep(Duration::from_secs(4));
    flush(&statsd);
    receiver.lines_so_far();
    sizes.record(9);
    assert_eq!(receiver.lines(1), ["size:9|h"]);
}

/// While a thinned metric is used without a line, the flusher does not become dormant. Its dormancy would
/// begin an interval that depends on what was drawn.
#[test]
fn used_metric_keeps_its_interval() {
    let receiver = UdpReceiver::start();
    let statsd = connector(&receiver, NEVER);
    let sizes = statsd.metric::<Histogram>("size").thin(1);
    (0..(1 << 20) - 1).for_each(|_| sizes.record(1));
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(2_200));
        sizes.record(9);
    }
    flush(&statsd);
    assert!(receiver.lines_so_far().iter().all(|line| line != "size:9|h"));
}

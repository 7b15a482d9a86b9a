//! Aggregated counters while the server is down, is killed, or does not read.

use super::{NEVER, OFTEN, total};
use crate::support::{
    Close, TcpReceiver, UdpReceiver, assert_balanced, eventually, flush, started, tcp, unused_port,
};
use freewheel::{Counter, FlushError, Gauge};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn outage_costs_nothing_and_ends_with_one_line() {
    let port = unused_port();
    let settings = tcp(port).aggregate_interval(OFTEN).queue_capacity(1024);
    let statsd = started(settings.stop_timeout(SHORT));
    let hits = statsd.metric::<Counter>("hits").aggregate();
    let depth = statsd.metric::<Gauge>("depth").aggregate();
    for round in 0..20 {
        (0..100_000).for_each(|_| hits.incr());
        depth.set(round);
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(statsd.blocking_flush(), Err(FlushError::TimedOut), "the server is down");
    let stats = statsd.stats();
    assert_eq!((stats.emitted.lines, stats.dropped().lines), (0, 0), "{stats:?}");
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    receiver.wait_for_lines(2);
    let mut lines = receiver.lines();
    lines.sort();
    assert_eq!(lines, ["depth:19|g", "hits:2000000|c"]);
    assert_eq!(statsd.blocking_flush(), Ok(()));
}

#[test]
fn stop_reports_what_it_could_not_drain_and_the_next_start_sends_it() {
    let port = unused_port();
    let statsd = started(tcp(port).aggregate_interval(NEVER).stop_timeout(SHORT));
    let hits = statsd.metric::<Counter>("hits").aggregate();
    let idle = statsd.metric::<Counter>("idle").aggregate();
    hits.incr_by(5);
    let report = statsd.blocking_stop();
    assert_eq!((report.undrained, report.kept.lines), (1, 0));
    hits.incr_by(6);
    assert_eq!(statsd.blocking_stop().undrained, 1, "without a flusher");
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    statsd.start_on_thread().unwrap();
    hits.incr_by(7);
    eventually("a flush ends", || statsd.blocking_flush().is_ok());
    receiver.wait_for_lines(1);
    assert_eq!(receiver.lines(), ["hits:18|c"]);
    assert_eq!(statsd.blocking_stop().undrained, 0);
    drop(idle);
}

/// Two threads count all the while, and the connector is stopped and started ten times.
#[test]
fn stops_in_mid_count_lose_nothing() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()).aggregate_interval(OFTEN));
    let (hits, end) = (statsd.metric::<Counter>("hits").aggregate(), AtomicBool::new(false));
    let counted: i64 = thread::scope(|scope| {
        let count = || {
            let mut counted = 0;
            while !end.load(Ordering::Relaxed) {
                hits.incr();
                counted += 1;
            }
            counted
        };
        let threads = [scope.spawn(count), scope.spawn(count)];
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(20));
            let report = statsd.blocking_stop();
            assert_eq!(report.kept.lines, 0);
            statsd.start_on_thread().unwrap();
        }
        end.store(true, Ordering::Relaxed);
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    });
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    receiver.wait_for_lines(stats.sent.lines);
    assert_eq!(total(&receiver.lines(), "hits"), counted);
    assert_balanced(&stats);
}

/// The server is killed ten times under load. The total is exact, less the lines that the server's
/// kernel had acknowledged and the server had not read.
#[test]
fn kills_under_load_cost_only_unread_lines() {
    let port = unused_port();
    let statsd = started(tcp(port).aggregate_interval(OFTEN));
    let (hits, end) = (statsd.metric::<Counter>("hits").aggregate(), AtomicBool::new(false));
    let (counted, lines) = thread::scope(|scope| {
        let count = || {
            let mut counted = 0;
            while !end.load(Ordering::Relaxed) {
                hits.incr();
                counted += 1;
            }
            counted
        };
        let threads = [scope.spawn(count), scope.spawn(count)];
        let mut lines = Vec::new();
        for _ in 0..10 {
            let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Abrupt);
            receiver.wait_for_lines(2);
            lines.append(&mut receiver.kill());
            thread::sleep(Duration::from_millis(20));
        }
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
        end.store(true, Ordering::Relaxed);
        let counted: i64 = threads.map(|thread| thread.join().unwrap()).iter().sum();
        eventually("a flush ends", || statsd.blocking_flush().is_ok());
        let report = statsd.blocking_stop();
        assert_eq!((report.undrained, report.kept.lines), (0, 0));
        receiver.wait_for_last_end();
        lines.append(&mut receiver.kill());
        (counted, lines)
    });
    let stats = statsd.stats();
    assert_balanced(&stats);
    // A line that arrived and was not acknowledged arrives twice; one that was acknowledged and not
    // read is lost. Otherwise the lines are those that were sent.
    if lines.len() as u64 == stats.sent.lines {
        assert_eq!(total(&lines, "hits"), counted);
    }
    let (arrived, sent) = (lines.len() as u64, stats.sent.lines);
    assert!(arrived.abs_diff(sent) <= 20, "{arrived} arrived of {sent}");
}

/// The server stops reading, so that the capacity is used up. The counts wait.
#[test]
fn full_capacity_keeps_the_counts() {
    let receiver = TcpReceiver::start();
    let settings = tcp(receiver.port()).aggregate_interval(OFTEN).queue_capacity(64 << 10);
    let statsd = started(settings);
    let hits = statsd.metric::<Counter>("hits").aggregate();
    receiver.stall();
    let name = "x".repeat(1000);
    eventually("the capacity is used up", || {
        (0..100).for_each(|_| statsd.incr(&name));
        statsd.stats().drops.full.lines > 0
    });
    let dropped = statsd.stats().drops.full.lines;
    for _ in 0..10 {
        (0..1000).for_each(|_| hits.incr());
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(statsd.stats().drops.full.lines, dropped, "a refused line is not a dropped one");
    receiver.resume_reading();
    flush(&statsd);
    receiver.wait_for_lines(statsd.stats().sent.lines);
    let lines = receiver.lines();
    assert_eq!(total(&lines, "hits"), 10_000);
}

#[test]
fn runtime_that_ends_leaves_the_counts_to_the_next_start() {
    let receiver = UdpReceiver::start();
    let statsd = super::settings(receiver.port(), NEVER).build().unwrap();
    let hits = statsd.metric::<Counter>("hits").aggregate();
    let runtime = crate::support::runtime();
    runtime.block_on(statsd.start()).unwrap();
    hits.incr_by(5);
    drop(runtime);
    hits.incr_by(6);
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    assert_eq!(receiver.lines_so_far(), ["hits:11|c"]);
}

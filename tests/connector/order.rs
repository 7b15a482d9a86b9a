//! Tests that gauges, gauge changes and service checks of several threads arrive in the order of
//! their calls.

use crate::support::{
    Close, TcpReceiver, UdpReceiver, assert_balanced, flush, started, tcp, udp, unused_port,
};
use freewheel::dogstatsd::{ServiceCheck, Status};
use freewheel::{Connector, Dialect, Gauge};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Asserts that the lines which two threads emit alternately arrive in the order of the calls.
fn arrives_in_order(dialect: Dialect, emit: fn(&Connector, u64), expected: fn(u64) -> Vec<String>) {
    const ROUNDS: u64 = 200;
    let receiver = UdpReceiver::start();
    let statsd = started(udp(receiver.port()).dialect(dialect));
    // Registers this thread before the other one.
    statsd.incr("first");
    let (numbers, received_numbers) = channel();
    let (replies, replied) = channel();
    let second = statsd.clone();
    let other = thread::spawn(move || {
        for number in received_numbers {
            emit(&second, number);
            replies.send(()).unwrap();
        }
    });
    for round in 0..ROUNDS {
        // A counter keeps no order across threads.
        statsd.incr("beside");
        emit(&statsd, 2 * round + 1);
        numbers.send(2 * round + 2).unwrap();
        replied.recv().unwrap();
        if round % 3 == 0 {
            flush(&statsd);
        }
    }
    drop(numbers);
    other.join().unwrap();
    flush(&statsd);
    let stats = statsd.stats();
    let mut lines = receiver.lines(stats.sent.lines);
    lines.retain(|line| !line.ends_with("|c"));
    let expected: Vec<_> = (1..=2 * ROUNDS).flat_map(expected).collect();
    assert_eq!(lines, expected);
}

#[test]
fn gauges_arrive_in_the_order_of_their_calls() {
    let emit = |statsd: &Connector, number| statsd.gauge("level", number);
    arrives_in_order(Dialect::StatsD, emit, |number| vec![format!("level:{number}|g")]);
}

#[test]
fn a_gauge_below_zero_keeps_its_place_and_its_reset() {
    let emit = |statsd: &Connector, number| statsd.gauge("level", -(number as i64));
    arrives_in_order(Dialect::StatsD, emit, |number| {
        vec!["level:0|g".to_owned(), format!("level:-{number}|g")]
    });
}

#[test]
fn changes_of_a_gauge_keep_their_place_among_its_values() {
    let emit = |statsd: &Connector, number| match number % 2 {
        0 => statsd.gauge_delta("level", number),
        _ => statsd.metric::<Gauge>("level").build().set(number),
    };
    arrives_in_order(Dialect::StatsD, emit, |number| match number % 2 {
        0 => vec![format!("level:+{number}|g")],
        _ => vec![format!("level:{number}|g")],
    });
}

#[test]
fn an_injected_gauge_keeps_its_place() {
    let emit = |statsd: &Connector, number: u64| match number % 2 {
        0 => statsd.inject_metric("level", &number.to_string(), "g"),
        _ => statsd.gauge("level", number),
    };
    arrives_in_order(Dialect::StatsD, emit, |number| vec![format!("level:{number}|g")]);
}

/// Gauges arrive in the order of their calls even if a tag is altered, or if their line is longer
/// than a slot of the ordered queue. (This queue keeps gauges in order across threads.)
#[test]
fn a_long_gauge_and_an_altered_one_keep_their_places() {
    let emit = |statsd: &Connector, number| match number % 4 {
        0 => statsd.metric::<Gauge>("level").tag("text", &"x".repeat(400)).set(number),
        1 => statsd.metric::<Gauge>("level").tag("text", "a,b").build().set(number),
        _ => statsd.metric::<Gauge>("level").tag("text", "a").set(number),
    };
    arrives_in_order(Dialect::DogStatsD, emit, |number| {
        let text = match number % 4 {
            0 => "x".repeat(400),
            1 => "a_b".to_owned(),
            _ => "a".to_owned(),
        };
        vec![format!("level:{number}|g|#text:{text}")]
    });
}

#[test]
fn service_checks_arrive_in_the_order_of_their_calls() {
    let emit = |statsd: &Connector, number: u64| {
        let status = if number.is_multiple_of(2) { Status::Ok } else { Status::Critical };
        statsd.service_check(&ServiceCheck::new("db", status).message(number.to_string()));
    };
    arrives_in_order(Dialect::DogStatsD, emit, |number| {
        vec![format!("_sc|db|{}|m:{number}", if number.is_multiple_of(2) { 0 } else { 2 })]
    });
}

/// Tokio tasks set one gauge each to 1 and then to 0, and may move between worker threads
/// meanwhile. The last line that arrives for each gauge is 0.
#[test]
fn gauges_of_tasks_end_at_their_last_value() {
    let receiver = UdpReceiver::start();
    let statsd = started(udp(receiver.port()));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.unwrap().block_on(async {
        let task = |number: u64| {
            let statsd = statsd.clone();
            async move {
                let name = format!("busy.{number}");
                for _ in 0..3 {
                    statsd.gauge(&name, 1);
                    tokio::time::sleep(Duration::from_millis(1 + number % 5)).await;
                    statsd.gauge(&name, 0);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        };
        let tasks: Vec<_> = (0..200).map(|number| tokio::spawn(task(number))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    flush(&statsd);
    let lines = receiver.lines(statsd.stats().sent.lines);
    let last: HashMap<_, _> = lines.iter().filter_map(|line| line.split_once(':')).collect();
    assert_eq!(last.len(), 200);
    assert!(last.values().all(|value| *value == "0|g"), "{last:?}");
}

/// Gauges that do not fit into the ordered queue (which keeps them in order across threads) move to
/// blocks of lines while no server listens. A later server receives all of them in order.
#[test]
fn gauges_wait_in_blocks_without_a_server() {
    for is_started in [false, true] {
        let port = unused_port();
        // Without a tick, only a ring or a full queue moves the gauges to blocks.
        let statsd = tcp(port).flush_interval(Duration::from_secs(60)).build().unwrap();
        if is_started {
            statsd.start_on_thread().unwrap();
        }
        const GAUGES: u64 = 20_000;
        for number in 0..GAUGES {
            statsd.gauge("level", number);
            // Lets the flusher move gauges before the queue is full.
            if is_started && number % 500 == 0 {
                thread::sleep(Duration::from_millis(2));
            }
        }
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
        if !is_started {
            statsd.start_on_thread().unwrap();
        }
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        assert_balanced(&stats);
        assert_eq!(stats.sent.lines, GAUGES, "{stats:?}");
        receiver.wait_for_lines(GAUGES);
        let expected: Vec<_> = (0..GAUGES).map(|number| format!("level:{number}|g")).collect();
        assert_eq!(receiver.kill(), expected);
    }
}

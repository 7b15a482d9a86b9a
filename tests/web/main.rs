//! Tests of timed web services: the StatsD server receives the metrics of every request.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod application;
mod bodies;
mod client;
mod extractor;
mod grpc;
mod layer;
mod load;
mod real_statsd;
mod routes;
mod serving;

use freewheel::Connector;
use support::TcpReceiver;

/// Calls `make` on a thread for blocking tasks, and returns its value. `make` starts a tokio
/// runtime, which is not permitted on a thread of the test's runtime.
async fn off_runtime<T: Send + 'static>(make: fn() -> T) -> T {
    tokio::task::spawn_blocking(make).await.unwrap()
}

/// Starts a TCP server, and a connector on this runtime that sends to the server. Metric names are
/// `{type}.{name}`, without a prefix.
async fn start_connector() -> (TcpReceiver, Connector) {
    let receiver = off_runtime(TcpReceiver::start).await;
    let statsd = support::tcp(receiver.port()).type_prefixes(true).build().unwrap();
    statsd.start().await.unwrap();
    (receiver, statsd)
}

/// Waits until `lines` lines have been emitted to the connector.
async fn wait_until_emitted(statsd: &Connector, lines: u64) {
    let wait = tokio::time::timeout(support::WAIT_TIMEOUT, async {
        while statsd.stats().emitted.lines < lines {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
    assert!(wait.await.is_ok(), "fewer than {lines} lines are emitted: {}", statsd.stats());
}

/// Stops the connector. Returns all lines that the server received, sorted, with `_` in place of
/// durations.
async fn stop_and_receive(receiver: &TcpReceiver, statsd: &Connector) -> Vec<String> {
    let report = statsd.stop().await;
    assert_eq!(report.kept.lines, 0, "{report:?}");
    assert_eq!(report.stats.dropped().lines, 0, "{report:?}");
    receiver.wait_for_lines(report.stats.sent.lines);
    let mut lines: Vec<String> = receiver.lines().iter().map(|line| without_time(line)).collect();
    lines.sort();
    lines
}

/// Replaces the duration in a line of a timer with `_`. Returns any other line unchanged.
fn without_time(line: &str) -> String {
    match line.split_once(':') {
        Some((name, value)) if value.ends_with("|ms") => format!("{name}:_|ms"),
        _ => line.to_owned(),
    }
}

/// Returns the duration in a line of a timer, in milliseconds.
fn milliseconds(line: &str) -> f64 {
    let (_, value) = line.split_once(':').unwrap();
    value.strip_suffix("|ms").unwrap().parse().unwrap()
}

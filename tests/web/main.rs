//! Web services, timed: what arrives at the server, to the last request.

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
mod real;
mod routes;
mod serving;

use freewheel::Connector;
use support::TcpReceiver;

/// Made on another thread: it has a runtime of its own.
async fn elsewhere<T: Send + 'static>(make: fn() -> T) -> T {
    tokio::task::spawn_blocking(make).await.unwrap()
}

/// A connector on this runtime, and where its lines arrive. Paths are `{type}.{name}`, without a prefix.
async fn connected() -> (TcpReceiver, Connector) {
    let receiver = elsewhere(TcpReceiver::start).await;
    let statsd = support::tcp(receiver.port()).type_prefixes(true).build().unwrap();
    statsd.start().await.unwrap();
    (receiver, statsd)
}

/// Waits until so many lines were emitted.
async fn emitted(statsd: &Connector, lines: u64) {
    let patience = tokio::time::timeout(support::PATIENCE, async {
        while statsd.stats().emitted.lines < lines {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
    assert!(patience.await.is_ok(), "{lines} lines are emitted: {}", statsd.stats());
}

/// All lines that were emitted, sorted, with times as `_`.
async fn arrived(receiver: &TcpReceiver, statsd: &Connector) -> Vec<String> {
    let report = statsd.stop().await;
    assert_eq!(report.kept.lines, 0, "{report:?}");
    assert_eq!(report.stats.dropped().lines, 0, "{report:?}");
    receiver.wait_for_lines(report.stats.sent.lines);
    let mut lines: Vec<String> = receiver.lines().iter().map(|line| without_time(line)).collect();
    lines.sort();
    lines
}

fn without_time(line: &str) -> String {
    match line.split_once(':') {
        Some((name, value)) if value.ends_with("|ms") => format!("{name}:_|ms"),
        _ => line.to_owned(),
    }
}

/// The time on a line, in milliseconds.
fn milliseconds(line: &str) -> f64 {
    let (_, value) = line.split_once(':').unwrap();
    value.strip_suffix("|ms").unwrap().parse().unwrap()
}

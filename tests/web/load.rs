//! Load test with real HTTP clients on loopback: each request is counted exactly once.

use crate::client::{KeepAliveClient, send_request};
use crate::support::{self, TcpReceiver};
use crate::{off_runtime, wait_until_emitted};
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use freewheel::axum::{Statsd, instrument};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Number of concurrent HTTP clients with persistent connections.
const CLIENTS: u64 = 32;
/// Number of requests that each HTTP client makes.
const REQUESTS: u64 = 1_000;
/// Number of additional requests that are aborted: the client disconnects before the response.
const ABORTED: u64 = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_arrives_exactly_once() {
    let receiver = off_runtime(TcpReceiver::start).await;
    let statsd = support::tcp(receiver.port()).type_prefixes(true).build().unwrap();
    statsd.start().await.unwrap();
    let waiting = Arc::new(AtomicU64::new(0));
    let waiting_counter = Arc::clone(&waiting);
    let router = Router::new()
        .route(
            "/{n}",
            get(async |Path(n): Path<u64>, statsd: Statsd| {
                let _timer = statsd.execution_timer("work");
                statsd.increase_counter(("seen", n % 2), 1);
                if n % 4 == 3 { StatusCode::NOT_FOUND } else { StatusCode::OK }
            }),
        )
        .route(
            "/wait/for/ever",
            get(async move || {
                waiting_counter.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<()>().await;
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, instrument(router, &statsd)).into_future());

    let mut clients = JoinSet::new();
    let keep_alive = KeepAliveClient::new(address);
    for _ in 0..CLIENTS {
        let keep_alive = keep_alive.clone();
        clients.spawn(async move {
            for n in 0..REQUESTS {
                let status = keep_alive.request("GET", &format!("/{n}")).await.unwrap();
                assert_eq!(status, if n % 4 == 3 { 404 } else { 200 });
            }
        });
    }
    clients.spawn(async move {
        for batch in 0..ABORTED / 50 {
            let mut streams = Vec::new();
            for _ in 0..50 {
                streams.push(send_request(address, "/wait/for/ever").await);
            }
            while waiting.load(Ordering::Relaxed) < (batch + 1) * 50 {
                tokio::task::yield_now().await;
            }
        }
    });
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }

    let all = CLIENTS * REQUESTS;
    let lines = 3 * all + ABORTED;
    wait_until_emitted(&statsd, lines).await;
    let report = statsd.stop().await;
    assert_eq!((report.kept.lines, report.stats.sent.lines), (0, lines), "{}", report.stats);
    receiver.wait_for_lines(lines);
    let mut counts = BTreeMap::<String, u64>::new();
    for line in receiver.lines() {
        *counts.entry(line.split(':').next().unwrap().to_owned()).or_default() += 1;
    }
    let expected = [
        ("counters.seen.0", all / 2),
        ("counters.seen.1", all / 2),
        ("timers.n.GET.200", all * 3 / 4),
        ("timers.n.GET.404", all / 4),
        ("timers.wait.for.ever.GET.499", ABORTED),
        ("timers.work", all),
    ];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

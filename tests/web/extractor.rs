//! Tests of the `Statsd` extractor, which gives HTTP handlers access to metrics.

use crate::{milliseconds, start_connector, stop_and_receive};
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use axum::{Extension, Router};
use freewheel::Connector;
use freewheel::axum::{ExecutionTimer, Statsd, instrument};
use std::time::Duration;
use tower::ServiceExt;

async fn get_path(router: Router, path: &str) -> Response<Body> {
    router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn handler_counts_and_times_under_joined_paths() {
    async fn handler(Path(id): Path<u32>, statsd: Statsd) -> StatusCode {
        statsd.increase_counter(("users", id, "seen"), 1);
        statsd.increase_counter("credit", -2.5);
        statsd.increase_counter(["a:b", "c|d"], 1);
        statsd.record_timing(Duration::from_micros(1500), ("db", "query"));
        statsd.gauge("depth", 3);
        let timer = statsd.execution_timer(("users", "load"));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(timer.elapsed() >= Duration::from_millis(20));
        drop(timer);
        statsd.execution_timer("never").discard();
        StatusCode::NO_CONTENT
    }
    let (receiver, statsd) = start_connector().await;
    let router = instrument(Router::new().route("/users/{id}", get(handler)), &statsd);
    assert_eq!(get_path(router, "/users/17").await.status(), 204);
    let expected = [
        "counters.a_b.c_d:1|c",
        "counters.credit:-2.5|c",
        "counters.users.17.seen:1|c",
        "gauges.depth:3|g",
        "timers.db.query:_|ms",
        "timers.users.id.GET.204:_|ms",
        "timers.users.load:_|ms",
    ];
    assert_eq!(stop_and_receive(&receiver, &statsd).await, expected);
    let lines = receiver.lines();
    let time = |name| milliseconds(lines.iter().find(|line| line.starts_with(name)).unwrap());
    assert_eq!(time("timers.db.query:"), 1.5);
    assert!(time("timers.users.load:") >= 20.0);
    assert!(time("timers.users.id.GET.204:") >= time("timers.users.load:"));
}

#[tokio::test]
async fn execution_timer_records_panics_and_disconnects() {
    async fn panics(statsd: Statsd) -> StatusCode {
        let _timer = statsd.execution_timer("panics");
        tokio::task::yield_now().await;
        panic!("intended by the test");
    }
    async fn waits(statsd: Statsd) -> StatusCode {
        let _timer = statsd.execution_timer("waits");
        std::future::pending().await
    }
    let (receiver, statsd) = start_connector().await;
    let router = Router::new().route("/panics", get(panics)).route("/waits", get(waits));
    let router = instrument(router, &statsd);
    tokio::spawn(get_path(router.clone(), "/panics")).await.unwrap_err();
    let timed_out = tokio::time::timeout(Duration::from_millis(20), get_path(router, "/waits"));
    timed_out.await.unwrap_err();
    let expected = [
        "timers.panics.GET.500:_|ms",
        "timers.panics:_|ms",
        "timers.waits.GET.499:_|ms",
        "timers.waits:_|ms",
    ];
    assert_eq!(stop_and_receive(&receiver, &statsd).await, expected);
}

#[tokio::test]
async fn uninstrumented_router_still_answers() {
    async fn handler(statsd: Statsd) -> StatusCode {
        statsd.increase_counter("discarded", 1);
        let _timer = statsd.execution_timer("discarded");
        assert!(!statsd.connected());
        StatusCode::NO_CONTENT
    }
    let router = Router::new().route("/", get(handler));
    assert_eq!(get_path(router, "/").await.status(), 204);
}

#[test]
fn timer_can_be_moved_to_another_task() {
    fn assert_movable<T: Send + Sync + 'static>() {}
    assert_movable::<ExecutionTimer>();
    assert_movable::<Statsd>();
}

#[tokio::test]
async fn connector_extension_of_the_service_stays_separate() {
    async fn handler(statsd: Statsd, Extension(own): Extension<Connector>) -> StatusCode {
        statsd.increase_counter("instruments", 1);
        assert_eq!(own.stats().emitted.lines, 0);
        StatusCode::NO_CONTENT
    }
    let (receiver, statsd) = start_connector().await;
    let own = Connector::builder("127.0.0.1").build().unwrap();
    let router = Router::new().route("/", get(handler)).layer(Extension(own.clone()));
    assert_eq!(get_path(instrument(router, &statsd), "/").await.status(), 204);
    assert_eq!(own.stats().emitted.lines, 0);
    let expected = ["counters.instruments:1|c", "timers.root.GET.204:_|ms"];
    assert_eq!(stop_and_receive(&receiver, &statsd).await, expected);
}

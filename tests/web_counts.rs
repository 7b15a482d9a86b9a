//! Tests of the number of heap allocations for timed requests.

#![allow(clippy::unwrap_used)]

#[path = "support/allocations.rs"]
mod allocations;

use allocations::ALLOCATIONS;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use freewheel::Connector;
use freewheel::axum::{instrument, layer};
use freewheel::tower::{Statsd, StatsdLayer};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower::layer::layer_fn;
use tower::{Layer, Service, service_fn};

/// Returns a connector that has already allocated a block (buffer) for this thread, so that
/// emitting allocates nothing.
fn connector() -> Connector {
    let statsd = Connector::builder("127.0.0.1").prefix("app").build().unwrap();
    statsd.incr("warm");
    statsd
}

/// Returns the number of heap allocations that a service makes for its second request. Allocations
/// for the request itself do not count.
fn allocations<B: Default, S: Service<Request<B>>>(mut service: S, path: &str) -> u64 {
    let mut counted = 0;
    for _ in 0..2 {
        let request = Request::builder().uri(path).body(B::default()).unwrap();
        let before = ALLOCATIONS.get();
        {
            let mut future = pin!(service.call(request));
            let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(_))));
        }
        counted = ALLOCATIONS.get() - before;
    }
    counted
}

/// Returns an empty HTTP response at once, as the handler of the tested services.
fn answer(_: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    ready(Ok(Response::new(())))
}

#[test]
fn timing_layer_allocates_nothing() {
    let statsd = connector();
    assert_eq!(allocations(service_fn(answer), "/"), 0, "the bare service");
    let plain = StatsdLayer::new(&statsd, "gateway");
    assert_eq!(allocations(plain.clone().layer(service_fn(answer)), "/"), 0);
    let all = plain.in_flight("requests.in_flight").body_time();
    assert_eq!(allocations(all.layer(service_fn(answer)), "/"), 0);
    assert_eq!(statsd.stats().buffered.lines, 7, "the requests were recorded");
}

#[test]
fn timed_router_allocates_as_much_as_with_an_idle_layer() {
    let statsd = connector();
    let router = || Router::<()>::new().route("/users/{id}", get(async || StatusCode::NO_CONTENT));
    /// Tower service that forwards requests unchanged to the inner service.
    #[derive(Clone)]
    struct Forward<S>(S);
    impl<R, S: Service<R>> Service<R> for Forward<S> {
        type Response = S::Response;
        type Error = S::Error;
        type Future = S::Future;
        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.0.poll_ready(cx)
        }
        fn call(&mut self, request: R) -> S::Future {
            self.0.call(request)
        }
    }
    let path = "/users/17";
    // Like `axum::serve`, this adds the state once. Otherwise the handlers would be layered for
    // each request.
    let count = |router: Router| allocations::<Body, _>(router.with_state(()), path);
    let bare = count(router());
    let idle = count(router().layer(layer_fn(Forward)));
    let timed = count(router().layer(layer(&statsd)));
    let instrumented = count(instrument(router(), &statsd));
    println!("bare {bare}, idle layer {idle}, timed {timed}, instrumented {instrumented}");
    assert_eq!(timed, idle);
    // The request's extension is on the heap.
    assert_eq!(instrumented, timed + 1);
}

#[test]
fn joined_paths_up_to_256_bytes_allocate_nothing() {
    let statsd = Statsd::new(connector());
    let part = "x".repeat(125);
    let before = ALLOCATIONS.get();
    statsd.increase_counter(("users", 17, "seen"), 1);
    statsd.increase_counter([&*part, &*part], 2.5);
    statsd.record_timing(Duration::from_millis(3), ("a", 'b', 4.5, true));
    drop(statsd.execution_timer(("db", "query")));
    drop(statsd.clone());
    assert_eq!(ALLOCATIONS.get() - before, 0);
    // A longer path allocates, which shows that the counter works.
    statsd.increase_counter([&*part, &*part, &*part], 1);
    assert_ne!(ALLOCATIONS.get() - before, 0);
}

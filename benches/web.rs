//! Criterion benchmark of the cost of timing a web request: an axum router with freewheel's tower
//! layer, compared with the same router without it.
//!
//! ```sh
//! cargo bench -p freewheel-benches --bench web            # all routers
//! cargo bench -p freewheel-benches --bench web -- timed   # one router
//! ```
//!
//! Requests use no network, and are answered at once. `idle layer` is axum's cost of any layer. The
//! flusher sends over TCP to a receiver that discards. The account is printed at the end: dropped
//! lines are cheaper, and would make the figures too low.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use criterion::{Criterion, criterion_group, criterion_main};
use freewheel::Connector;
use freewheel::axum::{instrument, layer};
use freewheel::tower::StatsdLayer;
use std::hint::black_box;
use std::io::Read;
use std::net::TcpListener;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tower::Service;
use tower::layer::layer_fn;

/// Number of requests in a timed burst. The connector's queue has room for far more lines, so that
/// a burst drops none.
const BURST: u64 = 2_000;

/// Tower service that forwards each request unchanged to its inner service. It shows the cost of a
/// layer that does nothing.
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

/// Starts a connector (a freewheel client), and a TCP server that reads and discards its lines.
fn connector() -> Connector {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is available");
    let port = listener.local_addr().expect("the socket is bound").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the connector connects");
        let mut discarded = vec![0; 1 << 20];
        while let Ok(1..) = stream.read(&mut discarded) {}
    });
    let statsd = Connector::builder("127.0.0.1").port(port).prefix("applications.my-service");
    let statsd = statsd.queue_capacity(64 << 20).build().expect("the settings are valid");
    statsd.start_on_thread().expect("the connector is not running yet");
    statsd
}

fn name(_request: &Request<Body>) -> &'static str {
    "users.id"
}

fn web(criterion: &mut Criterion) {
    let statsd = connector();
    let router = || Router::<()>::new().route("/users/{id}", get(async || StatusCode::NO_CONTENT));
    let routers = [
        ("bare", router()),
        ("idle layer", router().layer(layer_fn(Forward))),
        ("timed", router().layer(layer(&statsd))),
        ("named by a function", router().layer(StatsdLayer::new(&statsd, name))),
        ("instrumented", instrument(router(), &statsd)),
        ("disabled", instrument(router(), &Connector::disabled())),
    ];
    let mut group = criterion.benchmark_group("a request");
    for (name, router) in routers {
        // The type that `axum::serve` uses.
        let mut router = router.with_state(());
        let mut request = || {
            let request =
                Request::get("/users/17").body(Body::empty()).expect("the request is valid");
            let mut response =
                pin!(Service::<Request<Body>>::call(&mut router, black_box(request)));
            match response.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(response)) => drop(black_box(response)),
                Poll::Ready(Err(never)) => match never {},
                Poll::Pending => unreachable!("the handlers never wait"),
            }
        };
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let (mut elapsed, mut remaining) = (Duration::ZERO, iterations);
                while remaining > 0 {
                    let burst = remaining.min(BURST);
                    let start = Instant::now();
                    (0..burst).for_each(|_| request());
                    elapsed += start.elapsed();
                    remaining -= burst;
                    let _ = statsd.blocking_flush();
                }
                elapsed
            });
        });
    }
    group.finish();
    println!("account of all requests above: {}", statsd.stats());
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = web
}
criterion_main!(benches);

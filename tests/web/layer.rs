//! The layer over plain tower services.

use crate::{arrived, connected, milliseconds};
use freewheel::Connector;
use freewheel::tower::StatsdLayer;
use http::{Request, Response};
use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower::{Layer, Service, ServiceExt, service_fn};

type Answer = Result<Response<String>, &'static str>;

fn request(method: &str, path: &str) -> Request<String> {
    Request::builder().method(method).uri(path).body(String::new()).unwrap()
}

fn answer(status: u16) -> Answer {
    Ok(Response::builder().status(status).body(String::new()).unwrap())
}

#[tokio::test]
async fn a_request_is_timed_with_its_method_and_status() {
    let (receiver, statsd) = connected().await;
    let service = service_fn(async |request: Request<String>| -> Answer {
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer(request.uri().path()[1..].parse().unwrap())
    });
    let service = StatsdLayer::new(&statsd, "gateway").layer(service);
    for (method, status) in
        [("GET", 204), ("POST", 302), ("DELETE", 404), ("PATCH", 503), ("GET", 204)]
    {
        let request = request(method, &format!("/{status}"));
        service.clone().oneshot(request).await.unwrap();
    }
    let expected = [
        "timers.gateway.DELETE.404:_|ms",
        "timers.gateway.GET.204:_|ms",
        "timers.gateway.GET.204:_|ms",
        "timers.gateway.PATCH.503:_|ms",
        "timers.gateway.POST.302:_|ms",
    ];
    assert_eq!(arrived(&receiver, &statsd).await, expected);
    for line in receiver.lines() {
        assert!((20.0..5_000.0).contains(&milliseconds(&line)), "{line}");
    }
}

#[tokio::test]
async fn a_request_is_recorded_before_its_response_is_seen() {
    let (receiver, statsd) = connected().await;
    let service = service_fn(async |_: Request<String>| answer(200));
    let service = StatsdLayer::new(&statsd, "gateway").layer(service);
    service.oneshot(request("GET", "/")).await.unwrap();
    assert_eq!(statsd.stats().emitted.lines, 1);
    arrived(&receiver, &statsd).await;
}

#[tokio::test]
async fn methods_that_are_not_standard_are_one() {
    let (receiver, statsd) = connected().await;
    let service = service_fn(async |_: Request<String>| answer(200));
    let service = StatsdLayer::new(&statsd, "a").layer(service);
    let standard = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
    let others = ["get", "BREW", "PROPFIND", "A-METHOD-OF-MORE-THAN-FIFTEEN-BYTES"];
    for method in standard.iter().chain(&others) {
        service.clone().oneshot(request(method, "/")).await.unwrap();
    }
    let mut expected: Vec<_> =
        standard.iter().map(|method| format!("timers.a.{method}.200:_|ms")).collect();
    expected.extend(others.map(|_| "timers.a.OTHER.200:_|ms".to_owned()));
    expected.sort();
    assert_eq!(arrived(&receiver, &statsd).await, expected);
}

#[tokio::test]
async fn a_service_that_fails_is_recorded_as_500() {
    let (receiver, statsd) = connected().await;
    let service = service_fn(async |_: Request<String>| -> Answer { Err("no") });
    let service = StatsdLayer::new(&statsd, "gateway").layer(service);
    assert_eq!(service.oneshot(request("GET", "/")).await.unwrap_err(), "no");
    assert_eq!(arrived(&receiver, &statsd).await, ["timers.gateway.GET.500:_|ms"]);
}

/// Polls once, and catches a panic.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Result<Poll<F::Output>, ()> {
    let mut cx = Context::from_waker(Waker::noop());
    std::panic::catch_unwind(AssertUnwindSafe(|| future.poll(&mut cx))).map_err(|_| ())
}

#[tokio::test]
async fn a_panic_is_recorded_as_500_whenever_the_future_is_dropped() {
    let (receiver, statsd) = connected().await;
    let service = service_fn(async |_: Request<String>| -> Answer {
        tokio::task::yield_now().await;
        panic!("as the test wants it");
    });
    let mut service = StatsdLayer::new(&statsd, "gateway").layer(service);
    {
        let mut future = pin!(service.call(request("GET", "/")));
        assert!(poll_once(future.as_mut()).unwrap().is_pending());
        poll_once(future.as_mut()).unwrap_err();
        // Dropped while nothing panics any more.
        assert!(!std::thread::panicking());
    }
    assert_eq!(arrived(&receiver, &statsd).await, ["timers.gateway.GET.500:_|ms"]);
}

#[tokio::test]
async fn a_panic_in_the_call_itself_is_recorded_as_500() {
    let (receiver, statsd) = connected().await;
    let service = service_fn(|_: Request<String>| -> std::future::Ready<Answer> {
        panic!("as the test wants it");
    });
    let mut service = StatsdLayer::new(&statsd, "gateway").layer(service);
    let call = AssertUnwindSafe(|| drop(service.call(request("GET", "/"))));
    std::panic::catch_unwind(call).unwrap_err();
    assert_eq!(arrived(&receiver, &statsd).await, ["timers.gateway.GET.500:_|ms"]);
}

#[tokio::test]
async fn a_request_whose_client_went_away_is_recorded_as_499() {
    let (receiver, statsd) = connected().await;
    let service = service_fn(async |_: Request<String>| -> Answer { pending().await });
    let mut service = StatsdLayer::new(&statsd, "gateway").layer(service);
    // Once polled, and once never.
    {
        let mut future = pin!(service.call(request("GET", "/")));
        assert!(poll_once(future.as_mut()).unwrap().is_pending());
    }
    drop(service.call(request("PUT", "/")));
    let expected = ["timers.gateway.GET.499:_|ms", "timers.gateway.PUT.499:_|ms"];
    assert_eq!(arrived(&receiver, &statsd).await, expected);
}

#[tokio::test]
async fn names_are_made_by_a_function_of_the_request() {
    let (receiver, statsd) = connected().await;
    let name = |request: &Request<String>| match request.uri().path() {
        "/empty" => String::new(),
        path => format!("app{}", path.replace('/', ".")),
    };
    let service = service_fn(async |_: Request<String>| answer(200));
    let service = StatsdLayer::new(&statsd, name).layer(service);
    let long = format!("/{}", "x".repeat(300));
    for path in ["/a/b", "/empty", "/bad|name:1", &long] {
        let uri = http::Uri::builder().path_and_query(path).build().unwrap();
        let mut request = request("GET", "/");
        *request.uri_mut() = uri;
        service.clone().oneshot(request).await.unwrap();
    }
    let expected = [
        "timers.app.a.b.GET.200:_|ms".to_owned(),
        "timers.app.bad_name_1.GET.200:_|ms".to_owned(),
        format!("timers.app.{}.GET.200:_|ms", "x".repeat(300)),
        "timers.unmatched.GET.200:_|ms".to_owned(),
    ];
    assert_eq!(arrived(&receiver, &statsd).await, expected);
}

#[tokio::test]
async fn requests_in_flight_are_a_gauge() {
    let (receiver, statsd) = connected().await;
    let service = service_fn(|request: Request<String>| async move {
        if request.uri().path() == "/wait" { pending().await } else { answer(200) }
    });
    let layer = StatsdLayer::new(&statsd, "a").in_flight("requests.in_flight");
    // Two services under one layer are counted together.
    let (mut one, other) = (layer.layer(service), layer.layer(service));
    {
        let mut waiting = pin!(one.call(request("GET", "/wait")));
        assert!(poll_once(waiting.as_mut()).unwrap().is_pending());
        other.oneshot(request("GET", "/")).await.unwrap();
    }
    let report = statsd.stop().await;
    receiver.wait_for_lines(report.stats.sent.lines);
    let gauges: Vec<_> =
        receiver.lines().into_iter().filter(|line| line.starts_with("gauges")).collect();
    let expected = [1, 2, 1, 0].map(|count| format!("gauges.requests.in_flight:{count}|g"));
    assert_eq!(gauges, expected);
}

#[tokio::test]
async fn a_disabled_connector_asks_for_no_name() {
    let name = |_: &Request<String>| -> &'static str { panic!("nobody needs a name") };
    let service = service_fn(|_: Request<String>| ready(answer(200)));
    let service = StatsdLayer::new(&Connector::disabled(), name).body_time().layer(service);
    service.oneshot(request("GET", "/")).await.unwrap();
}

#[tokio::test]
async fn the_service_within_is_asked_whether_it_is_ready() {
    #[derive(Clone)]
    struct Refuses;
    impl Service<Request<String>> for Refuses {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<String>, Infallible>>;
        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }
        fn call(&mut self, _request: Request<String>) -> Self::Future {
            panic!("it was not ready")
        }
    }
    let mut service = StatsdLayer::new(&Connector::disabled(), "a").layer(Refuses);
    assert!(poll_once(pin!(service.ready())).unwrap().is_pending());
}

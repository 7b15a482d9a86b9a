//! Tests of `StatsdLayer` with plain tower services.

use crate::{milliseconds, start_connector, stop_and_receive};
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
async fn request_is_timed_with_its_method_and_status() {
    let (receiver, statsd) = start_connector().await;
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
    assert_eq!(stop_and_receive(&receiver, &statsd).await, expected);
    for line in receiver.lines() {
        assert!((20.0..5_000.0).contains(&milliseconds(&line)), "{line}");
    }
}

#[tokio::test]
async fn request_is_recorded_before_its_response_is_seen() {
    let (receiver, statsd) = start_connector().await;
    let service = service_fn(async |_: Request<String>| answer(200));
    let service = StatsdLayer::new(&statsd, "gateway").layer(service);
    service.oneshot(request("GET", "/")).await.unwrap();
    assert_eq!(statsd.stats().emitted.lines, 1);
    stop_and_receive(&receiver, &statsd).await;
}

#[tokio::test]
async fn nonstandard_methods_are_recorded_as_other() {
    let (receiver, statsd) = start_connector().await;
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
    assert_eq!(stop_and_receive(&receiver, &statsd).await, expected);
}

#[tokio::test]
async fn service_error_is_recorded_as_500() {
    let (receiver, statsd) = start_connector().await;
    let service = service_fn(async |_: Request<String>| -> Answer { Err("no") });
    let service = StatsdLayer::new(&statsd, "gateway").layer(service);
    assert_eq!(service.oneshot(request("GET", "/")).await.unwrap_err(), "no");
    assert_eq!(stop_and_receive(&receiver, &statsd).await, ["timers.gateway.GET.500:_|ms"]);
}

/// Polls a future once. Returns an error if the poll panics.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Result<Poll<F::Output>, ()> {
    let mut cx = Context::from_waker(Waker::noop());
    std::panic::catch_unwind(AssertUnwindSafe(|| future.poll(&mut cx))).map_err(|_| ())
}

#[tokio::test]
async fn panic_in_the_future_is_recorded_as_500_at_its_drop() {
    let (receiver, statsd) = start_connector().await;
    let service = service_fn(async |_: Request<String>| -> Answer {
        tokio::task::yield_now().await;
        panic!("intended by the test");
    });
    let mut service = StatsdLayer::new(&statsd, "gateway").layer(service);
    {
        let mut future = pin!(service.call(request("GET", "/")));
        assert!(poll_once(future.as_mut()).unwrap().is_pending());
        poll_once(future.as_mut()).unwrap_err();
        // The future is dropped when the thread no longer unwinds.
        assert!(!std::thread::panicking());
    }
    assert_eq!(stop_and_receive(&receiver, &statsd).await, ["timers.gateway.GET.500:_|ms"]);
}

#[tokio::test]
async fn panic_in_the_call_itself_is_recorded_as_500() {
    let (receiver, statsd) = start_connector().await;
    let service = service_fn(|_: Request<String>| -> std::future::Ready<Answer> {
        panic!("intended by the test");
    });
    let mut service = StatsdLayer::new(&statsd, "gateway").layer(service);
    let call = AssertUnwindSafe(|| drop(service.call(request("GET", "/"))));
    std::panic::catch_unwind(call).unwrap_err();
    assert_eq!(stop_and_receive(&receiver, &statsd).await, ["timers.gateway.GET.500:_|ms"]);
}

#[tokio::test]
async fn abandoned_request_is_recorded_as_499() {
    let (receiver, statsd) = start_connector().await;
    let service = service_fn(async |_: Request<String>| -> Answer { pending().await });
    let mut service = StatsdLayer::new(&statsd, "gateway").layer(service);
    // Drops one request that was polled once, and one that was never polled.
    {
        let mut future = pin!(service.call(request("GET", "/")));
        assert!(poll_once(future.as_mut()).unwrap().is_pending());
    }
    drop(service.call(request("PUT", "/")));
    let expected = ["timers.gateway.GET.499:_|ms", "timers.gateway.PUT.499:_|ms"];
    assert_eq!(stop_and_receive(&receiver, &statsd).await, expected);
}

#[tokio::test]
async fn function_of_the_request_provides_the_name() {
    let (receiver, statsd) = start_connector().await;
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
    assert_eq!(stop_and_receive(&receiver, &statsd).await, expected);
}

#[tokio::test]
async fn requests_in_flight_are_a_gauge() {
    let (receiver, statsd) = start_connector().await;
    let service = service_fn(|request: Request<String>| async move {
        if request.uri().path() == "/wait" { pending().await } else { answer(200) }
    });
    let layer = StatsdLayer::new(&statsd, "a").in_flight("requests.in_flight");
    // Two services under one layer share the gauge.
    let (mut one, other) = (layer.layer(service), layer.layer(service));
    {
        let mut waiting = pin!(one.call(request("GET", "/wait")));
        assert!(poll_once(waiting.as_mut()).unwrap().is_pending());
        statsd.flush().await.unwrap();
        let mut other = pin!(other.oneshot(request("GET", "/wait")));
        assert!(poll_once(other.as_mut()).unwrap().is_pending());
        statsd.flush().await.unwrap();
    }
    let report = statsd.stop().await;
    receiver.wait_for_lines(report.stats.sent.lines);
    let gauges: Vec<_> =
        receiver.lines().into_iter().filter(|line| line.starts_with("gauges")).collect();
    let expected = [1, 2, 0].map(|count| format!("gauges.requests.in_flight:{count}|g"));
    assert_eq!(gauges, expected);
}

#[tokio::test]
async fn disabled_connector_never_calls_the_name_function() {
    let name =
        |_: &Request<String>| -> &'static str { panic!("a disabled connector needs no name") };
    let service = service_fn(|_: Request<String>| ready(answer(200)));
    let service = StatsdLayer::new(&Connector::disabled(), name).body_time().layer(service);
    service.oneshot(request("GET", "/")).await.unwrap();
}

#[tokio::test]
async fn layer_forwards_poll_ready() {
    #[derive(Clone)]
    struct NeverReady;
    impl Service<Request<String>> for NeverReady {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<String>, Infallible>>;
        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }
        fn call(&mut self, _request: Request<String>) -> Self::Future {
            panic!("the service was not ready")
        }
    }
    let mut service = StatsdLayer::new(&Connector::disabled(), "a").layer(NeverReady);
    assert!(poll_once(pin!(service.ready())).unwrap().is_pending());
}

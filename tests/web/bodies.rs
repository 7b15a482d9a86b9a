//! Tests of the timing of HTTP response bodies.

use crate::{milliseconds, start_connector, stop_and_receive};
use freewheel::tower::{StatsdLayer, TimedBody};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// HTTP response body that yields one frame after 50 ms, and then ends or fails.
struct Slow {
    delay: Option<Pin<Box<tokio::time::Sleep>>>,
    fails: bool,
    sent: bool,
}

impl Slow {
    fn new(fails: bool) -> Self {
        let delay = Some(Box::pin(tokio::time::sleep(Duration::from_millis(50))));
        Self { delay, fails, sent: false }
    }
}

impl Body for Slow {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if let Some(delay) = &mut self.delay {
            std::task::ready!(delay.as_mut().poll(cx));
            self.delay = None;
        }
        if std::mem::replace(&mut self.sent, true) {
            return Poll::Ready(self.fails.then_some(Err("torn")));
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"slow")))))
    }
}

type Timed = TimedBody<Slow>;

/// Makes a request to a timed service, and passes the response body to `read`. The body ends with
/// an error if `fails` is true. Returns the lines that the StatsD server received, and the body's
/// recorded time in milliseconds.
///
/// A body that `read` returns is dropped only after the time is recorded.
async fn lines(fails: bool, read: impl AsyncFnOnce(Timed) -> Option<Timed>) -> (Vec<String>, f64) {
    let (receiver, statsd) = start_connector().await;
    let service = ServiceBuilder::new()
        .layer(StatsdLayer::new(&statsd, "download").body_time())
        .service(service_fn(move |_: Request<String>| async move {
            Ok::<_, Infallible>(Response::new(Slow::new(fails)))
        }));
    let response = service.oneshot(Request::new(String::new())).await.unwrap();
    // The head is recorded, but not yet the body.
    assert_eq!(statsd.stats().emitted.lines, 1);
    let kept = read(response.into_body()).await;
    assert_eq!(statsd.stats().emitted.lines, 2);
    drop(kept);
    let lines = stop_and_receive(&receiver, &statsd).await;
    let body = receiver.lines().into_iter().find(|line| line.contains(".body:")).unwrap();
    (lines, milliseconds(&body))
}

const HEAD_AND_BODY: [&str; 2] =
    ["timers.download.GET.200.body:_|ms", "timers.download.GET.200:_|ms"];

#[tokio::test]
async fn body_is_timed_from_the_head_to_its_end() {
    let read = async |mut body: Timed| {
        assert!(!body.is_end_stream());
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "slow");
        assert!(body.frame().await.is_none());
        Some(body)
    };
    let (lines, time) = lines(false, read).await;
    assert_eq!(lines, HEAD_AND_BODY);
    // The body's sleep of 50 ms starts shortly before the head is sent.
    assert!((40.0..5_000.0).contains(&time), "{time}");
}

#[tokio::test]
async fn failing_body_is_timed_until_it_fails() {
    let read = async |mut body: Timed| {
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(body.frame().await.unwrap().unwrap_err(), "torn");
        Some(body)
    };
    assert_eq!(lines(true, read).await.0, HEAD_AND_BODY);
}

#[tokio::test]
async fn abandoned_body_is_timed_until_it_is_dropped() {
    let read = async |body: Timed| {
        drop(body);
        None
    };
    assert_eq!(lines(false, read).await.0, HEAD_AND_BODY);
}

#[tokio::test]
async fn timed_body_forwards_size_hint_and_end() {
    let (_receiver, statsd) = start_connector().await;
    let service = ServiceBuilder::new().layer(StatsdLayer::new(&statsd, "a").body_time()).service(
        service_fn(async |_: Request<String>| {
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }),
    );
    let body = service.oneshot(Request::new(String::new())).await.unwrap().into_body();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
}

//! The time of bodies.

use crate::{arrived, connected, milliseconds};
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

/// A frame, after a while, and then an end or an error.
struct Slow {
    rest: Option<Pin<Box<tokio::time::Sleep>>>,
    fails: bool,
    sent: bool,
}

impl Slow {
    fn new(fails: bool) -> Self {
        let rest = Some(Box::pin(tokio::time::sleep(Duration::from_millis(50))));
        Self { rest, fails, sent: false }
    }
}

impl Body for Slow {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if let Some(rest) = &mut self.rest {
            std::task::ready!(rest.as_mut().poll(cx));
            self.rest = None;
        }
        if std::mem::replace(&mut self.sent, true) {
            return Poll::Ready(self.fails.then_some(Err("torn")));
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"slow")))))
    }
}

type Timed = TimedBody<Slow>;

/// What arrives of a request whose body is read by `read`, and the body's time. What `read` returns of the body is
/// kept until it was recorded.
async fn lines(fails: bool, read: impl AsyncFnOnce(Timed) -> Option<Timed>) -> (Vec<String>, f64) {
    let (receiver, statsd) = connected().await;
    let service = ServiceBuilder::new()
        .layer(StatsdLayer::new(&statsd, "download").body_time())
        .service(service_fn(move |_: Request<String>| async move {
            Ok::<_, Infallible>(Response::new(Slow::new(fails)))
        }));
    let response = service.oneshot(Request::new(String::new())).await.unwrap();
    // The head is recorded, the body not yet.
    assert_eq!(statsd.stats().emitted.lines, 1);
    let kept = read(response.into_body()).await;
    assert_eq!(statsd.stats().emitted.lines, 2);
    drop(kept);
    let lines = arrived(&receiver, &statsd).await;
    let body = receiver.lines().into_iter().find(|line| line.contains(".body:")).unwrap();
    (lines, milliseconds(&body))
}

const BOTH: [&str; 2] = ["timers.download.GET.200.body:_|ms", "timers.download.GET.200:_|ms"];

#[tokio::test]
async fn a_body_is_timed_from_the_head_to_its_end() {
    let read = async |mut body: Timed| {
        assert!(!body.is_end_stream());
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "slow");
        assert!(body.frame().await.is_none());
        Some(body)
    };
    let (lines, time) = lines(false, read).await;
    assert_eq!(lines, BOTH);
    // Its sleep of 50 ms began a little before the head was there.
    assert!((40.0..5_000.0).contains(&time), "{time}");
}

#[tokio::test]
async fn a_body_that_fails_is_timed_until_then() {
    let read = async |mut body: Timed| {
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(body.frame().await.unwrap().unwrap_err(), "torn");
        Some(body)
    };
    assert_eq!(lines(true, read).await.0, BOTH);
}

#[tokio::test]
async fn a_body_whose_client_went_away_is_timed_until_it_is_dropped() {
    let read = async |body: Timed| {
        drop(body);
        None
    };
    assert_eq!(lines(false, read).await.0, BOTH);
}

#[tokio::test]
async fn sizes_and_ends_are_passed_on() {
    let (_receiver, statsd) = connected().await;
    let service = ServiceBuilder::new().layer(StatsdLayer::new(&statsd, "a").body_time()).service(
        service_fn(async |_: Request<String>| {
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }),
    );
    let body = service.oneshot(Request::new(String::new())).await.unwrap().into_body();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
}

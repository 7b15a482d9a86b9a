//! Futures of responses, which record a request's duration when the response is ready.

use super::path::MetricPath;
use super::record::Record;
use super::recorded_part::{Head, RecordedPart};
use http::Response;
use pin_project_lite::pin_project;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// Future of a response from a [`TimedService`](super::TimedService), which records the
    /// duration of the request.
    ///
    /// The request is recorded when the response is ready and before it is returned, or when the
    /// future is dropped.
    pub struct ResponseFuture<F, N: MetricPath, R = Head> {
        // Dropped before `inner`: the time that the service's future takes to drop does not count.
        record: Option<Record<N>>,
        #[pin]
        inner: F,
        recorded: PhantomData<fn() -> R>,
    }
}

impl<F, N: MetricPath, R> ResponseFuture<F, N, R> {
    pub(super) fn new(inner: F, record: Option<Record<N>>) -> Self {
        Self { record, inner, recorded: PhantomData }
    }
}

impl<F, N, R, B, E> Future for ResponseFuture<F, N, R>
where
    N: MetricPath,
    F: Future<Output = Result<Response<B>, E>>,
    R: RecordedPart<B>,
{
    type Output = Result<Response<R::Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(record) = this.record {
            record.enter();
        }
        let polled = this.inner.poll(cx);
        if polled.is_pending()
            && let Some(record) = this.record
        {
            record.leave();
        }
        let result = ready!(polled);
        // After an error, the record is dropped here with the status of a failure.
        let record = this.record.take();
        Poll::Ready(result.map(|response| R::end_head(response, record)))
    }
}

impl<F, N: MetricPath, R> std::fmt::Debug for ResponseFuture<F, N, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").field("recorded", &self.record.is_none()).finish()
    }
}

//! The future of a response: where requests end.

use super::record::Record;
use super::recorded::{Head, Recorded};
use http::Response;
use pin_project_lite::pin_project;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The response of a [`TimedService`](super::TimedService).
    ///
    /// The request is recorded when this is ready, before anybody else sees the response; or when it is
    /// dropped before.
    pub struct ResponseFuture<F, R = Head> {
        // The record first: what a service does when it is dropped is not its client's time.
        record: Option<Record>,
        #[pin]
        inner: F,
        recorded: PhantomData<fn() -> R>,
    }
}

impl<F, R> ResponseFuture<F, R> {
    pub(super) fn new(inner: F, record: Option<Record>) -> Self {
        Self { record, inner, recorded: PhantomData }
    }
}

impl<F, R, B, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<B>, E>>,
    R: Recorded<B>,
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
        // Dropped here where there is an error, as it stands: failed.
        let record = this.record.take();
        Poll::Ready(result.map(|response| R::answer(response, record)))
    }
}

impl<F, R> std::fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").field("recorded", &self.record.is_none()).finish()
    }
}

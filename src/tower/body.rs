//! Response bodies that record the time until they end.

use super::record::BodyRecord;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// Response body that records the time from the head of the response to the end of the body:
    /// see [`body_time`](super::StatsdLayer::body_time).
    ///
    /// The duration is recorded when the body ends, when it fails, or when it is dropped.
    pub struct TimedBody<B> {
        record: Option<BodyRecord>,
        #[pin]
        inner: B,
    }
}

impl<B> TimedBody<B> {
    pub(super) fn new(inner: B, record: Option<BodyRecord>) -> Self {
        Self { record, inner }
    }
}

impl<B: Body> Body for TimedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = this.inner.poll_frame(cx);
        if let Poll::Ready(None | Some(Err(_))) = frame {
            *this.record = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> std::fmt::Debug for TimedBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimedBody").field("recorded", &self.record.is_none()).finish()
    }
}

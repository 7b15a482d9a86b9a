//! Services that start the timing of each request.

use super::future::ResponseFuture;
use super::name::NameRequest;
use super::record::{LayerState, Record};
use super::recorded_part::{Head, RecordedPart};
use http::{Request, Response};
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// Wrapper of a service, made by [`StatsdLayer`](super::StatsdLayer), that times each request.
#[derive(Clone, Debug)]
pub struct TimedService<S, N, R = Head> {
    inner: S,
    name: N,
    state: Arc<LayerState>,
    recorded: PhantomData<fn() -> R>,
}

impl<S, N, R> TimedService<S, N, R> {
    pub(super) fn new(inner: S, name: N, state: Arc<LayerState>) -> Self {
        Self { inner, name, state, recorded: PhantomData }
    }

    /// Returns the wrapped service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, N, R, ReqBody, ResBody> Service<Request<ReqBody>> for TimedService<S, N, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    N: NameRequest<ReqBody>,
    R: RecordedPart<ResBody>,
{
    type Response = Response<R::Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, N::RequestName, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let name = || self.name.name(&request);
        let mut record = Record::begin(&self.state, request.method(), name);
        let inner = self.inner.call(request);
        if let Some(record) = &mut record {
            record.leave();
        }
        ResponseFuture::new(inner, record)
    }
}

//! Record of one request, which emits the request's duration when the record is dropped.
//!
//! A record moves with the future, which axum boxes. To stay small, it holds the parts of the path and
//! joins them at the end.
#![allow(unnameable_types)]

use super::path::{MetricPath, PathText};
use crate::connector::Connector;
use crate::metric::Level;
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::Instant;

/// HTTP status recorded for a request if the service failed or panicked.
const STATUS_FAILED: u16 = 500;
/// HTTP status recorded for a request if its future was dropped before the response. nginx uses
/// this number for a client that closed its request.
const STATUS_DROPPED: u16 = 499;

/// Connector and optional gauge that all requests of a layer share.
#[derive(Debug)]
pub(super) struct LayerState {
    pub(super) connector: Connector,
    /// Number of requests in flight.
    pub(super) in_flight: Option<Level>,
}

/// Record of a request in flight. Dropping the record emits the request's duration with the HTTP
/// status that was set last.
pub struct Record<N: MetricPath> {
    state: Arc<LayerState>,
    name: N,
    method: &'static str,
    start: Instant,
    status: u16,
}

impl<N: MetricPath> Record<N> {
    /// Begins the record of a request, which starts its time. Returns `None` if the connector is
    /// disabled.
    pub(super) fn begin(
        state: &Arc<LayerState>,
        method: &Method,
        name: impl FnOnce() -> N,
    ) -> Option<Self> {
        state.connector.inner()?;
        let start = Instant::now();
        let (name, method) = (name(), method_part(method));
        if let Some(in_flight) = &state.in_flight {
            in_flight.add(1);
        }
        Some(Self { state: Arc::clone(state), name, method, start, status: STATUS_FAILED })
    }

    fn path(&self) -> PathText {
        let mut path = PathText::new(&self.name);
        if path.as_str().is_empty() {
            path.push_str("unmatched");
        }
        path.push_str(self.method);
        path.push_str(itoa::Buffer::new().format(self.status));
        path
    }

    /// Sets the recorded HTTP status to 500, which applies if the service fails or panics in its
    /// next poll.
    pub(super) fn enter(&mut self) {
        self.status = STATUS_FAILED;
    }

    /// Sets the recorded HTTP status to 499, which applies if the future is dropped before the
    /// service has returned a response.
    pub(super) fn leave(&mut self) {
        self.status = STATUS_DROPPED;
    }

    /// Ends the record: emits the request's duration with the status of its response.
    pub(super) fn finish(mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// Ends the record of the response's head, and begins the record of its body. The request's
    /// duration is emitted with the status of the response.
    pub(super) fn finish_head(mut self, status: StatusCode) -> BodyRecord {
        self.status = status.as_u16();
        let state = Arc::clone(&self.state);
        let mut path = self.path();
        path.push_str(".body");
        drop(self);
        BodyRecord { state, path, start: Instant::now() }
    }
}

impl<N: MetricPath> Drop for Record<N> {
    fn drop(&mut self) {
        let elapsed = self.start.elapsed();
        self.state.connector.timing(self.path().as_str(), elapsed);
        if let Some(in_flight) = &self.state.in_flight {
            in_flight.sub(1);
        }
    }
}

/// Record of a response body in flight, which emits the body's duration when the record is dropped.
pub(super) struct BodyRecord {
    state: Arc<LayerState>,
    path: PathText,
    start: Instant,
}

impl Drop for BodyRecord {
    fn drop(&mut self) {
        self.state.connector.timing(self.path.as_str(), self.start.elapsed());
    }
}

/// Returns the HTTP method between dots, such as `.GET.`. A non-standard method becomes `.OTHER.`,
/// since clients can send any number of different methods.
fn method_part(method: &Method) -> &'static str {
    match *method {
        Method::GET => ".GET.",
        Method::POST => ".POST.",
        Method::PUT => ".PUT.",
        Method::DELETE => ".DELETE.",
        Method::HEAD => ".HEAD.",
        Method::OPTIONS => ".OPTIONS.",
        Method::PATCH => ".PATCH.",
        Method::TRACE => ".TRACE.",
        Method::CONNECT => ".CONNECT.",
        _ => ".OTHER.",
    }
}

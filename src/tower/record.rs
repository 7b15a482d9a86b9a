//! The record of one request, written when it is dropped.
//!
//! It moves with the future, which axum puts into a box: so it holds what the path is made of, and the
//! path is put together at the end.
#![allow(unnameable_types)]

use super::in_flight::InFlight;
use super::path::{MetricPath, PathText};
use crate::connector::Connector;
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::Instant;

/// Status recorded for a request whose service failed or panicked.
const STATUS_FAILED: u16 = 500;
/// Status recorded for a request whose future was dropped. nginx uses this number for a client that
/// closed its request.
const STATUS_DROPPED: u16 = 499;

/// Connector and gauge that all requests of a layer share.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) connector: Connector,
    pub(super) in_flight: Option<InFlight>,
}

/// A request in flight. Recorded with its current status when it is dropped.
pub struct Record<N: MetricPath> {
    scope: Arc<Scope>,
    name: N,
    method: &'static str,
    start: Instant,
    status: u16,
}

impl<N: MetricPath> Record<N> {
    /// Begins a record now. Returns `None` if the connector is disabled.
    pub(super) fn begin(
        scope: &Arc<Scope>,
        method: &Method,
        name: impl FnOnce() -> N,
    ) -> Option<Self> {
        scope.connector.inner()?;
        let start = Instant::now();
        let (name, method) = (name(), method_part(method));
        if let Some(in_flight) = &scope.in_flight {
            in_flight.enter(&scope.connector);
        }
        Some(Self { scope: Arc::clone(scope), name, method, start, status: STATUS_FAILED })
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

    /// Notes that the service is running: if it does not return, it has panicked.
    pub(super) fn enter(&mut self) {
        self.status = STATUS_FAILED;
    }

    /// Notes that the service has returned without a response: if it is not polled again, its future was
    /// dropped.
    pub(super) fn leave(&mut self) {
        self.status = STATUS_DROPPED;
    }

    /// Records the request with the response's status.
    pub(super) fn finish(mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// Records the request with the response's status, and begins the record of its body.
    pub(super) fn finish_head(mut self, status: StatusCode) -> BodyRecord {
        self.status = status.as_u16();
        let scope = Arc::clone(&self.scope);
        let mut path = self.path();
        path.push_str(".body");
        drop(self);
        BodyRecord { scope, path, start: Instant::now() }
    }
}

impl<N: MetricPath> Drop for Record<N> {
    fn drop(&mut self) {
        let elapsed = self.start.elapsed();
        let connector = &self.scope.connector;
        connector.timing(self.path().as_str(), elapsed);
        if let Some(in_flight) = &self.scope.in_flight {
            in_flight.leave(connector);
        }
    }
}

/// A body in flight, recorded when it is dropped.
pub(super) struct BodyRecord {
    scope: Arc<Scope>,
    path: PathText,
    start: Instant,
}

impl Drop for BodyRecord {
    fn drop(&mut self) {
        self.scope.connector.timing(self.path.as_str(), self.start.elapsed());
    }
}

/// Returns the method between dots, or `.OTHER.` for a non-standard method, since clients can send any
/// number of these.
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

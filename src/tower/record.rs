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

/// What stands for the status of a request that was not answered, by a failure or a panic.
const FAILED: u16 = 500;
/// The same where the future was dropped. nginx has it for a client that closed its request.
const GONE: u16 = 499;

/// What the requests of a service have in common.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) connector: Connector,
    pub(super) in_flight: Option<InFlight>,
}

/// A request under way. Dropped, it is recorded with the status that it has by then.
pub struct Record<N: MetricPath> {
    scope: Arc<Scope>,
    name: N,
    method: &'static str,
    start: Instant,
    status: u16,
}

impl<N: MetricPath> Record<N> {
    /// Begins at this moment; None where nothing is to be recorded.
    pub(super) fn begin(
        scope: &Arc<Scope>,
        method: &Method,
        name: impl FnOnce() -> N,
    ) -> Option<Self> {
        scope.connector.inner()?;
        let start = Instant::now();
        let (name, method) = (name(), known(method));
        if let Some(in_flight) = &scope.in_flight {
            in_flight.enter(&scope.connector);
        }
        Some(Self { scope: Arc::clone(scope), name, method, start, status: FAILED })
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

    /// The service is at work: if it does not come back, it has panicked.
    pub(super) fn enter(&mut self) {
        self.status = FAILED;
    }

    /// The service has come back without an answer: if it is not called again, nobody waits for it.
    pub(super) fn leave(&mut self) {
        self.status = GONE;
    }

    /// The service has answered.
    pub(super) fn finish(mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// The service has answered, and the body is to be timed too.
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

/// A body under way, recorded when this is dropped.
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

/// The method between its dots, if it is one of the standard: others are as many as clients like.
fn known(method: &Method) -> &'static str {
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

//! The extractor.

use super::Statsd;
use super::instrument::Instruments;
use crate::connector::Connector;
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Takes the [`Connector`] that [`instrument`](super::instrument) has put among the request's extensions.
/// Without one, as in a handler's own test, metrics go nowhere; the first time, a warning says so.
impl<S: Sync> FromRequestParts<S> for Statsd {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        static IS_TOLD: AtomicBool = AtomicBool::new(false);
        let Some(instruments) = parts.extensions.get::<Instruments>() else {
            // Not a `Once`: who hears the warning may come here too.
            // ORDERING: Relaxed. A read-modify-write is the first once; it publishes nothing.
            if !IS_TOLD.swap(true, Relaxed) {
                tracing::warn!("a handler's metrics go nowhere: its router is not instrumented");
            }
            return Ok(Self::new(Connector::disabled()));
        };
        Ok(Self::new(instruments.connector().clone()))
    }
}

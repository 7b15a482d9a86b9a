//! A router's instruments.

use super::RouteName;
use crate::connector::Connector;
use crate::tower::StatsdLayer;
use axum::{Extension, Router};
use std::sync::Arc;

/// The extension that the extractor reads. A separate type, since an `Extension<Connector>` is a connector
/// that the service uses for other purposes.
#[derive(Clone)]
pub(super) struct Instruments(Arc<Connector>);

impl Instruments {
    pub(super) fn connector(&self) -> &Connector {
        &self.0
    }
}

/// Times all requests to the routes that this router has so far by their [route](RouteName), and lets their
/// handlers extract [`Statsd`](super::Statsd).
///
/// Beside what axum allocates for any layer, the extension costs one allocation a request, of 8 bytes;
/// [`layer`] alone costs none.
#[must_use = "it is the router returned that is instrumented"]
pub fn instrument<S>(router: Router<S>, connector: &Connector) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    // One reference count a request; the handlers that use a connector take the rest.
    let instruments = Instruments(Arc::new(connector.clone()));
    router.layer((Extension(instruments), layer(connector)))
}

/// The layer that times requests by their [route](RouteName): for `Router::layer`, since outside of the router
/// a request has no route yet.
#[must_use]
pub fn layer(connector: &Connector) -> StatsdLayer<RouteName> {
    StatsdLayer::new(connector, RouteName)
}

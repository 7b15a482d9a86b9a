//! Instrumentation of routers: it times requests and provides the connector to handlers.

use super::RouteName;
use crate::connector::Connector;
use crate::tower::StatsdLayer;
use axum::{Extension, Router};
use std::sync::Arc;

/// Request extension in which the extractor finds the connector. A type of its own, since an
/// application may use `Extension<Connector>` for another connector.
#[derive(Clone)]
pub(super) struct ConnectorExtension(Arc<Connector>);

impl ConnectorExtension {
    pub(super) fn connector(&self) -> &Connector {
        &self.0
    }
}

/// Times all requests to the routes that the router has now, by their [route](RouteName). Handlers
/// of these routes can extract [`Statsd`](super::Statsd).
///
/// axum allocates for each layer. In addition the extension makes one allocation of 8 bytes for each
/// request, and [`layer`] makes none.
#[must_use = "only the returned router is instrumented"]
pub fn instrument<S>(router: Router<S>, connector: &Connector) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    // A request clones one `Arc`. Only handlers that extract the connector clone the connector.
    let extension = ConnectorExtension(Arc::new(connector.clone()));
    router.layer((Extension(extension), layer(connector)))
}

/// Creates a layer that times requests by their [route](RouteName). Use it with `Router::layer`, since
/// a request has no route outside of its router.
#[must_use]
pub fn layer(connector: &Connector) -> StatsdLayer<RouteName> {
    StatsdLayer::new(connector, RouteName)
}

//! Instrumentation of axum routers: a layer that times requests, and an extension that gives
//! handlers the connector (the StatsD client).

use super::RouteName;
use crate::connector::Connector;
use crate::tower::StatsdLayer;
use axum::{Extension, Router};
use std::sync::Arc;

/// Request extension that holds the connector for the extractor. A separate type avoids a conflict
/// with an application's own `Extension<Connector>`.
#[derive(Clone)]
pub(super) struct ConnectorExtension(Arc<Connector>);

impl ConnectorExtension {
    pub(super) fn connector(&self) -> &Connector {
        &self.0
    }
}

/// Adds request timing to all routes that the router already has. The metrics are named by
/// [route](RouteName), and handlers of these routes can extract [`Statsd`](super::Statsd).
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

/// Creates a layer that times requests and names them by their matched [route](RouteName). Use it
/// with `Router::layer`, since a request has no matched route outside of its router.
#[must_use]
pub fn layer(connector: &Connector) -> StatsdLayer<RouteName> {
    StatsdLayer::new(connector, RouteName)
}

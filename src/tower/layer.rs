//! The layer, which configures the recording.

use super::in_flight::InFlight;
use super::record::Scope;
use super::recorded::{Head, HeadAndBody};
use super::service::TimedService;
use crate::connector::Connector;
use std::marker::PhantomData;
use std::sync::Arc;
use tower_layer::Layer;

/// Times every request of a service; see the [module](super).
///
/// ```
/// use freewheel::tower::StatsdLayer;
/// # let statsd = freewheel::Connector::disabled();
///
/// let layer = StatsdLayer::new(&statsd, "gateway").in_flight("requests.in_flight").body_time();
/// ```
///
/// A [disabled](Connector::disabled) connector makes it pass requests on and do nothing else.
#[derive(Clone, Debug)]
pub struct StatsdLayer<N, R = Head> {
    /// Shared, since axum can make the service anew for each request.
    scope: Arc<Scope>,
    name: N,
    recorded: PhantomData<fn() -> R>,
}

impl<N> StatsdLayer<N> {
    /// Times requests as `timers.<handler>.<METHOD>.<status>`, where `name` names the handler.
    #[must_use]
    pub fn new(connector: &Connector, name: N) -> Self {
        let scope = Scope { connector: connector.clone(), in_flight: None };
        Self { scope: Arc::new(scope), name, recorded: PhantomData }
    }

    /// Times the bodies of responses too, from the head until the end, or until the body is
    /// dropped: `timers.<handler>.<METHOD>.<status>.body`.
    ///
    /// It gives the response another [body](super::TimedBody), for which axum makes an allocation.
    #[must_use]
    pub fn body_time(self) -> StatsdLayer<N, HeadAndBody> {
        StatsdLayer { scope: self.scope, name: self.name, recorded: PhantomData }
    }
}

impl<N, R> StatsdLayer<N, R> {
    /// Sets this gauge to the number of requests that wait for the head of their response, whenever it
    /// changes: `gauges.<gauge>`.
    ///
    /// The number itself and not its change, so that a line that is lost does no lasting harm. What is
    /// sent last is the number as it is: 0, once all requests have their response. Where requests begin
    /// and end at the same time, one change can be more than one line.
    /// Processes of one prefix need different gauges. The requests of all services under this
    /// layer are counted together, by an atomic counter.
    #[must_use]
    pub fn in_flight(self, gauge: impl Into<String>) -> Self {
        let connector = self.scope.connector.clone();
        let scope = Scope { connector, in_flight: Some(InFlight::new(gauge.into())) };
        Self { scope: Arc::new(scope), ..self }
    }
}

impl<S, N: Clone, R> Layer<S> for StatsdLayer<N, R> {
    type Service = TimedService<S, N, R>;

    fn layer(&self, inner: S) -> Self::Service {
        TimedService::new(inner, self.name.clone(), Arc::clone(&self.scope))
    }
}

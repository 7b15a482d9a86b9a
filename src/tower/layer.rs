//! Layer for tower services that times requests, and the methods that select what it records.

use super::record::LayerState;
use super::recorded_part::{Head, HeadAndBody};
use super::service::TimedService;
use crate::connector::Connector;
use crate::metric::Gauge;
use std::marker::PhantomData;
use std::sync::Arc;
use tower_layer::Layer;

/// Layer that times every request of a tower service: see the [module](super).
///
/// ```
/// use freewheel::tower::StatsdLayer;
/// # let statsd = freewheel::Connector::disabled();
///
/// let layer = StatsdLayer::new(&statsd, "gateway").in_flight("requests.in_flight").body_time();
/// ```
///
/// With a [disabled](Connector::disabled) connector the layer only forwards requests.
#[derive(Clone, Debug)]
pub struct StatsdLayer<N, R = Head> {
    /// Connector and gauge of the layer, which all its services share. axum may create a service
    /// for each request.
    state: Arc<LayerState>,
    name: N,
    recorded: PhantomData<fn() -> R>,
}

impl<N> StatsdLayer<N> {
    /// Creates a layer that times requests as `timers.<handler>.<METHOD>.<status>`. The parameter
    /// `name` provides the `<handler>` of each request.
    #[must_use]
    pub fn new(connector: &Connector, name: N) -> Self {
        let state = LayerState { connector: connector.clone(), in_flight: None };
        Self { state: Arc::new(state), name, recorded: PhantomData }
    }

    /// Adds the timing of response bodies, as `timers.<handler>.<METHOD>.<status>.body`.
    ///
    /// The time begins with the head of the response. It ends with the body, or when the body is
    /// dropped. The type of the response's body becomes [`TimedBody`](super::TimedBody), for which
    /// axum makes one allocation.
    #[must_use]
    pub fn body_time(self) -> StatsdLayer<N, HeadAndBody> {
        StatsdLayer { state: self.state, name: self.name, recorded: PhantomData }
    }
}

impl<N, R> StatsdLayer<N, R> {
    /// Adds the gauge `gauges.<gauge>`, whose value is the number of requests in flight. A request is in
    /// flight until the head of its response is ready.
    ///
    /// The gauge is a [`Level`](crate::Level): a line is sent at each
    /// [aggregate interval](crate::Builder::aggregate_interval) in which the number has changed. The last
    /// line has the current number: 0 once all requests have their response.
    ///
    /// All services of this layer share the number. Processes with the same prefix need different gauges.
    #[must_use]
    pub fn in_flight(self, gauge: impl Into<String>) -> Self {
        let connector = self.state.connector.clone();
        let level = connector.metric::<Gauge>(&gauge.into()).aggregate_level();
        let state = LayerState { connector, in_flight: Some(level) };
        Self { state: Arc::new(state), ..self }
    }
}

impl<S, N: Clone, R> Layer<S> for StatsdLayer<N, R> {
    type Service = TimedService<S, N, R>;

    fn layer(&self, inner: S) -> Self::Service {
        TimedService::new(inner, self.name.clone(), Arc::clone(&self.state))
    }
}

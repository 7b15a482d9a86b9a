//! What requests are called.

use super::path::MetricPath;
use http::Request;

/// Names requests: the `<handler>` of `timers.<handler>.<METHOD>.<status>`.
///
/// Implemented for a fixed text, and for functions of the request. In axum,
/// [`RouteName`](crate::axum::RouteName) names by the matched route.
///
/// A name should be one of few. The path that a client sent is not: each would make a metric of its own
/// for every server behind, for as long as that keeps it.
///
/// ```
/// use freewheel::tower::StatsdLayer;
/// use http::Request;
/// # let statsd = freewheel::Connector::disabled();
///
/// let layer = StatsdLayer::new(&statsd, |request: &Request<String>| {
///     match request.uri().path() {
///         "/" => "root",
///         "/health" => "health",
///         path if path.starts_with("/users/") => "users",
///         _ => "unmatched",
///     }
/// });
/// # fn is_layer<B, N: freewheel::tower::NameRequest<B>>(_: StatsdLayer<N>) {}
/// # is_layer::<String, _>(layer);
/// ```
pub trait NameRequest<B> {
    /// The request's name. It is called when the request comes, and the name written down then.
    fn name(&self, request: &Request<B>) -> impl MetricPath;
}

impl<B> NameRequest<B> for &'static str {
    fn name(&self, _request: &Request<B>) -> impl MetricPath {
        *self
    }
}

impl<B, F, P> NameRequest<B> for F
where
    F: Fn(&Request<B>) -> P,
    P: MetricPath,
{
    fn name(&self, request: &Request<B>) -> impl MetricPath {
        self(request)
    }
}

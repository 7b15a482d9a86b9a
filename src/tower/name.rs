//! Names of requests.
#![allow(unnameable_types)]

use super::path::{MetricPath, PathText};
use http::Request;

/// Names requests: the `<handler>` of `timers.<handler>.<METHOD>.<status>`.
///
/// Implemented for a fixed text, and for functions of the request. In axum,
/// [`RouteName`](crate::axum::RouteName) names by the matched route. It is sealed: a function
/// does for every other name.
///
/// Names should be few. The path that a client sent is unbounded: each path would become a separate
/// metric on every server behind, for as long as that server keeps metrics.
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
///
/// The function is called when the request comes, and what it returns is displayed then.
pub trait NameRequest<B>: sealed::Name<B> {}

pub(crate) mod sealed {
    use super::{MetricPath, Request};

    pub trait Name<B> {
        /// The name, kept until the request has ended. It is small, since it moves with the future. Only
        /// this crate's code displays it, since a destructor does so.
        type RequestName: MetricPath;
        fn name(&self, request: &Request<B>) -> Self::RequestName;
    }
}

impl<B> NameRequest<B> for &'static str {}

impl<B> sealed::Name<B> for &'static str {
    type RequestName = Self;
    fn name(&self, _request: &Request<B>) -> Self {
        self
    }
}

impl<B, F, P> NameRequest<B> for F
where
    F: Fn(&Request<B>) -> P,
    P: MetricPath,
{
}

impl<B, F, P> sealed::Name<B> for F
where
    F: Fn(&Request<B>) -> P,
    P: MetricPath,
{
    /// Rendered at once: its `Display` may be foreign code.
    type RequestName = PathText;
    fn name(&self, request: &Request<B>) -> PathText {
        PathText::new(&self(request))
    }
}

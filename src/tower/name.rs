//! Names of requests, which become the `<handler>` part of their metric paths.
#![allow(unnameable_types)]

use super::path::{MetricPath, PathText};
use http::Request;

/// Source of each request's name, which is the `<handler>` in `timers.<handler>.<METHOD>.<status>`.
///
/// Implemented for a fixed text, for functions of the request, and for axum's
/// [`RouteName`](crate::axum::RouteName). This trait is sealed.
///
/// There should be few names. Do not use the path that a client sent: every distinct path would
/// become a metric of its own on the server.
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
/// The function is called when the request arrives, and its result is formatted at once.
pub trait NameRequest<B>: sealed::Name<B> {}

pub(crate) mod sealed {
    use super::{MetricPath, Request};

    pub trait Name<B> {
        /// Type of a request's name, which is kept until the request has ended.
        ///
        /// It is small, since the future of the response holds it. A destructor formats it, so its
        /// type belongs to this crate.
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
    /// Name as text, which is formatted when the request arrives. A `Display` of the application
    /// must not be called later, in the destructor that emits the metric.
    type RequestName = PathText;
    fn name(&self, request: &Request<B>) -> PathText {
        PathText::new(&self(request))
    }
}

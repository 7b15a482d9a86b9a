//! Requests of [tower] services, timed: axum, tonic, hyper and all that is built on it.
//!
//! [`StatsdLayer`] records each request as
//!
//! ```text
//! {prefix.}timers.<handler>.<METHOD>.<status>
//! ```
//!
//! from the call until the response's head is ready. Clients cannot make the set of paths grow without
//! bound:
//!
//! * **handler**: what the [`NameRequest`] makes of the request: one fixed text, a function of yours, or
//!   in axum the [route](crate::axum::RouteName). `unmatched` where that is empty.
//! * **METHOD**: one of the nine standard methods, or `OTHER`.
//! * **status**: the response's. `500` if the service failed or panicked, `499` if its future was dropped
//!   before it had answered, which is what servers do when a client goes away.
//!
//! On demand also the [requests in flight](StatsdLayer::in_flight) as a gauge, and
//! [the time of the body](StatsdLayer::body_time).
//!
//! ```
//! use freewheel::tower::StatsdLayer;
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, service_fn};
//!
//! # let statsd = freewheel::Connector::disabled();
//! let service = ServiceBuilder::new()
//!     .layer(StatsdLayer::new(&statsd, "gateway"))
//!     .service(service_fn(async |_request: Request<String>| {
//!         Ok::<_, std::convert::Infallible>(Response::new("hello".to_owned()))
//!     }));
//! # tower::ServiceExt::oneshot(service, Request::new(String::new()));
//! ```
//!
//! Within a handler, [`Statsd`] takes metric paths in parts.
//!
//! # What it costs
//!
//! Two looks at the clock, one reference count, and the line: no allocation, unless the name is
//! longer than about 240 bytes or your function allocates.
//!
//! # gRPC
//!
//! A path that a client sent is no name, not even where it should be a method of a service: name the
//! methods that you have, or put the layer on the routes that tonic makes of its services
//! (`Routes::into_axum_router`), by [`RouteName`](crate::axum::RouteName). The status is HTTP's, which
//! for gRPC is 200 except after failures of the transport.
//!
//! [tower]: https://docs.rs/tower
#![cfg_attr(not(feature = "axum"), allow(rustdoc::broken_intra_doc_links))]

mod body;
mod future;
mod handler;
mod in_flight;
mod layer;
mod name;
mod path;
mod record;
mod recorded;
mod service;

pub use body::TimedBody;
pub use future::ResponseFuture;
pub use handler::{ExecutionTimer, Statsd};
pub use layer::StatsdLayer;
pub use name::NameRequest;
#[cfg(feature = "axum")]
pub(crate) use name::sealed::Name;
pub use path::MetricPath;
#[cfg(feature = "axum")]
pub(crate) use path::{PathText, sealed};
pub use recorded::{Head, HeadAndBody, Recorded};
pub use service::TimedService;

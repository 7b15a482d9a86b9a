//! Request timing for [tower] services, such as those of axum, tonic and hyper.
//!
//! [`StatsdLayer`] records each request as
//!
//! ```text
//! {prefix.}timers.<handler>.<METHOD>.<status>
//! ```
//!
//! The time begins with the call and ends when the head of the response is ready. Clients cannot make
//! the set of paths grow without bound:
//!
//! * **handler**: the name that [`NameRequest`] gives the request: a fixed text, the result of a
//!   function, or in axum the [route](crate::axum::RouteName). `unmatched` if the name is empty.
//! * **METHOD**: one of the nine standard methods, or `OTHER`.
//! * **status**: the status of the response. `500` if the service failed or panicked. `499` if its
//!   future was dropped before the response was ready, as servers do when a client disconnects.
//!
//! The layer can also set a gauge to the number of [requests in flight](StatsdLayer::in_flight), and
//! record the [duration of bodies](StatsdLayer::body_time).
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
//! In handlers, the calls of [`Statsd`] take metric paths in parts.
//!
//! # What it costs
//!
//! Each request reads the clock twice, increments and decrements one reference count, and emits one
//! line. It allocates only if the name is longer than about 240 bytes, or if your function allocates.
//!
//! # gRPC
//!
//! Do not use the path of a request as its name, although it should be a method of a service: clients
//! can send any path. Either list your methods in a function. Or convert tonic's routes by
//! `Routes::into_axum_router`, and use [`RouteName`](crate::axum::RouteName). The status is the status
//! of HTTP, which gRPC sets to 200 unless the transport fails.
//!
//! [tower]: https://docs.rs/tower
#![cfg_attr(not(feature = "axum"), allow(rustdoc::broken_intra_doc_links))]

mod body;
mod future;
mod handler;
mod layer;
mod name;
mod path;
mod record;
mod recorded_part;
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
pub use recorded_part::{Head, HeadAndBody, RecordedPart};
pub use service::TimedService;

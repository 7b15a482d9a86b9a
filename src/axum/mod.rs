//! Instrumentation of [axum] services in one line of code, with settings from environment
//! variables.
//!
//! ```no_run
//! use axum::{Router, http::StatusCode, routing::get};
//! use freewheel::{Settings, axum::Statsd};
//!
//! async fn handler(statsd: Statsd) -> StatusCode {
//!     let _timer = statsd.execution_timer("some-operation");
//!     tokio::time::sleep(std::time::Duration::from_secs(1)).await;
//!     StatusCode::NO_CONTENT
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let router = Router::new().route("/", get(handler));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8888").await?;
//!     let report = freewheel::axum::serve(listener, router, Settings::new()).await?;
//!     println!("{}", report.stats);
//!     Ok(())
//! }
//! ```
//!
//! With `STATSD_HOST` and `STATSD_PREFIX=applications.my-service` in its environment, each GET sends
//!
//! ```text
//! applications.my-service.timers.some-operation:1001.344919|ms
//! applications.my-service.timers.root.GET.204:1002.496004|ms
//! ```
//!
//! A program with its own `main` can use the parts of [`serve`]:
//!
//! ```
//! # async fn example(router: axum::Router, listener: tokio::net::TcpListener)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use freewheel::{Settings, axum::{ShutdownSignal, instrument}};
//!
//! let statsd = Settings::new().connector()?;     // see `Settings` for the rules
//! statsd.start().await?;                         // the flusher, on this runtime
//! let router = instrument(router, &statsd);      // the layer and the extension
//! let signal = ShutdownSignal::install()?;       // SIGINT or SIGTERM
//! axum::serve(listener, router).with_graceful_shutdown(signal.received()).await?;
//! let report = statsd.stop().await;              // sends the remaining lines
//! # Ok(()) }
//! ```
//!
//! [axum]: https://docs.rs/axum

mod extract;
mod instrument;
mod route;
mod serve;
mod signal;

pub use crate::tower::{ExecutionTimer, Statsd};
pub use instrument::{instrument, layer};
pub use route::RouteName;
pub use serve::{ServeError, serve, serve_until};
pub use signal::ShutdownSignal;

//! Web service on axum that one call of `freewheel::axum::serve` instruments. Each GET request
//! takes a second, and emits two timings.
//!
//! Run the service and send a request:
//!
//! ```sh
//! STATSD_HOST=127.0.0.1 STATSD_PREFIX=applications.my-service \
//!     cargo run --features axum --example axum
//! curl -i http://127.0.0.1:8888/
//! ```
//!
//! Ctrl-C or SIGTERM stops the service, which then prints the account of all lines. `nc -lk 8125`
//! can serve as the receiver.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use freewheel::Settings;
use freewheel::axum::{ServeError, Statsd};
use std::error::Error;
use std::time::Duration;
use tokio::net::TcpListener;

async fn handler(statsd: Statsd) -> StatusCode {
    let timer = statsd.execution_timer("some-operation");
    do_something().await;
    drop(timer);
    StatusCode::NO_CONTENT
}

async fn do_something() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(TcpListener::bind("127.0.0.1:8888").await?).await?;
    Ok(())
}

pub(crate) async fn run(listener: TcpListener) -> Result<(), ServeError> {
    println!("listening on http://{}/", listener.local_addr().map_err(ServeError::Io)?);
    let router = Router::new().route("/", get(handler));
    let report = freewheel::axum::serve(listener, router, Settings::new()).await?;
    println!("{}", report.stats);
    Ok(())
}

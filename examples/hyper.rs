//! Web service with the behaviour of the `axum` example, built on hyper and tower without axum. Its
//! own code names requests, and starts and stops the freewheel connector.
//!
//! ```sh
//! STATSD_HOST=127.0.0.1 STATSD_PREFIX=applications.my-service \
//!     cargo run --features tower --example hyper
//! curl -i http://127.0.0.1:8889/
//! ```
//!
//! Ctrl-C or SIGTERM stops the service.

use freewheel::Connector;
use freewheel::tower::{Statsd, StatsdLayer};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal;
use tower::{ServiceBuilder, service_fn};

async fn handle(
    statsd: Statsd,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => {
            let _timer = statsd.execution_timer("some-operation");
            tokio::time::sleep(Duration::from_secs(1)).await;
            StatusCode::NO_CONTENT
        }
        _ => StatusCode::NOT_FOUND,
    };
    Ok(response)
}

/// Returns the metric name for a request. It is one of a fixed set, so that HTTP clients cannot
/// create arbitrary metric names.
fn name(request: &Request<Incoming>) -> &'static str {
    match request.uri().path() {
        "/" => "root",
        _ => "unmatched",
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn stop_signal() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        tokio::select! {
            pressed = signal::ctrl_c() => pressed,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    signal::ctrl_c().await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(TcpListener::bind("127.0.0.1:8889").await?).await
}

pub(crate) async fn run(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let statsd = Connector::from_env()?;
    statsd.start().await?;
    let handler = Statsd::new(statsd.clone());
    let service = ServiceBuilder::new()
        .layer(StatsdLayer::new(&statsd, name).in_flight("requests.in_flight"))
        .service(service_fn(move |request| handle(handler.clone(), request)));

    println!("listening on http://{}/", listener.local_addr()?);
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop_signal());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            signal = &mut stop => break signal?,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            // The client has disconnected, or too many files are open. Other clients are still
            // served.
            Err(error) => {
                eprintln!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("connection failed: {error}");
            }
        });
    }
    // Requests in flight have ten seconds to complete.
    let _ = tokio::time::timeout(Duration::from_secs(10), connections.shutdown()).await;
    println!("{}", statsd.stop().await.stats);
    Ok(())
}

//! The same service on hyper and tower alone: names, start and stop by hand.
//!
//! ```sh
//! STATSD_HOST=127.0.0.1 STATSD_PREFIX=applications.my-service \
//!     cargo run --features tower --example hyper
//! curl -i http://127.0.0.1:8889/
//! ```
//!
//! Ctrl-C or SIGTERM stops it.

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

async fn answer(
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

/// What requests are called: one of few names, whatever clients ask for.
fn name(request: &Request<Incoming>) -> &'static str {
    match request.uri().path() {
        "/" => "root",
        _ => "unmatched",
    }
}

/// Until Ctrl-C, or SIGTERM, by which services are stopped.
async fn told_to_stop() -> io::Result<()> {
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
        .service(service_fn(move |request| answer(handler.clone(), request)));

    println!("listening on http://{}/", listener.local_addr()?);
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(told_to_stop());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            told = &mut stop => break told?,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            // One client has left, or there are too many: no reason to stop for the others.
            Err(error) => {
                eprintln!("a connection was not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("a connection broke: {error}");
            }
        });
    }
    // Requests under way have ten seconds to be answered.
    let _ = tokio::time::timeout(Duration::from_secs(10), connections.shutdown()).await;
    println!("{}", statsd.stop().await.stats);
    Ok(())
}

//! Tests that `serve_until` starts, serves and stops a web service within its deadlines.

use crate::client::{KeepAliveClient, send_request};
use crate::off_runtime;
use crate::support::{self, FullAcceptQueue, TcpReceiver};
use axum::Router;
use axum::routing::get;
use freewheel::Settings;
use freewheel::axum::{ServeError, serve_until};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

fn settings(port: u16) -> Settings {
    let settings = Settings::new().enabled(true).host("127.0.0.1").port(port).prefix("app");
    settings.protocol(freewheel::Protocol::Tcp).shutdown_timeout(support::WAIT_TIMEOUT)
}

/// Waits until the web service ends, and returns its report. Panics if the service does not end
/// within [`WAIT_TIMEOUT`].
///
/// [`WAIT_TIMEOUT`]: support::WAIT_TIMEOUT
async fn wait_for_end(served: Served) -> freewheel::StopReport {
    tokio::time::timeout(support::WAIT_TIMEOUT, served)
        .await
        .expect("the service ends")
        .unwrap()
        .unwrap()
}

type Served = JoinHandle<Result<freewheel::StopReport, ServeError>>;

/// Starts a web service on this runtime with `serve_until`. Returns its address, a channel that
/// stops it, and its task.
async fn spawn_service(
    router: Router,
    settings: Settings,
) -> (SocketAddr, oneshot::Sender<()>, Served) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let signal = async { stopped.await.unwrap() };
    (address, stop, tokio::spawn(serve_until(listener, router, settings, signal)))
}

#[tokio::test]
async fn requests_in_flight_are_answered_and_their_metrics_sent() {
    let receiver = off_runtime(TcpReceiver::start).await;
    let (release, released) = tokio::sync::watch::channel(false);
    let router = Router::new().route("/", get(async || "hello")).route(
        "/slow",
        get(async move || {
            released.clone().wait_for(|&released| released).await.unwrap();
            "hello"
        }),
    );
    let (address, stop, served) = spawn_service(router, settings(receiver.port())).await;
    let client = KeepAliveClient::new(address);
    // This connection stays open and idle, and does not delay the shutdown.
    assert_eq!(client.request("GET", "/").await.unwrap(), 200);
    let slow = tokio::spawn(async move { client.request("GET", "/slow").await.unwrap() });
    // The pause lets the request arrive. No metric shows the request before its response.
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!served.is_finished());
    release.send(true).unwrap();
    assert_eq!(slow.await.unwrap(), 200);
    let report = wait_for_end(served).await;
    assert_eq!(report.stats.sent.lines, 2, "{}", report.stats);
    assert!(TcpStream::connect(address).await.is_err(), "the listener is still open");
    receiver.wait_for_lines(2);
    let lines = receiver.lines();
    assert!(lines[0].starts_with("app.timers.root.GET.200:"), "{lines:?}");
    assert!(lines[1].starts_with("app.timers.slow.GET.200:"), "{lines:?}");
}

#[tokio::test]
async fn endless_requests_delay_shutdown_up_to_its_timeout() {
    let receiver = off_runtime(TcpReceiver::start).await;
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/never", get(async || std::future::pending::<()>().await));
    let settings = settings(receiver.port()).shutdown_timeout(Duration::from_millis(300));
    let (address, stop, served) = spawn_service(router, settings).await;
    let _never = send_request(address, "/never").await;
    let _half = {
        use tokio::io::AsyncWriteExt;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HT").await.unwrap();
        stream
    };
    assert_eq!(KeepAliveClient::new(address).request("GET", "/").await.unwrap(), 200);
    let start = Instant::now();
    stop.send(()).unwrap();
    let report = wait_for_end(served).await;
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // The answered request is recorded nevertheless.
    assert_eq!(report.stats.sent.lines, 1, "{}", report.stats);
    receiver.wait_for_lines(1);
}

#[tokio::test]
async fn unreachable_server_delays_stop_up_to_its_timeout() {
    let unreachable = off_runtime(FullAcceptQueue::open).await;
    let settings = settings(unreachable.port());
    let settings = settings.tune(|builder| builder.stop_timeout(Duration::from_millis(300)));
    let router = Router::new().route("/", get(async || "hello"));
    let (address, stop, served) = spawn_service(router, settings).await;
    assert_eq!(KeepAliveClient::new(address).request("GET", "/").await.unwrap(), 200);
    let start = Instant::now();
    stop.send(()).unwrap();
    let report = wait_for_end(served).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!((report.stats.sent.lines, report.kept.lines), (0, 1), "{}", report.stats);
}

#[tokio::test]
async fn invalid_setting_is_an_error_before_serving() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let never = std::future::pending();
    let served = serve_until(listener, Router::new(), settings(0), never).await;
    let error = served.unwrap_err();
    assert!(matches!(&error, ServeError::Settings(refused) if refused.setting() == "port"));
    assert_eq!(error.to_string(), "invalid value 0 for port: expected 1 to 65535");
}

#[tokio::test]
async fn service_runs_with_metrics_disabled() {
    let router = Router::new().route("/", get(async || "hello"));
    let (address, stop, served) = spawn_service(router, Settings::new().enabled(false)).await;
    assert_eq!(KeepAliveClient::new(address).request("GET", "/").await.unwrap(), 200);
    stop.send(()).unwrap();
    assert_eq!(wait_for_end(served).await.stats.emitted.lines, 0);
}

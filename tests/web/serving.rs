//! `serve`: started, served and stopped, within its deadlines.

use crate::client::{Keeping, begin};
use crate::elsewhere;
use crate::support::{self, BlackHole, TcpReceiver};
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
    settings.protocol(freewheel::Protocol::Tcp).shutdown_timeout(support::PATIENCE)
}

/// Before anybody loses patience: a service that does not end fails its test, and does not hang it.
async fn end(served: Served) -> freewheel::StopReport {
    tokio::time::timeout(support::PATIENCE, served).await.expect("it ends").unwrap().unwrap()
}

type Served = JoinHandle<Result<freewheel::StopReport, ServeError>>;

/// A service on this runtime: its address, what ends it, and how it ended.
async fn served(router: Router, settings: Settings) -> (SocketAddr, oneshot::Sender<()>, Served) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let signal = async { stopped.await.unwrap() };
    (address, stop, tokio::spawn(serve_until(listener, router, settings, signal)))
}

#[tokio::test]
async fn requests_under_way_are_answered_and_their_metrics_sent() {
    let receiver = elsewhere(TcpReceiver::start).await;
    let (release, released) = tokio::sync::watch::channel(false);
    let router = Router::new().route("/", get(async || "hello")).route(
        "/slow",
        get(async move || {
            released.clone().wait_for(|&released| released).await.unwrap();
            "hello"
        }),
    );
    let (address, stop, served) = served(router, settings(receiver.port())).await;
    let client = Keeping::new(address);
    // Its connection stays open, idle, and holds nothing up.
    assert_eq!(client.request("GET", "/").await.unwrap(), 200);
    let slow = tokio::spawn(async move { client.request("GET", "/slow").await.unwrap() });
    // Until the request is there: its own metric is the only witness.
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!served.is_finished());
    release.send(true).unwrap();
    assert_eq!(slow.await.unwrap(), 200);
    let report = end(served).await;
    assert_eq!(report.stats.sent.lines, 2, "{}", report.stats);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    receiver.wait_for_lines(2);
    let lines = receiver.lines();
    assert!(lines[0].starts_with("app.timers.root.GET.200:"), "{lines:?}");
    assert!(lines[1].starts_with("app.timers.slow.GET.200:"), "{lines:?}");
}

#[tokio::test]
async fn requests_without_an_end_hold_up_the_shutdown_no_longer_than_its_timeout() {
    let receiver = elsewhere(TcpReceiver::start).await;
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/never", get(async || std::future::pending::<()>().await));
    let settings = settings(receiver.port()).shutdown_timeout(Duration::from_millis(300));
    let (address, stop, served) = served(router, settings).await;
    let _never = begin(address, "/never").await;
    let _half = {
        use tokio::io::AsyncWriteExt;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HT").await.unwrap();
        stream
    };
    assert_eq!(Keeping::new(address).request("GET", "/").await.unwrap(), 200);
    let start = Instant::now();
    stop.send(()).unwrap();
    let report = end(served).await;
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // What was answered is there all the same.
    assert_eq!(report.stats.sent.lines, 1, "{}", report.stats);
    receiver.wait_for_lines(1);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_holds_up_the_stop_no_longer_than_its_timeout() {
    let nowhere = elsewhere(BlackHole::open).await;
    let settings = settings(nowhere.port());
    let settings = settings.tune(|builder| builder.stop_timeout(Duration::from_millis(300)));
    let router = Router::new().route("/", get(async || "hello"));
    let (address, stop, served) = served(router, settings).await;
    assert_eq!(Keeping::new(address).request("GET", "/").await.unwrap(), 200);
    let start = Instant::now();
    stop.send(()).unwrap();
    let report = end(served).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!((report.stats.sent.lines, report.kept.lines), (0, 1), "{}", report.stats);
}

#[tokio::test]
async fn a_bad_setting_is_an_error_before_anything_is_served() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let never = std::future::pending();
    let served = serve_until(listener, Router::new(), settings(0), never).await;
    let error = served.unwrap_err();
    assert!(matches!(&error, ServeError::Settings(refused) if refused.setting() == "port"));
    assert_eq!(error.to_string(), "invalid value 0 for port: expected 1 to 65535");
}

#[tokio::test]
async fn a_disabled_service_is_served_all_the_same() {
    let router = Router::new().route("/", get(async || "hello"));
    let (address, stop, served) = served(router, Settings::new().enabled(false)).await;
    assert_eq!(Keeping::new(address).request("GET", "/").await.unwrap(), 200);
    stop.send(()).unwrap();
    assert_eq!(end(served).await.stats.emitted.lines, 0);
}

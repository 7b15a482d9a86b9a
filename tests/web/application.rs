//! Tests of the sample applications `examples/axum.rs` and `examples/hyper.rs`, each in a separate
//! process.

#[path = "../../examples/axum.rs"]
#[allow(dead_code)]
mod on_axum;
#[path = "../../examples/hyper.rs"]
#[allow(dead_code)]
mod on_hyper;

use crate::client::KeepAliveClient;
use crate::support::{TcpReceiver, WAIT_TIMEOUT};
use crate::{off_runtime, without_time};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Name of the environment variable that tells a child process of the tests which sample
/// application to run.
const APPLICATION: &str = "FREEWHEEL_TEST_APPLICATION";

/// Child process that runs a sample application with `STATSD_HOST` and `STATSD_PREFIX` set.
/// `STATSD_PORT` is set only if the test gives a port.
pub(crate) struct Application {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Application {
    /// Starts the sample application `which` (`axum` or `hyper`) with a StatsD server at `host`,
    /// and waits until the application listens.
    pub(crate) fn start(which: &str, host: &str, port: Option<u16>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["application::application", "--exact", "--nocapture"]);
        for variable in ["STATSD_ENABLED", "STATSD_PORT", "STATSD_PROTOCOL"] {
            command.env_remove(variable);
        }
        // Without a port, the application uses StatsD's default.
        if let Some(port) = port {
            command.env("STATSD_PORT", port.to_string());
        }
        command.env("STATSD_HOST", host).env("STATSD_PREFIX", "applications.my-service");
        command.env(APPLICATION, which).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "the application does not listen");
            if let Some((_, url)) = line.split_once("listening on http://") {
                break url.trim_end().trim_end_matches('/').parse().unwrap();
            }
        };
        Self { child, output, address }
    }

    /// Sends a Unix signal to the process. The name of the signal has no `SIG`, as in `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let mut kill = Command::new("kill");
        assert!(kill.args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Waits until the process exits with success, and returns its remaining output.
    pub(crate) fn end(mut self) -> String {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < WAIT_TIMEOUT, "the application does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(self.child.wait().unwrap().success());
        let mut printed = String::new();
        self.output.read_to_string(&mut printed).unwrap();
        printed
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a sample application if another test has started this program as an application. Otherwise
/// does nothing.
#[test]
fn application() {
    let Ok(which) = std::env::var(APPLICATION) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        match &*which {
            "hyper" => on_hyper::run(listener).await.unwrap(),
            _ => on_axum::run(listener).await.unwrap(),
        }
    });
}

/// Makes one request to a sample application, and stops the application with a signal. Returns the
/// lines that the StatsD server received, with `_` in place of durations.
#[cfg(unix)]
async fn lines_of_one_request(which: &str, signal: &str) -> Vec<String> {
    let receiver = off_runtime(TcpReceiver::start).await;
    let application = Application::start(which, "127.0.0.1", Some(receiver.port()));
    let client = KeepAliveClient::new(application.address);
    assert_eq!(client.request("GET", "/").await.unwrap(), 204);
    application.signal(signal);
    let printed = tokio::task::spawn_blocking(|| application.end()).await.unwrap();
    assert!(printed.contains("buffered 0 + dropped 0 + lost 0"), "{printed}");
    receiver.wait_for_end();
    receiver.lines().iter().map(|line| without_time(line)).collect()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axum_application_sends_the_lines_of_the_readme() {
    let expected = [
        "applications.my-service.timers.some-operation:_|ms",
        "applications.my-service.timers.root.GET.204:_|ms",
    ];
    assert_eq!(lines_of_one_request("axum", "INT").await, expected);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hyper_application_sends_the_lines_of_the_readme() {
    let timings = [
        "applications.my-service.timers.some-operation:_|ms",
        "applications.my-service.timers.root.GET.204:_|ms",
    ];
    for signal in ["INT", "TERM"] {
        let (gauges, others): (Vec<_>, Vec<_>) = lines_of_one_request("hyper", signal)
            .await
            .into_iter()
            .partition(|line| line.ends_with("|g"));
        assert_eq!(others, timings);
        // The request takes as long as the aggregate interval, so that it can begin and end in one.
        let name = "applications.my-service.gauges.requests.in_flight";
        let counts = gauges.iter().map(|line| line.strip_prefix(name)).collect::<Vec<_>>();
        assert!([&[][..], &[Some(":1|g"), Some(":0|g")]].contains(&&*counts), "{gauges:?}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_no_metric_of_an_answered_request() {
    stop_under_load("TERM").await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigint_under_load_loses_no_metric_of_an_answered_request() {
    stop_under_load("INT").await;
}

/// Stops a sample application with this signal while HTTP clients make requests.
///
/// Asserts that the metrics of all answered requests arrive.
#[cfg(unix)]
async fn stop_under_load(signal: &str) {
    let receiver = off_runtime(TcpReceiver::start).await;
    let application = Application::start("axum", "127.0.0.1", Some(receiver.port()));
    let client = KeepAliveClient::new(application.address);
    let (answered, requested) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for number in 0..300_u64 {
        let (client, answered, requested) =
            (client.clone(), Arc::clone(&answered), Arc::clone(&requested));
        clients.spawn(async move {
            // Spreads the clients over the second that a request takes.
            tokio::time::sleep(Duration::from_millis(number * 3)).await;
            // The loop ends when a request is refused because the application has stopped.
            loop {
                requested.fetch_add(1, Ordering::Relaxed);
                match client.request("GET", "/").await {
                    Ok(status) => assert_eq!(status, 204),
                    Err(_) => break,
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    application.signal(signal);
    let refused = async {
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
    };
    tokio::time::timeout(WAIT_TIMEOUT, refused).await.expect("the application ends");
    let printed = tokio::task::spawn_blocking(|| application.end()).await.unwrap();
    let (answered, requested) =
        (answered.load(Ordering::Relaxed), requested.load(Ordering::Relaxed));
    receiver.wait_for_end();
    let lines = receiver.lines();
    let count = |name: &str| {
        let name = format!("applications.my-service.timers.{name}:");
        lines.iter().filter(|line| line.starts_with(&name)).count() as u64
    };
    let recorded = count("root.GET.204");
    assert!(answered >= 300, "there was too little load: {answered} requests");
    assert!(requested > answered, "the application was not stopped under load");
    // A response can get lost while the connection closes, although its request is recorded.
    assert!((answered..=requested).contains(&recorded), "{answered} <= {recorded} <= {requested}");
    assert_eq!(count("some-operation"), recorded + count("root.GET.499"));
    let expected_lines = 2 * recorded + 2 * count("root.GET.499");
    assert_eq!(lines.len() as u64, expected_lines, "there are other lines");
    assert!(printed.contains("buffered 0 + dropped 0 + lost 0"), "{printed}");
}

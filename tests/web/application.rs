//! The sample application, `examples/axum.rs`, in a process of its own.

#[path = "../../examples/axum.rs"]
#[allow(dead_code)]
mod sample;

use crate::client::Keeping;
use crate::elsewhere;
use crate::support::{PATIENCE, TcpReceiver};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Set in the process that is the application.
const APPLICATION: &str = "FREEWHEEL_TEST_APPLICATION";

/// The application in a process that has these two variables of StatsD and no other.
pub(crate) struct Application {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Application {
    pub(crate) fn start(host: &str, port: Option<u16>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["application::application", "--exact", "--nocapture"]);
        for variable in ["STATSD_ENABLED", "STATSD_PORT", "STATSD_PROTOCOL"] {
            command.env_remove(variable);
        }
        // Where it is not StatsD's own.
        if let Some(port) = port {
            command.env("STATSD_PORT", port.to_string());
        }
        command.env("STATSD_HOST", host).env("STATSD_PREFIX", "applications.my-service");
        command.env(APPLICATION, "1").stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "the application listens");
            if let Some((_, url)) = line.split_once("listening on http://") {
                break url.trim_end().trim_end_matches('/').parse().unwrap();
            }
        };
        Self { child, output, address }
    }

    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// All that it has printed since, when it has ended well.
    pub(crate) fn end(mut self) -> String {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < PATIENCE, "it ends");
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

/// Not a test but the application, where another test has started this program as such.
#[test]
fn application() {
    if std::env::var_os(APPLICATION).is_none() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        sample::run(listener).await.unwrap();
    });
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_in_the_midst_of_load_it_loses_no_metric_of_a_request_that_was_answered() {
    let receiver = elsewhere(TcpReceiver::start).await;
    let application = Application::start("127.0.0.1", Some(receiver.port()));
    let client = Keeping::new(application.address);
    let (answered, asked) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for number in 0..300_u64 {
        let (client, answered, asked) = (client.clone(), Arc::clone(&answered), Arc::clone(&asked));
        clients.spawn(async move {
            // Spread over the second that a request takes.
            tokio::time::sleep(Duration::from_millis(number * 3)).await;
            // Until it is refused, since the application has ended.
            loop {
                asked.fetch_add(1, Ordering::Relaxed);
                match client.request("GET", "/").await {
                    Ok(status) => assert_eq!(status, 204),
                    Err(_) => break,
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    application.terminate();
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let printed = tokio::task::spawn_blocking(|| application.end()).await.unwrap();
    let (answered, asked) = (answered.load(Ordering::Relaxed), asked.load(Ordering::Relaxed));
    receiver.wait_for_end();
    let lines = receiver.lines();
    let count = |name: &str| {
        let name = format!("applications.my-service.timers.{name}:");
        lines.iter().filter(|line| line.starts_with(&name)).count() as u64
    };
    let recorded = count("root.GET.204");
    assert!(answered >= 300, "there was load: {answered}");
    assert!(asked > answered, "it was ended in the midst of it");
    // An answer can get lost where its client's next request crosses the end of the connection.
    assert!((answered..=asked).contains(&recorded), "{answered} <= {recorded} <= {asked}");
    assert_eq!(count("some-operation"), recorded + count("root.GET.499"));
    assert_eq!(lines.len() as u64, 2 * recorded + 2 * count("root.GET.499"), "nothing else");
    assert!(printed.contains("buffered 0 + dropped 0 + lost 0"), "{printed}");
}

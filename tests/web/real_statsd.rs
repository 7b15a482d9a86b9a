//! Test of the sample application `examples/axum.rs` with statsd 0.9.0, the original server.

#[path = "../servers/server.rs"]
#[allow(dead_code)]
mod server;

use crate::application::Application;
use crate::client::KeepAliveClient;
use server::{Reports, Server, Timer};
use std::path::Path;
use std::process::Command;

/// Starts statsd at its default port, on a loopback address that no other test uses.
fn start_statsd(address: &str) -> Server {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("target/servers/node_modules/statsd/stats.js");
    assert!(program.is_file(), "statsd 0.9.0 is not installed: run .ci/servers");
    let mut command = Command::new("node");
    command.arg(program).arg(root.join("tests/servers/statsd-config.js"));
    command.env("STATSD_PORT", "8125").env("STATSD_ADDRESS", address);
    let server = Server::start(&mut command, parse_line);
    server.wait_until(|reported| reported.ports.len() == 2);
    server
}

/// Parses a line that the statsd backend `statsd-backend.js` prints, and records only timers and
/// listening ports in `reported`.
fn parse_line(reported: &mut Reports, line: &str) -> Option<()> {
    let mut words = line.split(' ');
    let (kind, name) = (words.next()?, words.next().unwrap_or_default());
    let numbers = words.map(|word| word.parse().ok()).collect::<Option<Vec<f64>>>()?;
    match (kind, &*numbers) {
        ("listening", &[port]) => drop(reported.ports.insert(name.to_owned(), port as u16)),
        ("timer", &[count, lower, upper, sum]) => {
            reported.metrics.timer(name).merge(&Timer { count, lower, upper, sum });
        }
        _ => {}
    }
    Some(())
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs statsd 0.9.0: run .ci/servers, then cargo test --features axum --test web -- --ignored"]
async fn sample_application_reports_two_timers_after_one_request() {
    let address = "127.81.25.1";
    let server = start_statsd(address);
    let application = Application::start("axum", address, None);
    let client = KeepAliveClient::new(application.address);
    assert_eq!(client.request("GET", "/").await.unwrap(), 204);
    let reported = server.wait_until(|reported| reported.metrics.timers.len() >= 2);
    application.signal("TERM");
    application.end();
    let timers = reported.metrics.timers;
    let names: Vec<_> = timers.keys().collect();
    let expected = [
        "applications.my-service.timers.root.GET.204",
        "applications.my-service.timers.some-operation",
    ];
    assert_eq!(names, expected);
    for (name, Timer { count, lower, .. }) in &timers {
        assert_eq!(*count, 1.0, "{name}");
        assert!((1_000.0..10_000.0).contains(lower), "{name}: {lower}");
    }
}

//! Tests with collectd's statsd plugin, over UDP.
//!
//! collectd rounds counters to integers, truncates durations to milliseconds and ignores zero
//! durations. The tests therefore send integers and whole milliseconds only.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use freewheel::{Dialect, Protocol};

use crate::sampling_and_sets::{DISTINCT_MEMBERS, connector, count_sampled, insert_until_seen};
use crate::server::{DEADLINE, Metrics, Reports, Server};
use crate::workload::{Workload, deliver};

/// Name of a counter that the test sends until collectd reports it, which shows that collectd
/// listens. Every later report repeats this counter, so the test counts complete reports by it.
const PROBE: &str = "probe";

/// Interval between two lines for the counter `PROBE`, which a test sends until collectd reports
/// it.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);

static WORKLOAD: Workload = Workload { fraction: 3.0, tick: Duration::from_millis(2) };

/// Running collectd process, and the UDP port of its statsd plugin.
struct Collectd {
    server: Server,
    port: u16,
}

impl Collectd {
    /// Starts collectd on a free UDP port, and waits until collectd reports the counter `PROBE`.
    fn start() -> Self {
        let probe = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = free_udp_port();
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let config = directory.join(format!("collectd-{port}.conf"));
        fs::write(&config, configuration(directory, port)).expect("cargo created the directory");
        // collectd would buffer its output to a pipe: stdbuf flushes each line. collectd would also
        // survive the tests: setpriv kills it when its parent dies.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "stdbuf", "-oL"]);
        command.arg(program()).arg("-f").arg("-C").arg(config);
        let server = Server::start(&mut command, parse_line);

        let line = format!("{PROBE}:1|c");
        for _ in 0..DEADLINE.as_millis() / PROBE_INTERVAL.as_millis() {
            // An error means that the previous probe was refused. The next may succeed.
            let _ = probe.send_to(line.as_bytes(), ("127.0.0.1", port));
            let reported = server.wait_for(PROBE_INTERVAL, |reported| reported.completed > 0);
            if reported.completed > 0 {
                return Self { server, port };
            }
        }
        panic!("collectd does not count the probes sent to port {port}");
    }
}

/// Returns the path of the program collectd. It also searches `/usr/sbin`, where Debian installs
/// collectd, outside an ordinary user's `PATH`.
fn program() -> PathBuf {
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .chain([PathBuf::from("/usr/sbin")])
        .map(|directory| directory.join("collectd"))
        .find(|program| program.is_file())
        .expect("collectd is not installed: run .ci/servers")
}

/// Returns a UDP port that is currently free. The test gives it to collectd, which cannot choose a
/// port itself.
fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
    socket.local_addr().expect("the socket is bound").port()
}

fn configuration(directory: &Path, port: u16) -> String {
    format!(
        r#"
Hostname "host"
FQDNLookup false
BaseDir "{directory}"
Interval 0.05
# Several threads could report two values of a gauge in the wrong order.
WriteThreads 1
LoadPlugin statsd
LoadPlugin csv
<Plugin statsd>
    Host "127.0.0.1"
    Port "{port}"
    TimerCount true
    TimerLower true
    TimerUpper true
    TimerSum true
</Plugin>
<Plugin csv>
    DataDir "stdout"
    StoreRates false
</Plugin>
"#,
        directory = directory.display(),
    )
}

/// Parses a line of collectd's csv plugin, which reports one metric, and records its value in
/// `reported`.
///
/// The line has the form `PUTVAL host/statsd/TYPE-NAME interval=SECONDS TIME:VALUE`. The value is a
/// counter's total, a gauge's value, or a timer's summary since the last report.
fn parse_line(reported: &mut Reports, line: &str) -> Option<()> {
    let (path, times) = line.strip_prefix("PUTVAL host/statsd/")?.split_once(" interval=")?;
    let (kind, name) = path.split_once('-')?;
    let value: f64 = times.rsplit_once(':')?.1.parse().ok()?;
    // collectd reports seconds with six decimals. It stores whole milliseconds.
    let milliseconds = (value * 1e3).round();
    let metrics = &mut reported.metrics;
    match (kind, name.rsplit_once('-')) {
        ("gauge", Some((name, "count"))) => metrics.timer(name).count += value,
        ("latency", _) if value.is_nan() => {} // No value since the last report.
        ("latency", Some((name, "lower"))) => {
            let timer = metrics.timer(name);
            timer.lower = timer.lower.min(milliseconds);
        }
        ("latency", Some((name, "upper"))) => {
            let timer = metrics.timer(name);
            timer.upper = timer.upper.max(milliseconds);
        }
        ("latency", Some((name, "sum"))) => metrics.timer(name).sum += milliseconds,
        ("latency", _) => {}
        ("objects", _) => reported.record_set(name, value),
        ("derive", _) if name == PROBE => reported.completed += 1,
        ("derive", _) => drop(metrics.counters.insert(name.to_owned(), value)),
        ("gauge", _) => drop(metrics.gauges.insert(name.to_owned(), value)),
        _ => return None,
    }
    Some(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs collectd: run .ci/servers, then cargo test --test servers -- --ignored"]
async fn exact_totals_over_udp() {
    let Collectd { server, port } = Collectd::start();
    deliver(&WORKLOAD, &server, port, Protocol::Udp).await;
    server.assert_reports(&WORKLOAD.metrics());
}

#[test]
#[ignore = "needs collectd: run .ci/servers, then cargo test --test servers -- --ignored"]
fn rates_and_sets() {
    let Collectd { server, port } = Collectd::start();
    let statsd = connector(Dialect::StatsD, port, |builder| builder);
    statsd.start_on_thread().expect("the connector was not started before");
    let sampled = count_sampled(&statsd);
    let _ = statsd.blocking_flush();
    let set = "app.visitors";
    insert_until_seen(&statsd, || {
        server.wait_for(Duration::ZERO, |_| false).sets.get(set).copied()
    });
    let counter = |(name, count)| (format!("app.{name}"), count);
    let counters = sampled.map(counter).into();
    let reported = server.assert_reports(&Metrics { counters, ..Metrics::default() });
    assert_eq!(reported.sets, [(set.to_owned(), DISTINCT_MEMBERS)].into());
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.sent, stats.emitted, "{stats:?}");
}

//! collectd's statsd plugin, over UDP.
//!
//! collectd rounds counters to integers, cuts durations to whole milliseconds and ignores those
//! that are then zero. So it is sent integers and whole milliseconds only.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use freewheel::{Dialect, Protocol};

use crate::server::{DEADLINE, Metrics, Reported, Server};
use crate::vocabulary::{DIFFERENT, connector, count_sampled, insert_until_seen};
use crate::workload::{Workload, deliver};

/// A counter of the tests' own. It says when collectd listens and, as every report repeats every
/// counter, that another report is complete.
const PROBE: &str = "probe";

/// How long a probe may take before another one is sent.
const PATIENCE: Duration = Duration::from_millis(200);

static WORKLOAD: Workload = Workload { fraction: 3.0, tick: Duration::from_millis(2) };

struct Collectd {
    server: Server,
    port: u16,
}

impl Collectd {
    /// Starts a server on a free port and waits until it has counted a probe.
    fn start() -> Self {
        let probe = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = free_udp_port();
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let config = directory.join(format!("collectd-{port}.conf"));
        fs::write(&config, configuration(directory, port)).expect("cargo made the directory");
        // Into a pipe collectd would write whole buffers only: stdbuf makes that lines. Nor does it
        // mind when nobody reads them any more: setpriv has it killed should the tests be.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "stdbuf", "-oL"]);
        command.arg(program()).arg("-f").arg("-C").arg(config);
        let server = Server::start(&mut command, read_line);

        let line = format!("{PROBE}:1|c");
        for _ in 0..DEADLINE.as_millis() / PATIENCE.as_millis() {
            // An error tells that nobody listened to the one before: the next may do better.
            let _ = probe.send_to(line.as_bytes(), ("127.0.0.1", port));
            let reported = server.wait_for(PATIENCE, |reported| reported.reports > 0);
            if reported.reports > 0 {
                return Self { server, port };
            }
        }
        panic!("collectd counts nothing that is sent to port {port}");
    }
}

/// Debian puts collectd into a directory that an ordinary user's `PATH` lacks.
fn program() -> PathBuf {
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .chain([PathBuf::from("/usr/sbin")])
        .map(|directory| directory.join("collectd"))
        .find(|program| program.is_file())
        .expect("collectd is not installed: run .ci/servers")
}

/// A port that was free a moment ago; collectd can only be told a port, not asked for one.
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
# More than one thread could report two values of the same gauge in the wrong order.
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

/// Reads `PUTVAL host/statsd/TYPE-NAME interval=SECONDS TIME:VALUE`, which the csv plugin writes
/// for every metric in every report: a counter's total, a gauge's value, and what came of a timer
/// since the last report.
fn read_line(reported: &mut Reported, line: &str) -> Option<()> {
    let (path, times) = line.strip_prefix("PUTVAL host/statsd/")?.split_once(" interval=")?;
    let (kind, name) = path.split_once('-')?;
    let value: f64 = times.rsplit_once(':')?.1.parse().ok()?;
    // Reported in seconds with six decimals, kept as whole milliseconds.
    let milliseconds = (value * 1e3).round();
    let metrics = &mut reported.metrics;
    match (kind, name.rsplit_once('-')) {
        ("gauge", Some((name, "count"))) => metrics.timer(name).count += value,
        ("latency", _) if value.is_nan() => {} // None came.
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
        ("objects", _) => reported.set(name, value),
        ("derive", _) if name == PROBE => reported.reports += 1,
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
    statsd.start_on_thread().expect("not started yet");
    let sampled = count_sampled(&statsd);
    let _ = statsd.blocking_flush();
    let set = "app.visitors";
    insert_until_seen(&statsd, || {
        server.wait_for(Duration::ZERO, |_| false).sets.get(set).copied()
    });
    let counter = |(name, count)| (format!("app.{name}"), count);
    let counters = sampled.map(counter).into();
    let reported = server.assert_reports(&Metrics { counters, ..Metrics::default() });
    assert_eq!(reported.sets, [(set.to_owned(), DIFFERENT)].into());
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.sent, stats.emitted, "{stats:?}");
}

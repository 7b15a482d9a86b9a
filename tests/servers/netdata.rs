//! Tests with netdata's statsd server, over UDP and TCP.

use crate::deaths::{assert_deaths_lose_only_counted_lines, free_port};
use crate::process::skip;
use crate::sampling_and_sets::{DISTINCT_MEMBERS, connector, count_sampled, insert_until_seen};
use crate::server::DEADLINE;
use freewheel::{Counter, Dialect, Gauge, Histogram, Meter, Protocol, Timing};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Running netdata process, which is killed when this value is dropped.
struct Netdata {
    process: Child,
    /// Port of netdata's HTTP interface.
    web: u16,
}

impl Netdata {
    /// Starts netdata, and waits until its HTTP interface answers.
    fn start(program: &Path, statsd: u16, web: u16) -> Self {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("netdata-{statsd}"));
        fs::create_dir_all(&home).expect("cargo created the parent directory");
        let config = home.join("netdata.conf");
        fs::write(&config, configuration(&home, statsd, web)).expect("the directory is writable");
        // netdata would survive the tests: setpriv kills it when its parent dies.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).arg("-D").arg("-c").arg(config);
        command.arg("-P").arg(home.join("pid"));
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { process: command.spawn().expect("setpriv is installed"), web };
        let deadline = Instant::now() + DEADLINE;
        while server.query().is_none() {
            assert!(Instant::now() < deadline, "netdata does not answer");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Queries all metrics from netdata's HTTP interface, in the Prometheus format. Returns `None`
    /// if netdata does not answer.
    fn query(&self) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.web)).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        let query = "GET /api/v1/allmetrics?format=prometheus&source=raw HTTP/1.0\r\n\r\n";
        stream.write_all(query.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(answer)
    }

    /// Returns the values of all counters that netdata reports, by name. Panics if netdata reports
    /// another type of metric.
    fn counted(&self) -> BTreeMap<String, f64> {
        let metrics = self.metrics();
        let counted = metrics.into_iter().map(|(name, count)| {
            let name =
                name.strip_suffix(" counter_total counter").expect("all metrics are counters");
            (name.to_owned(), count)
        });
        counted.collect()
    }

    /// Returns the values of all metrics that netdata reports, under keys of the form
    /// `NAME TYPE DIMENSION`.
    ///
    /// netdata reports lines `netdata_statsd_NAME_TYPE{...,dimension="DIMENSION"} NUMBER TIME`,
    /// where `_` replaces a dot.
    fn metrics(&self) -> BTreeMap<String, f64> {
        let answer = self.query().expect("the server answers");
        let lines = answer.lines().filter_map(|line| line.strip_prefix("netdata_statsd_"));
        let metrics = lines.map(|line| {
            let (name, rest) = line.split_once('{').expect("a metric has labels");
            let (labels, numbers) = rest.split_once("} ").expect("the labels end");
            let name = match name.strip_suffix("_total") {
                Some(name) => name.rsplit_once('_').map(|(name, kind)| (name, kind, "_total")),
                None => name.rsplit_once('_').map(|(name, kind)| (name, kind, "")),
            };
            let (name, kind, total) = name.expect("the name has a type");
            let (_, dimension) =
                labels.split_once("dimension=\"").expect("a metric has a dimension");
            let name = name.replace('_', ".");
            let name = format!("{name} {kind}{total} {}", dimension.trim_end_matches('"'));
            let number = numbers.split(' ').next().and_then(|number| number.parse().ok());
            (name, number.expect("a metric has a number"))
        });
        metrics.collect()
    }
}

impl Drop for Netdata {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(home: &Path, statsd: u16, web: u16) -> String {
    let home = home.display();
    // As root, netdata would switch to its own user, who cannot read this directory.
    let user = Command::new("id").arg("-un").output().expect("id is installed").stdout;
    let user = String::from_utf8(user).expect("a user name is text");
    let directories = ["config", "stock config", "log", "cache", "lib", "registry", "lock"]
        .into_iter()
        .chain(["plugins", "web"])
        .map(|name| format!("    {name} = {home}\n"))
        .collect::<String>();
    // Only statsd is needed: all monitoring of the machine is off.
    let idle = ["proc", "diskspace", "cgroups", "tc", "timex", "idlejitter", "profile"]
        .into_iter()
        .chain(["enable running new plugins", "netdata monitoring"])
        .map(|name| format!("    {name} = no\n"))
        .collect::<String>();
    format!(
        "[global]
    run as user = {user}
[directories]
{directories}
[db]
    mode = ram
    retention = 60
[logs]
    access = none
    debug = none
    error = none
[web]
    bind to = 127.0.0.1:{web}
    web server threads = 1
[statsd]
    bind to = udp:127.0.0.1:{statsd} tcp:127.0.0.1:{statsd}
[plugins]
{idle}
[health]
    enabled = no
[ml]
    enabled = no
[registry]
    enabled = no
"
    )
}

/// Returns the path of the program netdata, or `None` if it is not installed.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    directories.map(|directory| directory.join("netdata")).find(|program| program.is_file())
}

#[test]
#[ignore = "needs netdata: run .ci/servers, then cargo test --test servers -- --ignored"]
fn deaths_over_tcp() {
    let Some(program) = program() else {
        return skip("netdata::deaths_over_tcp", "netdata is not installed");
    };
    let statsd = free_port();
    let web = free_port();
    let start = || Netdata::start(&program, statsd, web);
    assert_deaths_lose_only_counted_lines(Protocol::Tcp, statsd, start, Netdata::counted);
}

/// Sends counters, gauges, meters, timings, histograms and sets to netdata, and asserts that
/// netdata reports the expected values.
///
/// Counters and gauges persist in the server, so they are sent once. Summaries cover a single
/// second, so they are sent until a report shows them. Gauges, times and sizes are reported in
/// thousandths.
fn all_metric_kinds(protocol: Protocol) {
    let Some(program) = program() else {
        return skip("netdata::all_metric_kinds", "netdata is not installed");
    };
    let (port, web) = (free_port(), free_port());
    let server = Netdata::start(&program, port, web);
    let statsd = connector(Dialect::Extended, port, |builder| builder.protocol(protocol));
    statsd.start_on_thread().expect("the connector was not started before");
    let sampled = count_sampled(&statsd);
    let hits = statsd.metric::<Counter>("hits").build();
    (0..1_000).for_each(|_| hits.incr_by(3));
    (0..1_000).for_each(|_| statsd.decr("hits"));
    statsd.metric::<Counter>("a:1|c\nb").incr();
    statsd.metric::<Gauge>("depth").build().set(17.5);
    statsd.gauge("balance", 40);
    statsd.gauge("balance", -5);
    statsd.metric::<Gauge>("level").set(20);
    statsd.gauge_delta("level", -5);
    let marks = statsd.metric::<Meter>("marks").build();
    (0..1_000).for_each(|_| marks.mark(2));
    let counters = sampled.into_iter().chain([("hits", 2_000.0), ("a.1.c.b", 1.0)]);
    let mut expected: BTreeMap<_, _> = counters
        .map(|(name, count)| (format!("app.{name} counter_total counter"), count))
        .collect();
    expected.insert("app.marks meter_total meter".to_owned(), 2_000.0);
    for (name, level) in [("depth", 17.5), ("balance", -5.0), ("level", 15.0)] {
        expected.insert(format!("app.{name} gauge gauge"), 1e3 * level);
    }
    let _ = statsd.blocking_flush();
    let deadline = Instant::now() + DEADLINE;
    let mut metrics = server.metrics();
    while metrics != expected && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
        metrics = server.metrics();
    }
    assert_eq!(metrics, expected);

    let (query, size) =
        (statsd.metric::<Timing>("query").build(), statsd.metric::<Histogram>("size").build());
    insert_until_seen(&statsd, || {
        query.record(Duration::from_micros(1_500));
        size.record(3);
        let metrics = server.metrics();
        let size = metrics.get("app.visitors set unique").copied();
        if size == Some(DISTINCT_MEMBERS) {
            for name in ["query timer", "size histogram"] {
                let value = if name == "query timer" { 1_500.0 } else { 3_000.0 };
                for dimension in ["min", "max", "average", "median"] {
                    let value_reported = metrics.get(&format!("app.{name} {dimension}"));
                    assert_eq!(value_reported, Some(&value), "{name}, {dimension}");
                }
            }
        }
        size
    });
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.sent, stats.emitted, "{stats:?}");
}

#[test]
#[ignore = "needs netdata: run .ci/servers, then cargo test --test servers -- --ignored"]
fn all_metric_kinds_over_udp() {
    all_metric_kinds(Protocol::Udp);
}

#[test]
#[ignore = "needs netdata: run .ci/servers, then cargo test --test servers -- --ignored"]
fn all_metric_kinds_over_tcp() {
    all_metric_kinds(Protocol::Tcp);
}

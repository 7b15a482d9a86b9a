//! Tests with statsd 0.9.0, the original server, over UDP and TCP.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use freewheel::{Connector, Counter, Dialect, Gauge, Protocol, Timing};

use crate::deaths::{assert_deaths_lose_only_counted_lines, free_port};
use crate::sampling_and_sets::{DISTINCT_MEMBERS, connector, count_sampled, insert_members};
use crate::server::{Metrics, Reports, Server, Timer};
use crate::workload::{Workload, deliver};

/// Running statsd process, and the ports at which it listens.
struct Statsd {
    server: Server,
    udp: u16,
    tcp: u16,
}

impl Statsd {
    /// Starts statsd on free ports, and waits until it listens.
    fn start() -> Self {
        Self::start_at(0)
    }

    /// Starts statsd at this port for both UDP and TCP, and waits until it listens. Port 0 picks
    /// free ports.
    fn start_at(port: u16) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = root.join("target/servers/node_modules/statsd/stats.js");
        assert!(
            program.is_file(),
            "statsd 0.9.0 is not installed: run .ci/servers, which puts {} there",
            program.display(),
        );
        let mut command = Command::new("node");
        command.arg(program).arg(root.join("tests/servers/statsd-config.js"));
        command.env("STATSD_PORT", port.to_string());
        let server = Server::start(&mut command, parse_line);
        let ports = server.wait_until(|reported| reported.ports.len() == 2).ports;
        let port = |protocol| *ports.get(protocol).expect("statsd listens");
        Self { udp: port("udp"), tcp: port("tcp"), server }
    }
}

/// Parses a line that the statsd backend `statsd-backend.js` prints, and records its content in
/// `reported`.
fn parse_line(reported: &mut Reports, line: &str) -> Option<()> {
    let mut words = line.split(' ');
    let kind = words.next()?;
    if kind == "flush" {
        reported.completed += 1;
        return Some(());
    }
    let name = words.next()?;
    let numbers = words.map(|word| word.parse().ok()).collect::<Option<Vec<f64>>>()?;
    let metrics = &mut reported.metrics;
    match (kind, name, &*numbers) {
        ("set", name, &[size]) => reported.record_set(name, size),
        ("listening", protocol, &[port]) => {
            reported.ports.insert(protocol.to_owned(), port as u16);
        }
        ("counter", "statsd.metrics_received", &[increase]) => reported.lines += increase as u64,
        ("counter", "statsd.bad_lines_seen", &[increase]) => reported.bad_lines += increase as u64,
        ("counter" | "gauge", _, &[_]) if name.starts_with("statsd.") => {}
        ("counter", name, &[increase]) => {
            *metrics.counters.entry(name.to_owned()).or_default() += increase;
        }
        ("gauge", name, &[value]) => {
            metrics.gauges.insert(name.to_owned(), value);
        }
        ("timer", name, &[count, lower, upper, sum]) => {
            metrics.timer(name).merge(&Timer { count, lower, upper, sum });
        }
        _ => return None,
    }
    Some(())
}

/// Workload for statsd: values of the lines to send. They are multiples of a quarter, so that their
/// sums are exact in the server's arithmetic.
static WORKLOAD: Workload = Workload { fraction: 0.5, tick: Duration::from_micros(250) };

/// Kills several statsd servers at the same port under load. Asserts that only lines that the
/// client had sent to the killed servers are lost.
fn deaths(protocol: Protocol) {
    let port = free_port();
    let counted = |statsd: &Statsd| {
        let reported = statsd.server.wait_for(Duration::ZERO, |_| false);
        assert_eq!(reported.bad_lines, 0, "{reported:?}");
        reported.metrics.counters
    };
    assert_deaths_lose_only_counted_lines(protocol, port, || Statsd::start_at(port), counted);
}

#[test]
#[ignore = "needs statsd 0.9.0: run .ci/servers, then cargo test --test servers -- --ignored"]
fn deaths_over_udp() {
    deaths(Protocol::Udp);
}

#[test]
#[ignore = "needs statsd 0.9.0: run .ci/servers, then cargo test --test servers -- --ignored"]
fn deaths_over_tcp() {
    deaths(Protocol::Tcp);
}

/// Sends all lines of the workload to statsd, and asserts that statsd reports their exact totals.
async fn exact_totals(protocol: Protocol) {
    let statsd = Statsd::start();
    let port = match protocol {
        Protocol::Tcp => statsd.tcp,
        _ => statsd.udp,
    };
    let sent_lines = deliver(&WORKLOAD, &statsd.server, port, protocol).await;
    let reported = statsd.server.assert_reports(&WORKLOAD.metrics());
    assert_eq!(reported.lines, sent_lines);
    assert_eq!(reported.bad_lines, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs statsd 0.9.0: run .ci/servers, then cargo test --test servers -- --ignored"]
async fn exact_totals_over_udp() {
    exact_totals(Protocol::Udp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs statsd 0.9.0: run .ci/servers, then cargo test --test servers -- --ignored"]
async fn exact_totals_over_tcp() {
    exact_totals(Protocol::Tcp).await;
}

/// A stop delivers all lines of a connector that has only a host name and a port, and otherwise the
/// defaults (TCP, no prefix).
///
/// The flusher runs on a separate thread, as in a program without a runtime.
#[tokio::test]
#[ignore = "needs statsd 0.9.0: run .ci/servers, then cargo test --test servers -- --ignored"]
async fn host_name_and_defaults() {
    let statsd = Statsd::start();
    let connector =
        Connector::builder("localhost").port(statsd.tcp).build().expect("the settings are valid");
    connector.start_on_thread().expect("the connector was not started before");
    connector.incr("requests");
    drop(connector.timer("render"));
    let _report = connector.stop().await;

    let reported =
        statsd.server.wait_until(|reported| reported.metrics.timers.contains_key("timers.render"));
    assert_eq!(reported.metrics.timers["timers.render"].count, 1.0);
    assert_eq!(reported.metrics.counters, [("counters.requests".to_owned(), 1.0)].into());
    assert_eq!((reported.lines, reported.bad_lines), (2, 0));
}

/// A connector without type prefixes (such as `counters.`) sends each metric name with its prefix
/// only. The server reports the metrics under exactly these names.
///
/// Some servers add such prefixes themselves.
#[tokio::test]
#[ignore = "needs statsd 0.9.0: run .ci/servers, then cargo test --test servers -- --ignored"]
async fn no_type_prefixes() {
    let statsd = Statsd::start();
    let connector = Connector::builder("127.0.0.1")
        .port(statsd.udp)
        .protocol(Protocol::Udp)
        .prefix("app")
        .type_prefixes(false)
        .build()
        .expect("the settings are valid");
    connector.start().await.expect("the connector was not started before");
    connector.incr("requests");
    connector.gauge("depth", 17);
    connector.timing("query", Duration::from_micros(1500));
    let _report = connector.stop().await;

    statsd.server.assert_reports(&Metrics {
        counters: [("app.requests".to_owned(), 1.0)].into(),
        gauges: [("app.depth".to_owned(), 17.0)].into(),
        timers: [("app.query".to_owned(), Timer::single(1.5))].into(),
    });
}

/// The original StatsD server reports Graphite tags as part of the metric name, also for sampled
/// counters and sets. The client replaces characters by `_` that the server would rewrite or
/// remove.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs statsd 0.9.0: run .ci/servers, then cargo test --test servers -- --ignored"]
async fn graphite_tags_rates_and_sets() {
    let statsd = Statsd::start();
    let connector = connector(Dialect::Graphite, statsd.udp, |builder| builder.tag("env", "prod"));
    connector.start().await.expect("the connector was not started before");
    let sampled = count_sampled(&connector);
    insert_members(&connector);
    connector.metric::<Counter>("hits").tag("route", "/a b;c").incr();
    connector.with_tag("route", "/a b;c").metric::<Counter>("hits").build().incr_by(0.5);
    let aggregated = connector.metric::<Counter>("hits").tag("route", "/a b;c").aggregate();
    (0..40).for_each(|_| aggregated.incr());
    connector.scoped("db").metric::<Gauge>("level").aggregate_level().sub(7);
    connector.scoped("db").gauge("balance", -5);
    let query = connector.metric::<Timing>("query").tag("k=l", "v").build();
    query.record(Duration::from_micros(250));
    let stats = connector.stop().await.stats;
    assert_eq!(stats.sent, stats.emitted, "{stats:?}");

    let mut expected = Metrics {
        counters: [("app.hits;env=prod;route=_a_b_c".to_owned(), 41.5)].into(),
        gauges: [
            ("app.db.balance;env=prod".to_owned(), -5.0),
            ("app.db.level;env=prod".to_owned(), -7.0),
        ]
        .into(),
        timers: [("app.query;env=prod;k_l=v".to_owned(), Timer::single(0.25))].into(),
    };
    let counter = |(name, count)| (format!("app.{name};env=prod"), count);
    expected.counters.extend(sampled.map(counter));
    let reported = statsd.server.assert_reports(&expected);
    assert_eq!(reported.sets, [("app.visitors;env=prod".to_owned(), DISTINCT_MEMBERS)].into());
    assert_eq!((reported.lines, reported.bad_lines), (stats.sent.lines, 0));
}

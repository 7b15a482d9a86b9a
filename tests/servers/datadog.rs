//! Tests of the dialect DogStatsD over UDP with the server datadog-serverless-compat, which
//! supports counters, gauges and distributions.
//!
//! The server listens at all addresses and would contact Datadog. Server and test therefore run in
//! a network namespace that has only a loopback interface. Once every ten seconds, the server logs
//! the metrics that it would send. The server adds tags for the origin to each metric.

use crate::process::{assert_passes, skip, test_of};
use crate::server::{Metrics, ParseLine, Reports, Server, Timer};
use freewheel::{Builder, Connector, Counter, Dialect, Distribution, Gauge, Protocol};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

const PORT: u16 = 8125;

/// Timestamp, in seconds since the Unix epoch, that the test gives to a counter and a gauge. It
/// lies in the past.
const PAST: u64 = 1_656_581_400;

/// Name of the environment variable that tells this test program that it runs in a network
/// namespace with only a loopback interface.
const IN_NETWORK_ENV: &str = "FREEWHEEL_SERVERS_LOOPBACK";

/// Arguments of `unshare(1)` that run a program in a new network namespace, which has only a
/// loopback interface.
const UNSHARE: [&str; 3] = ["--user", "--map-root-user", "--net"];

/// Runs the body of a test in a process that has only a loopback network interface. The process
/// runs this test program again, with only this test, so `body` must be the test's entire body.
fn in_loopback_network<F: FnOnce()>(body: F) {
    if std::env::var_os(IN_NETWORK_ENV).is_some() {
        return body();
    }
    let test = test_of::<F>();
    let up = ["ip", "link", "set", "lo", "up"];
    match Command::new("unshare").args(UNSHARE).args(up).output() {
        Err(error) => return skip(test, format!("cannot run `unshare`: {error}")),
        Ok(output) if !output.status.success() => {
            return skip(
                test,
                format!("cannot create a network: {}", String::from_utf8_lossy(&output.stderr)),
            );
        }
        Ok(_) => {}
    }
    let own = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new("unshare");
    command.args(UNSHARE).args(["sh", "-c", r#"ip link set lo up && exec "$0" "$@""#]).arg(own);
    assert_passes(test, command.env(IN_NETWORK_ENV, "yes"));
}

/// Starts datadog-serverless-compat, and waits until it listens.
fn start() -> Server {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/datadog-0.19.0");
    let program = home.join("datadog-serverless-compat");
    assert!(
        program.is_file(),
        "datadog-serverless-compat is not installed: run .ci/servers, which creates {}",
        program.display()
    );
    // The server would survive the tests: setpriv kills it when its parent dies.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).envs([
        ("DD_API_KEY", "none"),
        ("DD_SITE", "localhost"),
        ("DD_LOG_LEVEL", "trace"),
        ("DD_DOGSTATSD_PORT", &PORT.to_string()),
        // The server exits at once unless it detects a cloud.
        ("ASCSVCRT_SPRING__APPLICATION__NAME", "freewheel"),
    ]);
    let server = Server::start(&mut command, parse_line as ParseLine);
    let ports = server.wait_until(|reported| !reported.ports.is_empty()).ports;
    assert_eq!(ports.get("udp"), Some(&PORT), "the server listens");
    server
}

/// Parses a line of the server's log, and records its content in `reported`. The log shows the
/// parsed lines, the rejected lines, and the metrics that the server would send to Datadog.
fn parse_line(reported: &mut Reports, line: &str) -> Option<()> {
    let (_, message) = line.split_once(": ")?;
    if message.starts_with("dogstatsd-udp: starting to listen") {
        reported.ports.insert("udp".to_owned(), PORT);
    } else if let Some(rest) = message.strip_prefix("Parsed ") {
        reported.lines += rest.split(' ').next()?.parse::<u64>().ok()?;
    } else if message.starts_with("Unsupported metric") || message.starts_with("Failed to parse") {
        reported.bad_lines += 1;
        return None;
    } else if message.starts_with("Flushing dogstatsd metrics") {
        reported.completed += 1;
    } else if let Some(series) = message.strip_prefix("Sending body: ") {
        for_each_metric(series, |name, metric| add_series(&mut reported.metrics, name, metric));
    } else if let Some(sketches) = message.strip_prefix("Sending distributions: ") {
        for_each_metric(sketches, |name, metric| {
            let number = |field| number(metric, field).expect("a sketch has the field");
            let [count, lower, upper, sum] = ["cnt: ", "min: ", "max: ", "sum: "].map(number);
            reported.metrics.timer(&name).merge(&Timer { count, lower, upper, sum });
        });
    } else {
        return None;
    }
    Some(())
}

/// Parses `metric`, a counter or a gauge in the server's log, and adds its value to `metrics` under
/// `name`.
fn add_series(metrics: &mut Metrics, name: String, metric: &str) {
    let value = number(metric, " value: ").expect("a point has a value");
    // Values within the same ten seconds are aggregated into a single point.
    assert_eq!(metric.matches("Point {").count(), 1, "{metric}");
    let at = number(metric, "timestamp: ").expect("a point has a time");
    let name = if at == PAST as f64 { format!("{name} at {PAST}") } else { name };
    if metric.contains("kind: Count") {
        *metrics.counters.entry(name).or_default() += value;
    } else {
        assert!(metric.contains("kind: Gauge"), "{metric}");
        metrics.gauges.insert(name, value);
    }
}

/// Calls `read` for each metric in `text`, which is the `Debug` output of a list of metrics. `read`
/// gets the name with the sorted tags, and the text after the name.
fn for_each_metric(text: &str, mut read: impl FnMut(String, &str)) {
    for metric in text.split(r#" { metric: ""#).skip(1) {
        let (name, rest) = metric.split_once('"').expect("a name ends");
        let (_, tags) = rest.split_once("tags: [").expect("tags begin");
        let (tags, _) = tags.split_once(']').expect("tags end");
        let tags = tags.split(", ").map(|tag| tag.trim_matches('"'));
        let is_added = |tag: &&str| tag.starts_with("origin:") || tag.starts_with("dd.origin:");
        let mut tags: Vec<_> = tags.filter(|tag| !is_added(tag) && !tag.is_empty()).collect();
        tags.sort_unstable();
        read(format!("{name} {}", tags.join(",")).trim_end().to_owned(), rest);
    }
}

/// Returns the number that follows the field name `field` in `text`, or `None` if there is none.
fn number(text: &str, field: &str) -> Option<f64> {
    let (_, value) = text.split_once(field)?;
    value.split([',', ' ', '}']).next()?.parse().ok()
}

fn connector(configure: impl FnOnce(Builder) -> Builder) -> Connector {
    let builder = Connector::builder("127.0.0.1").port(PORT).protocol(Protocol::Udp);
    let builder = configure(builder.dialect(Dialect::DogStatsD).prefix("app").tag("env", "prod"));
    let statsd = builder.build().expect("the settings are valid");
    statsd.start_on_thread().expect("the connector was not started before");
    statsd
}

const THREADS: u64 = 4;
/// Number of turns of each thread. A turn is one call of `take_turn`, which emits [`LINES`] lines.
const TURNS: u64 = 500;
/// Number of turns (calls of `take_turn`) that each thread takes before the test waits until the
/// server has parsed all lines sent so far.
const TURNS_PER_FLUSH: u64 = 20;
/// Number of lines that one call of `take_turn` emits.
const LINES: u64 = 6;

/// Emits the lines that each thread repeats `TURNS` times: counters and a distribution, with tags.
fn take_turn(statsd: &Connector, turn: u64) {
    // The same metric three times: by name in a scope, with a tag in the call, and prepared.
    statsd.with_tag("route", "/").incr("hits");
    statsd.metric::<Counter>("hits").tag("route", "/").incr_by(2);
    statsd.metric::<Counter>("hits").tag("route", "/").build().incr_by(0.5);
    statsd.scoped("db").with_tag("shard", "7").decr_by("stock", 3);
    let size = statsd.metric::<Distribution>("size").tag("url", "http://x:80/#y");
    size.record(turn % 4 + 1);
    // Without sanitizing, this text would add a tag and a line.
    statsd.metric::<Counter>("a:1|c\nb").tag("k", "v,forged:yes|c:x\nb:1").incr();
}

/// Emits the final lines of the test once, in this order: gauges, and metrics with a timestamp.
fn take_last_turn(statsd: &Connector) {
    statsd.gauge("depth", 17);
    // Each call is a single line: DogStatsD sets gauges also to negative values.
    statsd.gauge("balance", 40);
    statsd.gauge("balance", -5.25);
    statsd.metric::<Gauge>("level").tag("unit", "m/s²").set(1e-3);
    let then = UNIX_EPOCH + Duration::from_secs(PAST);
    statsd.metric::<Counter>("deploys").timestamp(then).incr_by(2);
    statsd.metric::<Gauge>("late").timestamp(then).build().set(-1);
}

const LAST_LINES: u64 = 6;

/// Returns the metrics that the server must report after all threads have emitted their lines and
/// the test has emitted the final lines.
fn expected() -> Metrics {
    let turns = (THREADS * TURNS) as f64;
    let mut metrics = Metrics::default();
    for (name, value) in [
        ("hits env:prod,route:/", 3.5 * turns),
        ("aggregated env:prod,route:/", 5.0 * turns),
        ("db.stock env:prod,shard:7", -3.0 * turns),
        ("a_1_c_b env:prod,k:v_forged:yes_c:x_b:1", turns),
        ("deploys env:prod at 1656581400", 2.0),
    ] {
        metrics.counters.insert(format!("app.{name}"), value);
    }
    for (name, value) in [
        ("depth env:prod", 17.0),
        ("open env:prod", -2.0 * turns),
        ("balance env:prod", -5.25),
        ("level env:prod,unit:m/s²", 0.001),
        ("late env:prod at 1656581400", -1.0),
    ] {
        metrics.gauges.insert(format!("app.{name}"), value);
    }
    let sizes = Timer { count: turns, lower: 1.0, upper: 4.0, sum: 2.5 * turns };
    metrics.timers.insert("app.size env:prod,url:http://x:80/#y".to_owned(), sizes);
    metrics
}

/// The server reports the exact totals of tagged metrics that several threads emit. It also accepts
/// a line that has every field of the protocol, and ignores the fields it does not use.
#[test]
#[ignore = "needs datadog-serverless-compat: run .ci/servers, then cargo test --test servers -- --ignored"]
fn exact_totals_of_tagged_metrics() {
    in_loopback_network(|| {
        let server = start();
        // The stop emits the lines of the aggregated metrics, and no interval does.
        let statsd = connector(|builder| builder.aggregate_interval(Duration::from_secs(3_600)));
        let aggregated = statsd.metric::<Counter>("aggregated").tag("route", "/").aggregate();
        let open = statsd.metric::<Gauge>("open").aggregate_level();
        for turns in 0..TURNS / TURNS_PER_FLUSH {
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| (0..TURNS_PER_FLUSH).for_each(|turn| take_turn(&statsd, turn)));
                }
            });
            assert_eq!(statsd.blocking_flush(), Ok(()));
            let sent = (turns + 1) * TURNS_PER_FLUSH * THREADS * LINES;
            let reported = server.wait_until(|reported| reported.lines == sent);
            assert_eq!((reported.lines, reported.bad_lines), (sent, 0));
        }
        take_last_turn(&statsd);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..TURNS {
                        aggregated.incr_by(5);
                        open.sub(2);
                    }
                });
            }
        });
        let stats = statsd.blocking_stop().stats;
        assert_eq!(stats.sent, stats.emitted, "{stats:?}");
        assert_eq!(stats.aggregated.lines, 2);
        assert_eq!(stats.emitted.lines, THREADS * TURNS * LINES + LAST_LINES + 2);
        assert_eq!(stats.altered, THREADS * TURNS);

        let all_fields = connector(|builder| {
            let builder = builder.container_id("ci-c0ffee").external_data("it-false,cn-web");
            builder.cardinality(freewheel::Cardinality::Low)
        });
        all_fields.incr("whole");
        let report = all_fields.blocking_stop();
        assert_eq!(report.stats.sent.lines, 1);

        let mut expected = expected();
        expected.counters.insert("app.whole env:prod".to_owned(), 1.0);
        let reported = server.assert_reports(&expected);
        assert_eq!(reported.lines, stats.sent.lines + 1);
        assert_eq!(reported.bad_lines, 0);
    });
}

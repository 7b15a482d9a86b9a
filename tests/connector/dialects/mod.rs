//! Tests of the lines that arrive in each dialect. Metrics that the dialect does not support are
//! counted and not sent.

mod clean;
mod constructs;
mod dogstatsd;
mod events;
mod numbers;
mod rates;
mod refused;
mod sampling;

use crate::support::{assert_balanced, flush, started};
use freewheel::{Builder, Connector, Dialect, Protocol, SampleRate, Stats};
use std::net::UdpSocket;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Builds a connector with the function `configure`, starts it, and calls the function `emit` with
/// it. Returns the UDP datagrams that arrive, and the statistics.
fn datagrams(
    configure: impl FnOnce(Builder) -> Builder,
    emit: impl FnOnce(&Connector),
) -> (Vec<String>, Stats) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = receiver.local_addr().unwrap().port();
    let builder = Connector::builder("127.0.0.1").port(port).protocol(Protocol::Udp);
    let statsd = started(configure(builder.flush_interval(Duration::from_secs(60))));
    emit(&statsd);
    flush(&statsd);
    receiver.set_nonblocking(true).unwrap();
    let mut space = [0; 65_536];
    let mut datagrams = Vec::new();
    // Over loopback, sent datagrams arrive immediately.
    while let Ok(length) = receiver.recv(&mut space) {
        datagrams.push(String::from_utf8(space[..length].to_vec()).unwrap());
    }
    let stats = statsd.stats();
    assert_balanced(&stats);
    assert_eq!(stats.buffered.lines, 0);
    (datagrams, stats)
}

/// Builds a connector with the function `configure`, starts it, and calls the function `emit` with
/// it. Returns the lines that arrive, and the statistics.
fn arrived(
    configure: impl FnOnce(Builder) -> Builder,
    emit: impl FnOnce(&Connector),
) -> (Vec<String>, Stats) {
    let (datagrams, stats) = datagrams(configure, emit);
    let mut lines: Vec<String> = datagrams
        .iter()
        .flat_map(|datagram| datagram.lines())
        // Empty lines pad a datagram to the segment size of its batch.
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    // Lines ordered across threads may arrive before or after the rest. The sort puts them last.
    lines.sort_by_key(|line| is_ordered(line));
    assert_eq!(lines.len() as u64, stats.sent.lines);
    assert_eq!(lines.iter().map(|line| line.len() as u64 + 1).sum::<u64>(), stats.sent.bytes);
    (lines, stats)
}

/// Returns true if the line is a gauge or a service check, which keep their order across threads.
fn is_ordered(line: &str) -> bool {
    line.starts_with("_sc|") || line.split('|').nth(1) == Some("g")
}

/// Emits with `emit` in this dialect, without type prefixes such as `counters.`. Returns the lines
/// that arrive, and the statistics.
fn arrived_in(dialect: Dialect, emit: impl FnOnce(&Connector)) -> (Vec<String>, Stats) {
    arrived(|builder| builder.dialect(dialect).type_prefixes(false), emit)
}

const ALL: [Dialect; 7] = [
    Dialect::StatsD,
    Dialect::Extended,
    Dialect::DogStatsD,
    Dialect::Graphite,
    Dialect::Influx,
    Dialect::Librato,
    Dialect::SignalFx,
];

/// Returns true if the dialect writes tags as part of the metric's name.
fn tags_stand_in_names(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::StatsD | Dialect::Extended | Dialect::DogStatsD)
}

/// Returns the timestamp that the tests give to metrics and events.
fn timestamp() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_656_581_400)
}

/// Returns a sample rate of 0.5.
fn half_rate() -> SampleRate {
    SampleRate::new(0.5).unwrap()
}

/// Repeats a call that emits one sampled line, until the line is emitted.
fn until_emitted(statsd: &Connector, call: impl Fn()) {
    let before = statsd.stats().emitted.lines;
    while statsd.stats().emitted.lines == before {
        call();
    }
}

//! Workload of the server tests: the lines that they send, and the metrics that a server must
//! derive from these lines.

use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use freewheel::{AggregatedCounter, AggregatedGauge, Connector, Counter, Gauge, Level, Protocol};

use crate::server::{Metrics, Reports, Server, Timer};

/// Number of threads that emit lines concurrently.
const THREADS: u64 = 4;
/// Number of turns of each thread. A turn is one call of `take_turn`, which emits ten lines.
const TURNS: u64 = 1_250;

/// Total number of lines that a test sends by name: 50,000 from `take_turn`, and 12 from
/// `take_last_turn`. Aggregated metrics add a few.
const LINES: u64 = THREADS * TURNS * 10 + 12;

/// Number of turns (calls of `take_turn`) that each thread takes before the test waits until the
/// server has counted all lines sent so far.
///
/// UDP has no back-pressure: 1,000 lines are about 30 datagrams, and a socket's default buffer
/// holds about 90.
const TURNS_PER_FLUSH: u64 = 25;

/// Prefix of all metric names that the tests send.
const PREFIX: &str = "app";

/// Parameters of the lines that a test sends. They are chosen so that the tested server stores each
/// value exactly.
pub(crate) struct Workload {
    /// Amount that each call of `take_turn` adds to the counter `load`.
    pub(crate) fraction: f64,
    /// Unit of the durations in the lines that a test sends. Each duration is 1 to 4 units long.
    pub(crate) tick: Duration,
}

/// Aggregated metrics that the tests use.
#[derive(Clone)]
struct Aggregated {
    hits: AggregatedCounter,
    open: Level,
    depth: AggregatedGauge,
}

impl Aggregated {
    fn new(statsd: &Connector) -> Self {
        Self {
            hits: statsd.metric::<Counter>("hits").aggregate(),
            open: statsd.metric::<Gauge>("open").aggregate_level(),
            depth: statsd.metric::<Gauge>("latest").aggregate(),
        }
    }

    /// Changes the metrics in one turn: 7 hits, and a level that ends 1 higher.
    fn take_turn(&self, turn: u64) {
        self.hits.incr();
        self.hits.incr_by(8);
        self.hits.decr_by(2);
        self.open.add(3);
        self.open.sub(2);
        self.depth.set(turn);
    }
}

impl Workload {
    /// Emits the ten lines of one turn for the thread with the number `thread`.
    fn take_turn(&self, statsd: &Connector, thread: u64, turn: u64) {
        let (number, depth) = (format!("turn.{thread}"), format!("depth.{thread}"));
        statsd.incr_by("bytes", 1_500);
        statsd.incr_by("credit", -3);
        statsd.incr_by("load", self.fraction);
        statsd.decr("seats");
        statsd.decr_by("stock", 2);
        statsd.gauge(number.as_str(), turn);
        statsd.gauge_delta(depth.as_str(), 3);
        statsd.gauge_delta(depth.as_str(), -1);
        statsd.timing("query", self.tick * (turn % 4 + 1) as u32);
        statsd.incr("requests");
    }

    /// Emits the final lines of the test once. The order of the gauge lines determines the values
    /// that the server must report.
    fn take_last_turn(&self, statsd: &Connector) {
        statsd.gauge("queue", 17);
        statsd.gauge_delta("queue", -3);
        statsd.gauge("temperature", 12.25);
        statsd.gauge_delta("temperature", -0.5);
        // An absolute value below zero: two lines on the wire.
        statsd.gauge("balance", 40);
        statsd.gauge("balance", -5);
        // Without sanitizing, these names would split a line or add one.
        statsd.incr("a:b|c\nd");
        statsd.gauge("a:b|c\nd", 1);
        statsd.timing("a:b|c\nd", self.tick);
        statsd.incr("x:1|c\nforged");
        statsd.inject_metric("as.it:is", "7", "c");
    }

    /// Returns the metrics that the server must report after all lines have arrived.
    pub(crate) fn metrics(&self) -> Metrics {
        let turns = (THREADS * TURNS) as f64;
        let mut metrics = Metrics::default();
        let Metrics { counters, gauges, timers } = &mut metrics;

        let mut counter = |name: &str, value| counters.insert(format!("{PREFIX}.{name}"), value);
        counter("counters.bytes", 1_500.0 * turns);
        counter("counters.credit", -3.0 * turns);
        counter("counters.load", self.fraction * turns);
        counter("counters.seats", -turns);
        counter("counters.stock", -2.0 * turns);
        counter("counters.requests", turns);
        counter("counters.hits", 7.0 * turns);
        counter("counters.a_b_c_d", 1.0);
        counter("counters.x_1_c_forged", 1.0);
        counter("as.it_is", 7.0);

        let mut gauge = |name: &str, value| gauges.insert(format!("{PREFIX}.gauges.{name}"), value);
        for thread in 0..THREADS {
            // Each thread's lines arrive in order, so the gauge keeps the value of the last turn.
            gauge(&format!("turn.{thread}"), (TURNS - 1) as f64);
            gauge(&format!("depth.{thread}"), 2.0 * TURNS as f64);
        }
        gauge("open", turns - 10_000.0);
        gauge("latest", -2.5);
        gauge("queue", 14.0);
        gauge("temperature", 11.75);
        gauge("balance", -5.0);
        gauge("a_b_c_d", 1.0);

        let mut timer = |name: &str, value| timers.insert(format!("{PREFIX}.timers.{name}"), value);
        let milliseconds = self.tick.as_secs_f64() * 1e3;
        let mut query = Timer::default();
        for turn in 0..TURNS {
            for _ in 0..THREADS {
                query.merge(&Timer::single(milliseconds * (turn % 4 + 1) as f64));
            }
        }
        timer("query", query);
        timer("a_b_c_d", Timer::single(milliseconds));

        metrics
    }
}

/// Thread that emits the lines of the requested turns, and confirms each requested range of turns.
/// It ends when the request channel closes.
struct Emitter {
    requests: Sender<Range<u64>>,
    confirmations: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Emitter {
    fn spawn(
        workload: &'static Workload,
        statsd: &Connector,
        aggregated: &Aggregated,
        thread: u64,
    ) -> Self {
        let (requests, ranges) = channel::<Range<u64>>();
        let (confirm, confirmations) = channel();
        let (statsd, aggregated) = (statsd.clone(), aggregated.clone());
        let thread = thread::spawn(move || {
            for turns in ranges {
                for turn in turns {
                    workload.take_turn(&statsd, thread, turn);
                    aggregated.take_turn(turn);
                }
                if confirm.send(()).is_err() {
                    break; // The test has failed.
                }
            }
        });
        Self { requests, confirmations, thread }
    }
}

/// Starts a connector, sends all lines of the workload to the server, and stops the connector.
/// Returns the number of lines.
///
/// Asserts that the client's statistics count every line as sent.
///
/// Waiting for the server blocks the calling thread, so the test's runtime needs worker threads for
/// freewheel's flusher.
pub(crate) async fn deliver(
    workload: &'static Workload,
    server: &Server,
    port: u16,
    protocol: Protocol,
) -> u64 {
    let statsd = Connector::builder("127.0.0.1")
        .port(port)
        .protocol(protocol)
        .prefix(PREFIX)
        // Over TCP the whole workload may be queued, its gauges in a fifth of the capacity.
        .queue_capacity(32 << 20)
        .build()
        .expect("the settings are valid");
    statsd.start().await.expect("the connector was not started before");

    let turns_per_flush = if protocol == Protocol::Udp { TURNS_PER_FLUSH } else { TURNS };
    let requests = format!("{PREFIX}.counters.requests");
    let aggregated = Aggregated::new(&statsd);
    let emitters: Vec<_> =
        (0..THREADS).map(|thread| Emitter::spawn(workload, &statsd, &aggregated, thread)).collect();
    for first in (0..TURNS).step_by(turns_per_flush as usize) {
        let next = TURNS.min(first + turns_per_flush);
        for emitter in &emitters {
            emitter.requests.send(first..next).expect("the thread runs");
        }
        for emitter in &emitters {
            emitter.confirmations.recv().expect("the thread did not panic");
        }
        let _ = statsd.flush().await;
        let sent = (THREADS * next) as f64;
        let counted = |reported: &Reports| reported.metrics.counters.get(&requests).copied();
        let reported = server.wait_until(|reported| counted(reported) == Some(sent));
        assert_eq!(counted(&reported), Some(sent));
    }
    for Emitter { requests, thread, .. } in emitters {
        drop(requests);
        thread.join().expect("the thread did not panic");
    }
    workload.take_last_turn(&statsd);
    // A level and a gauge below zero.
    aggregated.open.sub(10_000);
    aggregated.depth.set(-2.5);
    let _report = statsd.stop().await;

    let stats = statsd.stats();
    let aggregated = stats.aggregated.lines;
    assert!(aggregated > 0);
    // The last lines of the two gauges are pairs, since their values are negative.
    assert_eq!(stats.emitted.lines, LINES + aggregated + 2, "{stats:?}");
    assert_eq!(stats.sent.lines, stats.emitted.lines, "{stats:?}");
    assert_eq!(stats.sent.bytes, stats.emitted.bytes, "{stats:?}");
    assert_eq!(stats.buffered.lines, 0, "{stats:?}");
    assert_eq!(stats.dropped().lines, 0, "{stats:?}");
    assert_eq!(stats.lost().lines, 0, "{stats:?}");
    stats.sent.lines
}

//! Tests of dormancy: an idle flusher sleeps without a timer until a line, a flush, a stop or the
//! drop of its connector wakes it.

use crate::alone;
use crate::support::{
    TcpReceiver, UdpReceiver, assert_balanced, eventually, flush, promptly, tcp, udp,
};
use freewheel::{Builder, Connector, Protocol, WhenFull};
use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Returns the /proc paths of all flusher threads of this process.
fn flushers() -> BTreeSet<String> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let paths = threads.map(|thread| thread.unwrap().path().to_str().unwrap().to_owned());
    let is_flusher = |path: &String| {
        fs::read_to_string(format!("{path}/comm")).is_ok_and(|name| name == "freewheel\n")
    };
    paths.filter(is_flusher).collect()
}

/// Returns the number of voluntary context switches of the thread at this /proc path, which is the
/// number of times that it has slept.
fn count_sleeps(thread: &str) -> u64 {
    let status = fs::read_to_string(format!("{thread}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

/// Started connector, and the /proc path of its flusher's thread.
struct Sleeper {
    statsd: Connector,
    thread: String,
}

impl Sleeper {
    fn start(settings: Builder) -> Self {
        let statsd = settings.build().unwrap();
        let thread = start_flusher(&statsd);
        Self { statsd, thread }
    }

    fn wait_until_dormant(&self) {
        wait_until_dormant(&[self]);
    }
}

/// Waits until no flusher's thread has woken for a second and a half, so that all are dormant (asleep
/// without a timer).
fn wait_until_dormant(sleepers: &[&Sleeper]) {
    let sleeps = || sleepers.iter().map(|one| count_sleeps(&one.thread)).collect::<Vec<_>>();
    eventually("the flushers are dormant", || {
        let before = sleeps();
        thread::sleep(Duration::from_millis(1_500));
        sleeps() == before
    });
}

/// Starts the connector's flusher on a new thread. Returns the /proc path of this thread.
fn start_flusher(statsd: &Connector) -> String {
    let before = flushers();
    statsd.start_on_thread().unwrap();
    let mut new = BTreeSet::new();
    eventually("the flusher's thread has its name", || {
        new = &flushers() - &before;
        !new.is_empty()
    });
    new.pop_first().unwrap()
}

/// A dormant flusher (asleep without a timer) does not wake for three seconds over TCP, over UDP,
/// with merged lines, or with periodic name lookups. A line, even the first one of its thread, then wakes it and is
/// sent within half a second.
#[test]
fn an_idle_flusher_does_not_wake_and_hears_the_first_line() {
    let _alone = alone();
    let (over_tcp, over_udp) = (TcpReceiver::start(), UdpReceiver::start());
    let by_name = Connector::builder("localhost").port(over_udp.port()).protocol(Protocol::Udp);
    let by_name = by_name.lookup_interval(Duration::from_millis(50));
    let sleepers = [
        Sleeper::start(tcp(over_tcp.port())),
        Sleeper::start(udp(over_udp.port())),
        Sleeper::start(tcp(over_tcp.port()).coalesce(10)),
        Sleeper::start(by_name.flush_interval(Duration::from_millis(5))),
    ];
    for round in 0..2 {
        sleepers.iter().for_each(|sleeper| {
            sleeper.statsd.incr("before");
            flush(&sleeper.statsd);
        });
        wait_until_dormant(&sleepers.each_ref());
        let before: Vec<_> = sleepers.iter().map(|sleeper| count_sleeps(&sleeper.thread)).collect();
        thread::sleep(Duration::from_secs(3));
        let after: Vec<_> = sleepers.iter().map(|sleeper| count_sleeps(&sleeper.thread)).collect();
        assert_eq!(before, after, "a flusher woke although no line was emitted");
        for sleeper in &sleepers {
            let sent = sleeper.statsd.stats().sent.lines;
            let start = Instant::now();
            if round == 0 {
                sleeper.statsd.incr("first");
            } else {
                // The line is the first one of another thread.
                thread::scope(|scope| _ = scope.spawn(|| sleeper.statsd.incr("first")));
            }
            eventually("the line is sent", || sleeper.statsd.stats().sent.lines > sent);
            assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
            assert_balanced(&sleeper.statsd.stats());
        }
    }
}

/// An invalid line, which is dropped, also wakes a dormant flusher (asleep without a timer), so
/// that it can log a warning. The flusher then becomes dormant again.
#[test]
fn an_invalid_line_wakes_it_once() {
    let _alone = alone();
    let receiver = UdpReceiver::start();
    let sleeper = Sleeper::start(udp(receiver.port()));
    sleeper.wait_until_dormant();
    let before = count_sleeps(&sleeper.thread);
    sleeper.statsd.gauge("depth", f64::NAN);
    eventually("the flusher wakes", || count_sleeps(&sleeper.thread) > before);
    sleeper.wait_until_dormant();
}

/// A dormant flusher (asleep without a timer) performs a flush and a stop, and sends all lines when
/// the connector's handles are dropped. The connector can be started again after the stop.
#[test]
fn a_dormant_flusher_obeys() {
    let _alone = alone();
    let receiver = UdpReceiver::start();
    let settings = udp(receiver.port()).when_full(WhenFull::DropOldest);
    let mut sleeper = Sleeper::start(settings);
    sleeper.wait_until_dormant();
    let statsd = sleeper.statsd.clone();
    promptly(move || flush(&statsd));
    sleeper.statsd.incr("a");
    flush(&sleeper.statsd);
    assert_eq!(receiver.lines(1), ["a:1|c"]);
    sleeper.wait_until_dormant();
    let statsd = sleeper.statsd.clone();
    let report = promptly(move || statsd.blocking_stop());
    assert_eq!(report.stats.sent, report.stats.emitted);
    // No flusher runs: the line is kept for the next one.
    sleeper.statsd.incr("b");
    sleeper.thread = start_flusher(&sleeper.statsd);
    assert_eq!(receiver.lines(1), ["b:1|c"]);
    sleeper.wait_until_dormant();
    sleeper.statsd.incr("c");
    drop(sleeper);
    assert_eq!(receiver.lines(1), ["c:1|c"]);
    eventually("the flusher ends", || flushers().is_empty());
}

/// Several threads each emit more than a block (a buffer of lines) to a dormant flusher (asleep
/// without a timer). Each line arrives.
#[test]
fn a_burst_wakes_the_dormant() {
    let _alone = alone();
    let receiver = TcpReceiver::start();
    let sleeper = Sleeper::start(tcp(receiver.port()));
    for round in 1..=2 {
        sleeper.wait_until_dormant();
        thread::scope(|scope| {
            (0..4).for_each(|_| {
                _ = scope.spawn(|| (0..5_000).for_each(|_| sleeper.statsd.incr("a")));
            });
        });
        receiver.wait_for_lines(round * 20_000);
    }
}

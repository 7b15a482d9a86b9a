//! Tests that kill a StatsD server (`kill -9`) under load, and then start a new server at the same
//! port.

use crate::server::DEADLINE;
use freewheel::{Connector, Protocol};
use std::collections::BTreeMap;
use std::iter::repeat_with;
use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Number of servers that a test kills, one after the other.
const DEATHS: u64 = 5;

/// Number of lines that the test emits after each kill, while no server runs.
const LINES_PER_OUTAGE: u64 = 1_000;

/// Values of the counters that a server reports, by name.
type Counters = BTreeMap<String, f64>;

/// Kills several servers under load, one after the other. Asserts that only lines that the client
/// had sent to the killed servers are lost.
///
/// The next server must count every line emitted while no server runs. No name may be torn. The
/// statistics must count all lines as sent.
pub(crate) fn assert_deaths_lose_only_counted_lines<S>(
    protocol: Protocol,
    port: u16,
    start: impl Fn() -> S,
    counted: impl Fn(&S) -> Counters,
) {
    let statsd = Connector::builder("127.0.0.1")
        .port(port)
        .protocol(protocol)
        .type_prefixes(false)
        .flush_interval(Duration::from_millis(10))
        .reconnect_sleep(Duration::from_millis(20))
        .stop_timeout(DEADLINE)
        .build()
        .expect("the settings are valid");
    statsd.start_on_thread().expect("the connector was not started before");
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                (0..10).for_each(|_| statsd.incr("load"));
                thread::sleep(Duration::from_millis(1));
            }
        });
        // Ends the loop if the test panics.
        let _end = EndOnDrop(&end);
        for death in 0..DEATHS {
            let server = start();
            if let Some(before) = death.checked_sub(1) {
                wait_for(|| counted(&server), &format!("down.{before}"), LINES_PER_OUTAGE);
            }
            wait_for(|| counted(&server), "load", 1);
            drop(server);
            (0..LINES_PER_OUTAGE).for_each(|_| statsd.incr(&format!("down.{death}")));
        }
    });
    let server = start();
    assert_eq!(statsd.blocking_flush(), Ok(()));
    wait_for(|| counted(&server), &format!("down.{}", DEATHS - 1), LINES_PER_OUTAGE);
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.sent, stats.emitted, "{stats:?}");
    assert!(stats.connections > DEATHS, "{stats:?}");
}

/// Guard that sets an atomic flag to true when it is dropped. The flag ends the thread that emits
/// the load, even if the test panics.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until the server reports at least `count` for the counter `name`. Asserts that all
/// reported names are intact. Asserts that the server never counts more lines of an outage (a time
/// without a server) than the test emitted in it.
fn wait_for(counted: impl Fn() -> Counters, name: &str, count: u64) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let counted = counted();
        let is_whole = |name: &String| name == "load" || name.starts_with("down.");
        assert!(counted.keys().all(is_whole), "{counted:?}");
        let outages = counted.iter().filter(|(name, _)| *name != "load");
        for (name, count) in outages {
            assert!(*count <= LINES_PER_OUTAGE as f64, "{name}: {count}");
        }
        if counted.get(name).is_some_and(|value| *value >= count as f64) {
            return;
        }
        assert!(Instant::now() < deadline, "expected {count} of {name}: {counted:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Returns a port that is currently free, outside the operating system's range of ephemeral ports.
/// Each call returns a different port.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + (std::process::id() % 10_000) as u16;
    let is_free = |port: &u16| {
        UdpSocket::bind(("127.0.0.1", *port)).is_ok()
            && TcpListener::bind(("127.0.0.1", *port)).is_ok()
    };
    let mut candidates = repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000);
    candidates.find(is_free).expect("some port is free")
}

//! What a server's death costs: kill -9 under load, and another one in its place.

use crate::server::DEADLINE;
use freewheel::{Connector, Protocol};
use std::collections::BTreeMap;
use std::iter::repeat_with;
use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const DEATHS: u64 = 5;

/// Emitted while no server is there.
const MEANWHILE: u64 = 1_000;

/// What a server has counted, by name.
type Counted = BTreeMap<String, f64>;

/// What is emitted while there is no server is counted by the next one, to the line; no name is
/// torn; and the account says that all was sent. What a server had counted or not read goes with
/// it.
pub(crate) fn cost_what_they_had<S>(
    protocol: Protocol,
    port: u16,
    start: impl Fn() -> S,
    counted: impl Fn(&S) -> Counted,
) {
    let statsd = Connector::builder("127.0.0.1")
        .port(port)
        .protocol(protocol)
        .type_prefixes(false)
        .flush_interval(Duration::from_millis(10))
        .reconnect_sleep(Duration::from_millis(20))
        .stop_timeout(DEADLINE)
        .build()
        .expect("valid settings");
    statsd.start_on_thread().expect("not started yet");
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                (0..10).for_each(|_| statsd.incr("load"));
                thread::sleep(Duration::from_millis(1));
            }
        });
        // A test that fails must not leave it running.
        let _end = EndOnDrop(&end);
        for death in 0..DEATHS {
            let server = start();
            if let Some(before) = death.checked_sub(1) {
                wait_for(|| counted(&server), &format!("down.{before}"), MEANWHILE);
            }
            wait_for(|| counted(&server), "load", 1);
            drop(server);
            (0..MEANWHILE).for_each(|_| statsd.incr(&format!("down.{death}")));
        }
    });
    let server = start();
    assert_eq!(statsd.blocking_flush(), Ok(()));
    wait_for(|| counted(&server), &format!("down.{}", DEATHS - 1), MEANWHILE);
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.sent, stats.emitted, "{stats:?}");
    assert!(stats.connections > DEATHS, "{stats:?}");
}

struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until so many of this name are counted. All names must be whole, and no more be there of
/// what was emitted once.
fn wait_for(counted: impl Fn() -> Counted, name: &str, count: u64) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let counted = counted();
        let is_whole = |name: &String| name == "load" || name.starts_with("down.");
        assert!(counted.keys().all(is_whole), "{counted:?}");
        let meanwhile = counted.iter().filter(|(name, _)| *name != "load");
        for (name, count) in meanwhile {
            assert!(*count <= MEANWHILE as f64, "{name}: {count}");
        }
        if counted.get(name).is_some_and(|here| *here >= count as f64) {
            return;
        }
        assert!(Instant::now() < deadline, "{count} of {name} were to come: {counted:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A port that was free a moment ago, below those that the operating system hands out by itself;
/// another one each time.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + (std::process::id() % 10_000) as u16;
    let is_free = |port: &u16| {
        UdpSocket::bind(("127.0.0.1", *port)).is_ok()
            && TcpListener::bind(("127.0.0.1", *port)).is_ok()
    };
    let mut candidates = repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000);
    candidates.find(is_free).expect("it goes on until one is free")
}

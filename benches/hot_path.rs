//! What a call costs, beside its floor, in one run.
//!
//! ```sh
//! cargo bench -p freewheel-benches --bench hot_path
//! ```
//!
//! The flusher runs on a thread of its own and sends over TCP to a receiver that reads and
//! discards, so that blocks are sealed, swept and recycled as in a service. Measured twice: with
//! the flusher on the caller's core, so that the blocks stay in its cache as the floor's buffer
//! does, which shows what the code costs; and with the flusher on another core, where each cache
//! line that it read has to be taken back from there, which shows what the hardware adds.
//!
//! What was dropped is printed at the end: a drop is cheaper than a line, and must not flatter
//! the figures.

use core_affinity::CoreId;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use freewheel::Connector;
use freewheel_benches::subjects::floor;
use std::hint::black_box;
use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const NAME: &str = "requests.accepted.by.the.gateway";
/// Copied and checked by other paths: one with less than sixteen bytes, and one that needs a
/// fourth chunk for its last byte.
const SHORT_NAME: &str = "cache.hit";
const LONG_NAME: &str = "requests.accepted.by.the.gateway.of.the.eastern.zone";
const HEAD: &[u8] = b"applications.my-service.counters.";

/// A connector whose lines are taken away.
struct Rig {
    statsd: Connector,
    /// Bytes that the receiver has read.
    received: Arc<AtomicU64>,
}

impl Rig {
    /// With its flusher on this core, and its receiver on that one.
    fn new(flusher: CoreId, receiver: CoreId) -> Self {
        // A thread begins on the cores of the one that makes it.
        core_affinity::set_for_current(receiver);
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let received = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&received);
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the connector connects");
            let mut discarded = vec![0; 1 << 20];
            while let Ok(read @ 1..) = stream.read(&mut discarded) {
                count.fetch_add(read as u64, Relaxed);
            }
        });
        core_affinity::set_for_current(flusher);
        let statsd = Connector::builder("127.0.0.1").port(port).prefix("applications.my-service");
        let statsd = statsd.queue_capacity(64 << 20).build().expect("good settings");
        statsd.start_on_thread().expect("a thread");
        while !statsd.connected() {
            std::thread::yield_now();
        }
        Self { statsd, received }
    }

    /// Until nobody is at work any more: neither the flusher nor the receiver.
    fn rest(&self) {
        let _ = self.statsd.blocking_flush();
        while self.received.load(Relaxed) < self.statsd.stats().sent.bytes {
            std::thread::yield_now();
        }
    }
}

/// Far fewer lines than the capacity holds.
const BURST: u64 = 2_000;

/// Times bursts, and between them has `pause` run: so that no line is dropped, which would be
/// cheaper than to write it, and nobody else is at work while calls are timed.
fn bursts(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, call: impl Fn(), pause: impl Fn()) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut elapsed = Duration::ZERO;
            let mut left = iterations;
            while left > 0 {
                let burst = left.min(BURST);
                let start = std::time::Instant::now();
                (0..burst).for_each(|_| call());
                elapsed += start.elapsed();
                left -= burst;
                pause();
            }
            elapsed
        });
    });
}

/// A call and its floor; both are compiled into their loops. The floor's pauses send a burst
/// too: both find the caches as sending leaves them.
fn pair(
    criterion: &mut Criterion,
    [near, far]: [&Rig; 2],
    name: &str,
    floor: impl Fn(),
    call: impl Fn(&Connector),
) {
    let mut group = criterion.benchmark_group(name);
    bursts(&mut group, "floor", floor, || {
        (0..BURST).for_each(|_| call(&near.statsd));
        near.rest();
    });
    bursts(&mut group, "freewheel", || call(&near.statsd), || near.rest());
    let other = "freewheel, flusher on another core";
    bursts(&mut group, other, || call(&far.statsd), || far.rest());
    group.finish();
}

fn hot_path(criterion: &mut Criterion) {
    let cores = core_affinity::get_core_ids().expect("cores can be told apart here");
    let (own, other) = (cores[0], cores[cores.len() - 1]);
    let (near, far) = (&Rig::new(own, other), &Rig::new(other, other));
    let rigs = [near, far];
    core_affinity::set_for_current(own);
    let elapsed = Duration::from_nanos(1_234_567);
    pair(
        criterion,
        rigs,
        "incr",
        || floor::incr(black_box(HEAD), black_box(NAME)),
        |statsd| statsd.incr(black_box(NAME)),
    );
    pair(
        criterion,
        rigs,
        "incr, short name",
        || floor::incr(black_box(HEAD), black_box(SHORT_NAME)),
        |statsd| statsd.incr(black_box(SHORT_NAME)),
    );
    pair(
        criterion,
        rigs,
        "incr, long name",
        || floor::incr(black_box(HEAD), black_box(LONG_NAME)),
        |statsd| statsd.incr(black_box(LONG_NAME)),
    );
    pair(
        criterion,
        rigs,
        "incr_by",
        || floor::incr_by(black_box(HEAD), black_box(NAME), black_box(1234)),
        |statsd| statsd.incr_by(black_box(NAME), black_box(1234_u64)),
    );
    pair(
        criterion,
        rigs,
        "gauge, whole",
        || floor::gauge(black_box(HEAD), black_box(NAME), black_box(1234)),
        |statsd| statsd.gauge(black_box(NAME), black_box(1234_u64)),
    );
    pair(
        criterion,
        rigs,
        "gauge, two decimals",
        || floor::gauge_float(black_box(HEAD), black_box(NAME), black_box(12.34)),
        |statsd| statsd.gauge(black_box(NAME), black_box(12.34)),
    );
    pair(
        criterion,
        rigs,
        "timing",
        || floor::timing(black_box(HEAD), black_box(NAME), black_box(elapsed)),
        |statsd| statsd.timing(black_box(NAME), black_box(elapsed)),
    );
    let disabled = Connector::disabled();
    criterion.bench_function("incr, disabled", |bencher| {
        bencher.iter(|| black_box(&disabled).incr(black_box(NAME)));
    });
    for rig in rigs {
        println!("the account of all of the above: {}", rig.statsd.stats());
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = hot_path
}
criterion_main!(benches);

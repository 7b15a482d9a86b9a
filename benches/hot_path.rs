//! Criterion benchmark of freewheel's calls, each compared with its floor: the cost of formatting
//! the same line into a local buffer. The command-line argument selects calls by name.
//!
//! ```sh
//! cargo bench -p freewheel-benches --bench hot_path             # all calls
//! cargo bench -p freewheel-benches --bench hot_path -- timing   # one call
//! ```
//!
//! The flusher runs on a separate thread and sends over TCP to a receiver that discards. Blocks are
//! sealed, swept and recycled as in a service. Each call is measured twice:
//!
//! - With the flusher on the caller's core. Blocks stay in that core's cache, like the floor's
//!   buffer. This is the cost of the code.
//! - With the flusher on another core. Each cache line that the flusher has read must be fetched
//!   back from that core. The difference is the cost of these transfers.
//!
//! The account is printed at the end. Dropped lines are cheaper, and would make the figures too
//! low.

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
/// Metric name shorter than sixteen bytes, for the benchmark of the code path that copies and
/// checks short names.
const SHORT_NAME: &str = "cache.hit";
/// Metric name of 52 bytes, for the benchmark of the code path that copies and checks names of more
/// than 32 bytes.
const LONG_NAME: &str = "requests.accepted.by.the.gateway.of.the.eastern.zone";
const HEAD: &[u8] = b"applications.my-service.counters.";

/// Running freewheel client (a `Connector` with its flusher thread), connected to a TCP server that
/// discards the lines.
struct Pipeline {
    statsd: Connector,
    /// Number of bytes that the server thread has read so far.
    received: Arc<AtomicU64>,
}

impl Pipeline {
    /// Starts a server thread on the CPU core `receiver`, and a connector that sends to this
    /// server. The connector's flusher thread runs on the core `flusher`.
    fn new(flusher: CoreId, receiver: CoreId) -> Self {
        // A new thread inherits the affinity of the thread that spawns it.
        core_affinity::set_for_current(receiver);
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is available");
        let port = listener.local_addr().expect("the socket is bound").port();
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
        let statsd = statsd.queue_capacity(64 << 20).build().expect("the settings are valid");
        statsd.start_on_thread().expect("the connector is not running yet");
        while !statsd.connected() {
            std::thread::yield_now();
        }
        Self { statsd, received }
    }

    /// Flushes the connector, then waits until the server has read all bytes that were sent.
    fn wait_until_idle(&self) {
        let _ = self.statsd.blocking_flush();
        while self.received.load(Relaxed) < self.statsd.stats().sent.bytes {
            std::thread::yield_now();
        }
    }
}

/// Number of calls in a timed burst, between two pauses. The connector's queue has room for far
/// more lines, so that a burst drops none.
const BURST: u64 = 2_000;

/// Times bursts of calls of the closure `call`, and runs the closure `pause` after each burst,
/// outside the timed part.
///
/// The pause lets the queue drain, so that no line is dropped and no other thread works while calls
/// are timed.
fn bench_bursts(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    call: impl Fn(),
    pause: impl Fn(),
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut elapsed = Duration::ZERO;
            let mut remaining = iterations;
            while remaining > 0 {
                let burst = remaining.min(BURST);
                let start = std::time::Instant::now();
                (0..burst).for_each(|_| call());
                elapsed += start.elapsed();
                remaining -= burst;
                pause();
            }
            elapsed
        });
    });
}

/// Times bursts of `floor`, which only formats a line, and of `call`, which emits the same line
/// through freewheel. Measures `call` with each of two running clients, whose flushers run on
/// different CPU cores. Pauses after bursts of `floor` also send lines, so that the CPU caches are
/// in the same state for both.
///
/// The functions are inlined into the timing loops.
fn bench_pair(
    criterion: &mut Criterion,
    [near, far]: [&Pipeline; 2],
    name: &str,
    floor: impl Fn(),
    call: impl Fn(&Connector),
) {
    let mut group = criterion.benchmark_group(name);
    bench_bursts(&mut group, "floor", floor, || {
        (0..BURST).for_each(|_| call(&near.statsd));
        near.wait_until_idle();
    });
    bench_bursts(&mut group, "freewheel", || call(&near.statsd), || near.wait_until_idle());
    let other = "freewheel, flusher on another core";
    bench_bursts(&mut group, other, || call(&far.statsd), || far.wait_until_idle());
    group.finish();
}

fn hot_path(criterion: &mut Criterion) {
    let cores = core_affinity::get_core_ids().expect("the operating system lists its cores");
    let (own, other) = (cores[0], cores[cores.len() - 1]);
    let (near, far) = (&Pipeline::new(own, other), &Pipeline::new(other, other));
    let pipelines = [near, far];
    core_affinity::set_for_current(own);
    let elapsed = Duration::from_nanos(1_234_567);
    bench_pair(
        criterion,
        pipelines,
        "incr",
        || floor::incr(black_box(HEAD), black_box(NAME)),
        |statsd| statsd.incr(black_box(NAME)),
    );
    bench_pair(
        criterion,
        pipelines,
        "incr, short name",
        || floor::incr(black_box(HEAD), black_box(SHORT_NAME)),
        |statsd| statsd.incr(black_box(SHORT_NAME)),
    );
    bench_pair(
        criterion,
        pipelines,
        "incr, long name",
        || floor::incr(black_box(HEAD), black_box(LONG_NAME)),
        |statsd| statsd.incr(black_box(LONG_NAME)),
    );
    bench_pair(
        criterion,
        pipelines,
        "incr_by",
        || floor::incr_by(black_box(HEAD), black_box(NAME), black_box(1234)),
        |statsd| statsd.incr_by(black_box(NAME), black_box(1234_u64)),
    );
    bench_pair(
        criterion,
        pipelines,
        "gauge, whole",
        || floor::gauge(black_box(HEAD), black_box(NAME), black_box(1234)),
        |statsd| statsd.gauge(black_box(NAME), black_box(1234_u64)),
    );
    bench_pair(
        criterion,
        pipelines,
        "gauge, two decimals",
        || floor::gauge_float(black_box(HEAD), black_box(NAME), black_box(12.34)),
        |statsd| statsd.gauge(black_box(NAME), black_box(12.34)),
    );
    bench_pair(
        criterion,
        pipelines,
        "timing",
        || floor::timing(black_box(HEAD), black_box(NAME), black_box(elapsed)),
        |statsd| statsd.timing(black_box(NAME), black_box(elapsed)),
    );
    let disabled = Connector::disabled();
    criterion.bench_function("incr, disabled", |bencher| {
        bencher.iter(|| black_box(&disabled).incr(black_box(NAME)));
    });
    for pipeline in pipelines {
        println!("account of all calls above: {}", pipeline.statsd.stats());
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

//! What a call costs, beside its floor, in one run.
//!
//! ```sh
//! cargo bench -p freewheel-benches --bench hot_path
//! ```
//!
//! The flusher runs on a thread of its own and sends over TCP to a receiver that reads and
//! discards, so that blocks are sealed, swept and recycled as in a service. What was dropped is
//! printed at the end: a drop is cheaper than a line, and must not flatter the figures.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use freewheel::Connector;
use freewheel_benches as floor;
use std::hint::black_box;
use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

const NAME: &str = "requests.accepted.by.the.gateway";
const HEAD: &[u8] = b"applications.my-service.counters.";

/// A connector whose lines are taken away.
fn connector() -> Connector {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the connector connects");
        let mut discarded = vec![0; 1 << 20];
        while matches!(stream.read(&mut discarded), Ok(read) if read > 0) {}
    });
    let statsd = Connector::builder("127.0.0.1").port(port).prefix("applications.my-service");
    let statsd = statsd.queue_capacity(64 << 20).build().expect("good settings");
    statsd.start_on_thread().expect("a thread");
    statsd
}

/// A burst that the capacity holds, then a pause in which it is sent: so that no line is
/// dropped, which would be cheaper than to write it.
fn bursts(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    statsd: Option<&Connector>,
    call: impl Fn(),
) {
    const BURST: u64 = 2_000;
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
                if let Some(statsd) = statsd {
                    statsd.blocking_flush();
                }
            }
            elapsed
        });
    });
}

/// A call and its floor; both are compiled into their loops.
fn pair(
    criterion: &mut Criterion,
    statsd: &Connector,
    name: &str,
    floor: impl Fn(),
    call: impl Fn(&Connector),
) {
    let mut group = criterion.benchmark_group(name);
    bursts(&mut group, "floor", None, floor);
    bursts(&mut group, "freewheel", Some(statsd), || call(statsd));
    group.finish();
}

fn hot_path(criterion: &mut Criterion) {
    let statsd = &connector();
    let elapsed = Duration::from_nanos(1_234_567);
    pair(
        criterion,
        statsd,
        "incr",
        || floor::incr(black_box(HEAD), black_box(NAME)),
        |statsd| statsd.incr(black_box(NAME)),
    );
    pair(
        criterion,
        statsd,
        "incr_by",
        || floor::incr_by(black_box(HEAD), black_box(NAME), black_box(1234)),
        |statsd| statsd.incr_by(black_box(NAME), black_box(1234_u64)),
    );
    pair(
        criterion,
        statsd,
        "gauge, whole",
        || floor::gauge(black_box(HEAD), black_box(NAME), black_box(1234)),
        |statsd| statsd.gauge(black_box(NAME), black_box(1234_u64)),
    );
    pair(
        criterion,
        statsd,
        "gauge, two decimals",
        || floor::gauge_float(black_box(HEAD), black_box(NAME), black_box(12.34)),
        |statsd| statsd.gauge(black_box(NAME), black_box(12.34)),
    );
    pair(
        criterion,
        statsd,
        "timing",
        || floor::timing(black_box(HEAD), black_box(NAME), black_box(elapsed)),
        |statsd| statsd.timing(black_box(NAME), black_box(elapsed)),
    );
    let disabled = Connector::disabled();
    criterion.bench_function("incr, disabled", |bencher| {
        bencher.iter(|| black_box(&disabled).incr(black_box(NAME)));
    });
    statsd.blocking_flush();
    println!("the account of all of the above: {}", statsd.stats());
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = hot_path
}
criterion_main!(benches);

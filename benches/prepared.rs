//! Criterion benchmark of freewheel's prepared metrics (handles with the line rendered in advance)
//! and of tagged calls. Each is compared with its floor: the cost of formatting the same line into
//! a local buffer.
//!
//! The command-line argument filters by name:
//!
//! ```sh
//! cargo bench -p freewheel-benches --bench prepared                 # everything
//! cargo bench -p freewheel-benches --bench prepared -- "two tags"   # tags only
//! ```
//!
//! The floor copies the same bytes and formats the same number into a buffer of the calling thread,
//! and discards them. The flusher runs between bursts, on the same thread. No line is dropped,
//! since a dropped line would be cheaper. The warm-up allocates all blocks: a connector allocates
//! each block once, and not for each line.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use freewheel::{
    Builder, Connector, Counter, Delivery, Dialect, Gauge, Protocol, SampleRate, Timing,
};
use std::cell::RefCell;
use std::hint::black_box;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use std::{io, thread};

const NAME: &str = "requests.accepted.by.the.gateway";
const HEAD: &str = "applications.my-service.";
/// Size in bytes of the buffer into which the floor (code that only formats lines) writes. It
/// equals the size of freewheel's blocks (per-thread line buffers).
const CAPACITY: usize = 16 << 10;
/// Number of calls in a timed burst. The lines of one burst are too few to wake the flusher task,
/// so that it does not run during the burst.
const BURST: u64 = 20_000;

thread_local! {
    static BUFFER: RefCell<(Box<[u8]>, usize)> =
        RefCell::new((vec![0; CAPACITY].into_boxed_slice(), 0));
}

/// Copies the pieces of a line, one after the other, into the calling thread's buffer.
#[inline(always)]
fn copy_pieces<const N: usize>(pieces: [&[u8]; N]) {
    BUFFER.with_borrow_mut(|(bytes, used)| {
        let size: usize = pieces.iter().map(|piece| piece.len()).sum();
        if *used + size > CAPACITY {
            *used = 0;
        }
        for piece in pieces {
            bytes[*used..][..piece.len()].copy_from_slice(piece);
            *used += piece.len();
        }
    });
}

fn builder() -> Builder {
    let builder = Connector::builder("127.0.0.1").protocol(Protocol::Tcp);
    let builder = builder.dialect(Dialect::DogStatsD);
    builder.prefix("applications.my-service").queue_capacity(32 << 20)
}

/// Starts a TCP server that reads and discards all bytes. Returns its port.
fn discarding_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port exists");
    let port = listener.local_addr().expect("the socket is bound").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("the socket listens");
            io::copy(&mut stream, &mut io::sink())
                .expect("the client closes the connection in order");
        }
    });
    port
}

/// Starts a connector (a freewheel client), and times bursts of calls of the closure that `make`
/// builds from the connector. Flushes the connector after each burst, outside the timed part.
fn bench_bursts<C: Fn()>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    make: impl Fn(Connector) -> C,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the runtime can be built");
    let builder = builder().port(discarding_server()).delivery(Delivery::Written);
    let statsd =
        builder.flush_interval(Duration::from_secs(60)).build().expect("the settings are valid");
    runtime.block_on(statsd.start()).expect("the connector was not started before");
    let call = make(statsd.clone());
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut elapsed = Duration::ZERO;
            let mut remaining = iterations;
            while remaining > 0 {
                let burst = remaining.min(BURST);
                let start = Instant::now();
                (0..burst).for_each(|_| call());
                elapsed += start.elapsed();
                remaining -= burst;
                assert_eq!(runtime.block_on(statsd.flush()), Ok(()));
                assert_eq!(statsd.stats().dropped().lines, 0);
            }
            elapsed
        });
    });
    assert_eq!(runtime.block_on(statsd.stop()).kept.lines, 0);
}

fn bench_pair<C: Fn()>(
    criterion: &mut Criterion,
    name: &str,
    floor: impl Fn(),
    make: impl Fn(Connector) -> C,
) {
    let mut group = criterion.benchmark_group(name);
    bench_bursts(&mut group, "floor", |_| &floor);
    bench_bursts(&mut group, "freewheel", make);
    group.finish();
}

fn tagged(statsd: &Connector) -> Counter {
    statsd.metric::<Counter>(NAME).tag("route", "/").tag("code", "200").build()
}

fn prepared(criterion: &mut Criterion) {
    let before = format!("{HEAD}{NAME}:");
    let before = before.as_bytes();
    let tags = b"|c|#route:/,code:200\n";
    let elapsed = Duration::from_nanos(1_234_567);
    bench_pair(
        criterion,
        "prepared incr",
        || copy_pieces([black_box(before), b"1|c\n"]),
        |statsd| {
            let hits = statsd.metric::<Counter>(NAME).build();
            move || black_box(&hits).incr()
        },
    );
    bench_pair(
        criterion,
        "prepared incr, two tags",
        || copy_pieces([black_box(before), b"1", black_box(tags)]),
        |statsd| {
            let hits = tagged(&statsd);
            move || black_box(&hits).incr()
        },
    );
    bench_pair(
        criterion,
        "prepared incr_by, two tags",
        || {
            let mut integer = itoa::Buffer::new();
            let amount = integer.format(black_box(1234_u64));
            copy_pieces([black_box(before), amount.as_bytes(), black_box(tags)]);
        },
        |statsd| {
            let hits = tagged(&statsd);
            move || black_box(&hits).incr_by(black_box(1234_u64))
        },
    );
    bench_pair(
        criterion,
        "prepared gauge, whole",
        || {
            let mut integer = itoa::Buffer::new();
            copy_pieces([
                black_box(before),
                integer.format(black_box(1234_u64)).as_bytes(),
                b"|g\n",
            ]);
        },
        |statsd| {
            let depth = statsd.metric::<Gauge>(NAME).build();
            move || black_box(&depth).set(black_box(1234_u64))
        },
    );
    bench_pair(
        criterion,
        "prepared timing",
        || {
            let elapsed = black_box(elapsed);
            let (mut whole, mut fraction) = (itoa::Buffer::new(), itoa::Buffer::new());
            let whole = whole.format(elapsed.as_millis() as u64).as_bytes();
            let nanoseconds = 1_000_000 + elapsed.subsec_nanos() % 1_000_000;
            let fraction = &fraction.format(nanoseconds).as_bytes()[1..];
            copy_pieces([black_box(before), whole, b".", fraction, b"|ms\n"]);
        },
        |statsd| {
            let time = statsd.metric::<Timing>(NAME).build();
            move || black_box(&time).record(black_box(elapsed))
        },
    );
    bench_pair(
        criterion,
        "incr, two tags",
        || {
            let (route, code) = (black_box("/").as_bytes(), black_box("200").as_bytes());
            let name = black_box(NAME).as_bytes();
            let head = black_box(HEAD).as_bytes();
            copy_pieces([head, name, b":1|c|#route:", route, b",code:", code, b"\n"]);
        },
        |statsd| {
            move || {
                let (route, code) = (black_box("/"), black_box("200"));
                statsd
                    .metric::<Counter>(black_box(NAME))
                    .tag("route", route)
                    .tag("code", code)
                    .incr();
            }
        },
    );
    let rate = SampleRate::new(0.001).expect("the rate is valid");
    let mut group = criterion.benchmark_group("prepared incr, one in a thousand");
    bench_bursts(&mut group, "freewheel", |statsd| {
        let hits = statsd.metric::<Counter>(NAME).sample_rate(rate).build();
        move || black_box(&hits).incr()
    });
    group.finish();
}

/// Benchmarks another client, metrics-exporter-dogstatsd: times the recording of a duration through
/// one of its histogram handles.
///
/// It is the only other client with handles that send each value. Only its histograms do so. It
/// aggregates counters and gauges into one line every three seconds.
#[cfg(feature = "peers")]
fn peers(criterion: &mut Criterion) {
    use metrics_exporter_dogstatsd::DogStatsDBuilder;
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port exists");
    let address = receiver.local_addr().expect("the socket is bound").to_string();
    let builder =
        DogStatsDBuilder::default().with_remote_address(address).expect("the address is valid");
    builder.with_telemetry(false).install().expect("no recorder was installed before");
    let handle = metrics::histogram!(NAME);
    let elapsed = Duration::from_nanos(1_234_567);
    let mut group = criterion.benchmark_group("prepared timing");
    group.bench_function("metrics-exporter-dogstatsd", |bencher| {
        bencher.iter(|| black_box(&handle).record(black_box(elapsed)));
    });
    group.finish();
}

#[cfg(not(feature = "peers"))]
fn peers(_criterion: &mut Criterion) {}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = prepared, peers
}
criterion_main!(benches);

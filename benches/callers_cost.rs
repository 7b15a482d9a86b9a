//! Criterion benchmark of the time that a call to a StatsD client takes in the calling thread, for
//! freewheel and other Rust clients.
//!
//! `--save-baseline` and `--baseline` compare with an earlier state. The argument filters by call
//! and subject.
//!
//! ```sh
//! cargo bench -p freewheel-benches --bench callers_cost -- incr             # all subjects
//! cargo bench -p freewheel-benches --bench callers_cost -- incr/freewheel   # freewheel's variants
//! ```
//!
//! Subjects run one after the other in this process. The figures of `docs/benchmarks.md` come from
//! `cargo suite callers_cost` instead, which runs each subject in a separate process.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use freewheel_benches::fixtures::LineLength;
use freewheel_benches::receiver::{Receiver, SocketBuffer};
use freewheel_benches::subject::{Call, Kind, Repeat, Setup, Subject, Transport};
use freewheel_benches::subjects::{self, Visitor};
use std::time::{Duration, Instant};

/// Number of calls in a timed burst, between two pauses. Every client's queue has room for far more
/// lines, so that a burst drops none.
const BURST: u64 = 1_000;

struct BenchSubject<'a, 'b> {
    group: &'a mut BenchmarkGroup<'b, WallTime>,
    call: Call,
    setup: &'a Setup,
}

impl Visitor for BenchSubject<'_, '_> {
    type Output = ();
    fn visit<S: Subject>(self) {
        let Self { group, call, setup } = self;
        let subject = S::start(setup);
        let mut caller = subject.caller();
        group.bench_function(S::INFO.label, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut elapsed = Duration::ZERO;
                let mut remaining = iterations;
                while remaining > 0 {
                    let burst = remaining.min(BURST);
                    let start = Instant::now();
                    call.drive(&mut caller, Repeat(burst as usize));
                    elapsed += start.elapsed();
                    remaining -= burst;
                    // Lets clients send their lines. A dropped line would be cheaper.
                    std::thread::sleep(Duration::from_millis(1));
                }
                elapsed
            });
        });
        drop(caller);
        if let Some(dropped @ 1..) = subject.close() {
            println!("{}: {dropped} lines were dropped", S::INFO.label);
        }
    }
}

fn callers_cost(criterion: &mut Criterion) {
    let receiver = Receiver::start(Transport::Udp, SocketBuffer::Large);
    let setup = Setup { target: receiver.target(), payload: 1432, length: LineLength::Long };
    for call in Call::ALL {
        let mut group = criterion.benchmark_group(call.id());
        for info in subjects::all() {
            let sends_only = info.id.starts_with("raw") || info.id == "nothing";
            // Only the suite measures clients that aggregate, because a process can install only
            // one of their recorders.
            if !sends_only && info.calls.contains(&call) && info.kind != Kind::Aggregates {
                subjects::visit(info.id, BenchSubject { group: &mut group, call, setup: &setup });
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = callers_cost
}
criterion_main!(benches);

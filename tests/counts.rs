//! Tests that calls which emit a metric neither allocate nor make system calls. An allocator counts
//! allocations, and a seccomp filter forbids system calls.
//!
//! `cargo xtask no-lock` checks the machine code for atomic read-modify-writes.

#![allow(unsafe_code, clippy::unwrap_used)]

#[path = "support/allocations.rs"]
mod allocations;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "support/system_calls.rs"]
mod system_calls;

use allocations::ALLOCATIONS;
use freewheel::{
    Connector, Counter, Dialect, Distribution, Gauge, Histogram, Meter, SampleRate, Set, Thinned,
    Timing,
};
use std::time::{Duration, UNIX_EPOCH};

/// Calls every method of the connector that emits a metric, with every kind of value, and with
/// valid and invalid names.
fn every_call(statsd: &Connector) {
    for name in ["requests", "a.name.of.more.than.sixteen.bytes", "to be: altered", ""] {
        statsd.incr(name);
        statsd.incr_by(name, 5_u64);
        statsd.incr_by(name, 1.25);
        statsd.decr(name);
        statsd.decr_by(name, i128::MIN);
        statsd.gauge(name, 17);
        statsd.gauge(name, -17.5);
        statsd.gauge(name, 1e150);
        statsd.gauge(name, f64::NAN);
        statsd.gauge_delta(name, -3);
        statsd.timing(name, Duration::from_nanos(1_234_567));
        statsd.timing_seconds(name, 0.001_234);
        drop(statsd.timer(name));
        statsd.inject_metric(name, "1", "c");
        statsd.histogram(name, 1.25);
        statsd.distribution(name, 1.25);
        statsd.set(name, "member");
        statsd.set(name, "a member of more than sixteen bytes, to be: altered");
        statsd.meter(name, 1);
        let rate = SampleRate::new(0.5).unwrap();
        statsd.metric::<Counter>(name).incr();
        statsd.metric::<Counter>(name).tag("route", "/").tag("code", "200").incr();
        statsd.metric::<Counter>(name).tag("route", "to be|altered").sample_rate(rate).decr_by(2);
        statsd.metric::<Gauge>(name).tag("k", "v").timestamp(UNIX_EPOCH + SECOND).set(-1);
        statsd.metric::<Gauge>(name).tag("k", "v").change_by(-1);
        statsd.metric::<Timing>(name).tag("k", "v").tag("l", "w").record(SECOND);
        statsd.metric::<Histogram>(name).tag("k", "v").record(0.1);
        statsd.metric::<Distribution>(name).tag("k", "v").record(0.1);
        statsd.metric::<Set>(name).tag("k", "v").insert("member");
        statsd.metric::<Meter>(name).tag("k", "v").mark(1);
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Prepared metrics (rendered in advance) of every kind. One counter is sampled, and one has a tag
/// with a forbidden character.
struct Prepared {
    counters: [Counter; 3],
    gauge: Gauge,
    timing: Timing,
    histogram: Histogram,
    distribution: Distribution,
    set: Set,
    meter: Meter,
    /// Of the first, nearly all values are thinned away, and of the others none or a few.
    thinned: [Thinned<Timing>; 3],
    thinned_histogram: Thinned<Histogram>,
    thinned_distribution: Thinned<Distribution>,
}

impl Prepared {
    fn new(statsd: &Connector) -> Self {
        let counter = || statsd.metric::<Counter>("requests").tag("route", "/").tag("code", "200");
        Self {
            counters: [
                statsd.metric::<Counter>("a.name.of.more.than.sixteen.bytes").build(),
                counter().sample_rate(SampleRate::new(0.5).unwrap()).build(),
                counter().tag("to be|", "altered").build(),
            ],
            gauge: statsd.metric("depth").tag("k", "v").build(),
            timing: statsd.metric("time").tag("k", "v").build(),
            histogram: statsd.metric("size").build(),
            distribution: statsd.metric("size").build(),
            set: statsd.metric("visitors").build(),
            meter: statsd.metric("rate").build(),
            thinned: [1, 1_000, u32::MAX]
                .map(|lines| statsd.metric("time").tag("k", "v").thin(lines)),
            thinned_histogram: statsd.metric("size").thin(2),
            thinned_distribution: statsd.metric("size|").thin(2),
        }
    }

    fn every_call(&self) {
        for counter in &self.counters {
            counter.incr();
            counter.incr_by(5_u64);
            counter.decr();
            counter.decr_by(1.25);
        }
        self.gauge.set(17);
        self.gauge.set(-17.5);
        self.gauge.change_by(-3);
        self.timing.record(Duration::from_nanos(1_234_567));
        self.timing.record_seconds(0.001_234);
        drop(self.timing.start());
        self.histogram.record(1.25);
        self.distribution.record(1.25);
        self.set.insert("member");
        self.set.insert("a member of more than sixteen bytes, to be: altered");
        self.meter.mark(1);
        for thinned in &self.thinned {
            thinned.record(Duration::from_nanos(1_234_567));
            thinned.record_seconds(0.001_234);
            drop(thinned.start());
        }
        self.thinned_histogram.record(1.25);
        self.thinned_distribution.record(1.25);
    }
}

/// Test fixture: a connector and its prepared metrics of every kind.
struct Fixture {
    statsd: Connector,
    prepared: Prepared,
}

impl Fixture {
    fn new(statsd: Connector) -> Self {
        Self { prepared: Prepared::new(&statsd), statsd }
    }

    fn every_call(&self) {
        every_call(&self.statsd);
        self.prepared.every_call();
    }
}

/// Dialects under test: one without tags, and two that write tags differently.
const DIALECTS: [Dialect; 3] = [Dialect::StatsD, Dialect::DogStatsD, Dialect::Graphite];

/// Returns a connector builder for this dialect, with a tag and a sampling rule if the dialect has
/// tags.
fn builder(dialect: Dialect) -> freewheel::Builder {
    let builder = Connector::builder("127.0.0.1").queue_capacity(96 << 10).dialect(dialect);
    match dialect {
        Dialect::StatsD => builder,
        _ => builder.tag("env", "prod").sample("sampled.*", SampleRate::new(0.5).unwrap()),
    }
}

/// Returns a fixture with a full queue and no running flusher. Calls find no empty block, and drop
/// the lines that do not fit into the rest of their thread's block.
fn full(dialect: Dialect) -> Fixture {
    let fixture = Fixture::new(builder(dialect).build().unwrap());
    while fixture.statsd.stats().drops.full.lines < 1_000 {
        fixture.every_call();
    }
    fixture
}

#[test]
fn no_call_allocates() {
    for dialect in DIALECTS {
        let fixture = full(dialect);
        let before = ALLOCATIONS.get();
        for _ in 0..1_000 {
            fixture.every_call();
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "with the capacity used up, {dialect:?}");

        // All blocks are allocated by now. A flusher recycles them.
        let (receiver, fixture) = with_flusher(dialect);
        let accepted = fixture.statsd.stats().sent.bytes;
        for _ in 0..200 {
            let before = ALLOCATIONS.get();
            fixture.every_call();
            assert_eq!(ALLOCATIONS.get() - before, 0, "with a flusher, {dialect:?}");
            let _ = fixture.statsd.blocking_flush();
        }
        let accepted = fixture.statsd.stats().sent.bytes - accepted;
        assert!(accepted > 10 * (16 << 10), "too few blocks were recycled: {accepted} bytes");
        drop(receiver);
    }
}

/// A gauge allocates once if its line exceeds 246 bytes, the slot size of the ordered queue (which
/// keeps gauges in order across threads). A shorter or a dropped line does not allocate.
#[test]
fn gauge_longer_than_a_slot_allocates_once() {
    let (_receiver, fixture) = with_flusher(Dialect::StatsD);
    for (value, allocations) in [(1e200, 0), (1e300, 1)] {
        for _ in 0..50 {
            let before = ALLOCATIONS.get();
            fixture.statsd.gauge("a", value);
            assert_eq!(ALLOCATIONS.get() - before, allocations, "{value}");
        }
        let _ = fixture.statsd.blocking_flush();
    }
    // A longer line that is dropped does not allocate.
    let fixture = full(Dialect::StatsD);
    let before = ALLOCATIONS.get();
    (0..50).for_each(|_| fixture.statsd.gauge("a", 1e300));
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

/// Connector and prepared counter with sample rates so low that no call emits a line.
struct SampledOut {
    statsd: Connector,
    prepared: Counter,
    rate: SampleRate,
}

impl SampledOut {
    fn new(dialect: Dialect) -> Self {
        let rate = SampleRate::new(1e-18).unwrap();
        let statsd = builder(dialect).sample("by.pattern", rate).build().unwrap();
        let prepared = statsd.metric::<Counter>("requests").sample_rate(rate).build();
        Self { statsd, prepared, rate }
    }

    fn every_call(&self) {
        self.prepared.incr();
        self.prepared.incr_by(1.25);
        self.statsd.metric::<Counter>("requests").sample_rate(self.rate).incr();
        self.statsd.metric::<Timing>("to be: altered").sample_rate(self.rate).record(SECOND);
        self.statsd.incr("by.pattern");
    }
}

#[test]
fn undrawn_line_has_no_effect() {
    for dialect in DIALECTS {
        let sampled_out = SampledOut::new(dialect);
        // The first random number initialises the thread's generator.
        sampled_out.every_call();
        let before = ALLOCATIONS.get();
        for _ in 0..1_000 {
            sampled_out.every_call();
        }
        // The thread allocates no block, because it emits no line.
        assert_eq!(ALLOCATIONS.get() - before, 0, "{dialect:?}");
        assert_eq!(sampled_out.statsd.stats().emitted.lines, 0, "{dialect:?}");
    }
}

/// Returns a UDP socket as the server, and a fixture with a running flusher. The fixture's blocks
/// of memory are already allocated, up to its queue capacity.
fn with_flusher(dialect: Dialect) -> (std::net::UdpSocket, Fixture) {
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = receiver.local_addr().unwrap().port();
    let builder = builder(dialect).port(port).protocol(freewheel::Protocol::Udp);
    let fixture = Fixture::new(builder.flush_interval(Duration::from_millis(5)).build().unwrap());
    while fixture.statsd.stats().drops.full.lines == 0 {
        fixture.every_call();
    }
    fixture.statsd.start_on_thread().unwrap();
    let _ = fixture.statsd.blocking_flush();
    (receiver, fixture)
}

/// No call that emits a metric makes a system call. The test makes all calls in a child process,
/// where a seccomp filter kills the process at any system call except `write` and `exit_group`.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn no_call_calls_the_operating_system() {
    const CHILD: &str = "FREEWHEEL_TEST_UNDER_FILTER";
    if std::env::var_os(CHILD).is_some() {
        under_filter();
    }
    let own = std::env::current_exe().unwrap();
    let mut child = std::process::Command::new(own);
    let child = child.args(["--exact", "no_call_calls_the_operating_system", "--nocapture"]);
    let output = child.env(CHILD, "1").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("all calls made"), "{:?}: {printed}", output.status);
    assert!(printed.ends_with("all calls made\n"), "the filter did not end the process: {printed}");
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn under_filter() -> ! {
    let full = DIALECTS.map(full);
    // All blocks are allocated and empty. No flusher runs that a call could wake.
    let empty = DIALECTS.map(|dialect| {
        let (receiver, fixture) = with_flusher(dialect);
        let report = fixture.statsd.blocking_stop();
        assert_eq!(report.kept.lines, 0);
        // One more round before the filter, in case a first call needs the operating system.
        fixture.every_call();
        (receiver, fixture, report.stats.drops.full)
    });
    let sampled_out = DIALECTS.map(SampledOut::new);
    sampled_out.iter().for_each(SampledOut::every_call);
    let filtered = system_calls::allow_only(&[libc::SYS_write, libc::SYS_exit_group]);
    assert!(filtered, "no seccomp: {}", std::io::Error::last_os_error());
    for _ in 0..1_000 {
        full.iter().for_each(Fixture::every_call);
        sampled_out.iter().for_each(SampledOut::every_call);
    }
    let are_blocks_used = empty.iter().all(|(_, fixture, dropped)| {
        while fixture.statsd.stats().drops.full == *dropped {
            fixture.every_call();
        }
        fixture.statsd.stats().buffered.bytes > 3 * (16 << 10)
    });
    let result: &[u8] =
        if are_blocks_used { b"all calls made\n" } else { b"too few were accepted\n" };
    system_calls::end_under_filter(result)
}

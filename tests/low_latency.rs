//! Tests of the latency profile: the calls of a prepared thread make no system call, allocate nothing
//! and take no page fault. Each has a counterpart without the settings, which shows that the test can
//! fail.
//!
//! Each test runs in its own child process, because pages of code are mapped once for a process,
//! and the filter ends it.

#![allow(unsafe_code, clippy::unwrap_used)]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "support/allocations.rs"]
mod allocations;
#[path = "support/system_calls.rs"]
mod system_calls;

use allocations::ALLOCATIONS;
use freewheel::{
    AggregatedCounter, AggregatedGauge, Builder, Connector, Counter, Dialect, Gauge, Level, Metric,
    Protocol, SampleRate, Timing, WhenFull,
};
use std::net::UdpSocket;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};
use system_calls::{allow_only, end_under_filter};

/// Number of rounds of calls in a measurement. A round emits nine lines.
const ROUNDS: u32 = 20_000;

const CAPACITY: usize = 1 << 20;

/// Runs `task` on a new thread of a child process: the test `name`, which calls this function again.
/// The task must end its process.
fn in_child(name: &str, task: impl FnOnce() + Send + 'static) -> Output {
    const CHILD: &str = "FREEWHEEL_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let _ = thread::spawn(task).join();
        std::process::exit(1);
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap()
}

/// Asserts that the calls which `task` counts take no fault and allocate nothing. The operating system
/// may take a page away at any time, so one of three children must find so.
#[track_caller]
fn assert_no_fault(name: &str, task: impl FnOnce() + Send + Copy + 'static) {
    let is_calm = |output: &Output| output.stdout.ends_with(b"\n0 faults, 0 allocations\n");
    let mut outputs = (0..3).map(|_| in_child(name, task));
    assert!(outputs.any(|output| is_calm(&output)), "{:?}", in_child(name, task));
}

#[track_caller]
fn assert_printed(output: &Output, last_line: &str) {
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let printed_last = printed.lines().next_back().unwrap_or_default();
    assert_eq!(printed_last, last_line, "{:?}: {printed}{errors}", output.status);
}

/// Returns a server that is never read, and settings with it. Datagrams for which its buffer has no
/// room are lost.
fn server() -> (UdpSocket, Builder) {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let builder = Connector::builder("127.0.0.1").port(port).protocol(Protocol::Udp);
    let builder = builder.dialect(Dialect::DogStatsD).queue_capacity(CAPACITY);
    (server, builder.flush_interval(Duration::from_millis(5)))
}

/// Metrics that use all paths of a call: prepared ones and others, through the thread's buffer and
/// through the ordered queue, sampled, timed, altered and invalid ones.
struct Metrics {
    statsd: Connector,
    requests: Counter,
    sampled: Counter,
    depth: Gauge,
    time: Timing,
    aggregated: AggregatedCounter,
    latest: AggregatedGauge,
    level: Level,
}

impl Metrics {
    fn new(statsd: &Connector) -> Self {
        let requests = || -> Metric<'_, Counter, _> { statsd.metric("requests").tag("k", "v") };
        Self {
            requests: requests().build(),
            sampled: requests().sample_rate(SampleRate::new(0.5).unwrap()).build(),
            depth: statsd.metric("depth").build(),
            time: statsd.metric("time").build(),
            aggregated: requests().aggregate(),
            latest: statsd.metric::<Gauge>("latest").aggregate(),
            level: statsd.metric::<Gauge>("level").aggregate_level(),
            statsd: statsd.clone(),
        }
    }

    fn emit(&self) {
        self.requests.incr();
        self.sampled.incr_by(2);
        self.depth.set(-17.5);
        self.time.record(Duration::from_nanos(1_234_567));
        self.aggregated.incr();
        self.latest.set(0.25);
        self.level.add(1);
        self.level.sub(1_u8);
        drop(self.time.start());
        self.statsd.incr_by("by.name", 1.25);
        self.statsd.gauge("depth", f64::NAN);
        self.statsd.meter("unsupported", 1);
        self.statsd.set("to be: altered", "a member of more than sixteen bytes, to be: altered");
        self.statsd.metric::<Gauge>("depth").tag("k", "v").set(1);
    }
}

/// Returns the number of page faults of the calling thread, with and without input or output.
fn page_faults() -> i64 {
    // SAFETY: zero is a valid value of each field.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is valid for writes.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) }, 0);
    usage.ru_minflt + usage.ru_majflt
}

/// Runs `calls` with some pages of stack below this frame, as in a service that emits somewhere deep.
#[inline(never)]
fn deeper(calls: impl FnOnce()) {
    std::hint::black_box(&mut [0_u8; 16 << 10]);
    calls();
}

/// Prepares a new thread, prints the numbers of page faults and allocations of the first `calls` on it,
/// and ends the process.
fn count(statsd: &Connector, calls: impl FnOnce() + Send) -> ! {
    thread::scope(|scope| {
        let count = || {
            assert!(statsd.prepare_thread());
            count_unprepared(calls);
        };
        let _ = scope.spawn(count).join();
    });
    unreachable!("the thread ends the process")
}

/// Prints the numbers of page faults and allocations of `calls`, and ends the process.
fn count_unprepared(calls: impl FnOnce()) -> ! {
    // The code of the counts is mapped before, and the code of the calls is not.
    page_faults();
    let (allocations, faults) = (ALLOCATIONS.get(), page_faults());
    deeper(calls);
    let (faults, allocations) = (page_faults() - faults, ALLOCATIONS.get() - allocations);
    // The harness may have begun a line.
    println!("\n{faults} faults, {allocations} allocations");
    std::process::exit(0);
}

/// Emits until the flusher has sent several times the capacity, so that it has recycled all buffers.
fn emit_several_capacities(metrics: &Metrics) {
    let mut rounds = 0;
    while rounds < ROUNDS || metrics.statsd.stats().sent.bytes < 3 * CAPACITY as u64 {
        metrics.emit();
        rounds += 1;
    }
}

#[test]
fn calls_take_no_fault_and_allocate_nothing_with_a_flusher() {
    let name = "calls_take_no_fault_and_allocate_nothing_with_a_flusher";
    assert_no_fault(name, || {
        let (_server, builder) = server();
        let statsd = builder.low_latency(1).build().unwrap();
        statsd.start_on_thread().unwrap();
        let metrics = Metrics::new(&statsd);
        count(&statsd, || emit_several_capacities(&metrics));
    });
}

/// The calls use all buffers, and then drop lines, since no flusher runs.
#[test]
fn calls_take_no_fault_and_allocate_nothing_beyond_the_capacity() {
    let name = "calls_take_no_fault_and_allocate_nothing_beyond_the_capacity";
    assert_no_fault(name, || beyond_the_capacity(|builder| builder.low_latency(1)));
}

/// Calls also move gauges on from the ordered queue, since `never_wake` is off.
#[test]
fn prefault_suffices_without_a_flusher() {
    let name = "prefault_suffices_without_a_flusher";
    assert_no_fault(name, || beyond_the_capacity(|builder| builder.prefault(1)));
}

fn beyond_the_capacity(settings: fn(Builder) -> Builder) {
    let (_server, builder) = server();
    let metrics = Metrics::new(&settings(builder).build().unwrap());
    count(&metrics.statsd, || {
        (0..ROUNDS).for_each(|_| metrics.emit());
        assert!(metrics.statsd.stats().drops.full.lines > 0);
    });
}

/// A prepared thread whose ID is beyond those in one array, and beyond those for which memory was
/// allocated in advance, allocates when it is prepared.
#[test]
fn further_threads_allocate_when_they_are_prepared() {
    let name = "further_threads_allocate_when_they_are_prepared";
    assert_no_fault(name, || {
        let (_server, builder) = server();
        let statsd = builder.low_latency(1).build().unwrap();
        let metrics = Metrics::new(&statsd);
        // Each of these threads keeps its ID while it waits.
        let (ready, is_ready) = std::sync::mpsc::channel();
        for _ in 0..100 {
            let (statsd, ready) = (statsd.clone(), ready.clone());
            thread::spawn(move || {
                ready.send(statsd.prepare_thread()).unwrap();
                thread::park();
            });
        }
        assert!(is_ready.iter().take(100).all(|is_prepared| is_prepared));
        count(&statsd, || (0..ROUNDS).for_each(|_| metrics.emit()));
    });
}

/// Counterpart: without memory and code in advance the same calls allocate and take faults.
#[test]
fn calls_of_an_unprepared_thread_take_faults() {
    let output = in_child("calls_of_an_unprepared_thread_take_faults", || {
        let (_server, builder) = server();
        let metrics = Metrics::new(&builder.never_wake(true).build().unwrap());
        count_unprepared(|| (0..ROUNDS).for_each(|_| metrics.emit()));
    });
    let printed = String::from_utf8_lossy(&output.stdout);
    let counts = printed.lines().last().and_then(|line| line.split_once(" faults, "));
    let (faults, allocations) = counts.unwrap();
    let allocations = allocations.strip_suffix(" allocations").unwrap();
    // A buffer of 16 KiB takes four faults, unless the operating system gives larger pages.
    assert!(faults.parse::<u32>().unwrap() > 64, "{printed}");
    assert!(allocations.parse::<u32>().unwrap() > 32, "{printed}");
}

/// Emits under a filter that kills the process at any system call of this thread except `write` and
/// `exit_group`: a burst beyond the capacity, at a steady rate, and the first lines after an idle time
/// in which a flusher becomes dormant. `full` has no flusher.
fn emit_under_filter(flowing: &Metrics, full: &Metrics) -> ! {
    let filtered = allow_only(&[libc::SYS_write, libc::SYS_exit_group]);
    assert!(filtered, "no seccomp: {}", std::io::Error::last_os_error());
    for _ in 0..ROUNDS {
        flowing.emit();
        full.emit();
    }
    emit_several_capacities(flowing);
    for _ in 0..2 {
        // A sleep would be a system call. The clock is read without one.
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(2_500) {
            std::hint::spin_loop();
        }
        flowing.requests.incr();
        full.requests.incr();
        flowing.statsd.gauge("depth", f64::NAN);
    }
    let is_full = full.statsd.stats().drops.full.lines > 0;
    let result: &[u8] =
        if is_full { b"\nall calls made\n" } else { b"the capacity was not used up\n" };
    end_under_filter(result)
}

/// Runs [`emit_under_filter`] with these settings, on a thread that is prepared.
fn under_filter(settings: fn(Builder) -> Builder) {
    let (_server, builder) = server();
    let flowing = settings(builder).build().unwrap();
    flowing.start_on_thread().unwrap();
    let (_server, builder) = server();
    let full = settings(builder).build().unwrap();
    let (flowing, full) = (Metrics::new(&flowing), Metrics::new(&full));
    assert!(flowing.statsd.prepare_thread() && full.statsd.prepare_thread());
    emit_under_filter(&flowing, &full);
}

#[test]
fn calls_make_no_system_call() {
    let output = in_child("calls_make_no_system_call", || {
        under_filter(|builder| builder.low_latency(2));
    });
    assert_printed(&output, "all calls made");
    assert_eq!(output.status.signal(), Some(libc::SIGSYS), "the filter ends the process");
}

#[test]
fn calls_make_no_system_call_if_old_lines_are_dropped() {
    let output = in_child("calls_make_no_system_call_if_old_lines_are_dropped", || {
        under_filter(|builder| builder.low_latency(2).when_full(WhenFull::DropOldest));
    });
    assert_printed(&output, "all calls made");
    assert_eq!(output.status.signal(), Some(libc::SIGSYS), "the filter ends the process");
}

/// Counterpart: without `never_wake` a call wakes the flusher, by a system call.
#[test]
fn call_that_wakes_the_flusher_makes_a_system_call() {
    let output = in_child("call_that_wakes_the_flusher_makes_a_system_call", || {
        under_filter(|builder| builder.prefault(2));
    });
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(!printed.contains("all calls made"), "{printed}");
    assert_eq!(output.status.signal(), Some(libc::SIGSYS), "the filter ends the process");
}

//! Tests a global allocator that itself emits metrics, even within a metric call. It does so at a
//! thread's first call, at later calls, and at the thread's exit.
//!
//! A separate test program, because a process has one global allocator.

// An `unwrap` in a test is an assertion. Only the allocator is `unsafe`.
#![allow(clippy::unwrap_used, unsafe_code)]

mod support;

use freewheel::dogstatsd::{Event, ServiceCheck, Status};
use freewheel::{Connector, Dialect, Protocol};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use support::{TcpReceiver, assert_balanced, flush, started, tcp};

/// Global allocator that emits metric lines at each allocation and deallocation, if this is enabled
/// for the calling thread: two short lines, or lines whose calls allocate memory.
struct EmittingAllocator;

#[global_allocator]
static ALLOCATOR: EmittingAllocator = EmittingAllocator;

static STATSD: OnceLock<Connector> = OnceLock::new();
/// Number of metric lines that the allocator has emitted.
static EMITTED: AtomicU64 = AtomicU64::new(0);

static LARGE: OnceLock<LargeLines> = OnceLock::new();
/// Number of lines of [`LARGE`] that the allocator has emitted.
static LARGE_EMITTED: AtomicU64 = AtomicU64::new(0);

/// Lines whose calls allocate memory, and the connector that emits them.
struct LargeLines {
    statsd: Connector,
    /// Name that makes a line longer than the maximum length.
    long_name: String,
    event: Event,
    check: ServiceCheck,
}

thread_local! {
    /// True if the allocator emits the lines of [`LARGE`] when this thread allocates or frees memory.
    static IS_LARGE_ENABLED: Cell<bool> = const { Cell::new(false) };
    /// True if the allocator emits metrics when this thread allocates or frees memory.
    static IS_ENABLED: Cell<bool> = const { Cell::new(false) };
}

fn emit_if_enabled() {
    if IS_ENABLED.get()
        && let Some(statsd) = STATSD.get()
    {
        statsd.incr("from.allocator");
        statsd.gauge("from.allocator", 1);
        EMITTED.fetch_add(2, Relaxed);
    }
    if IS_LARGE_ENABLED.get()
        && let Some(LargeLines { statsd, long_name, event, check }) = LARGE.get()
    {
        statsd.incr(long_name);
        statsd.gauge(long_name, 1);
        statsd.event(event);
        statsd.service_check(check);
        LARGE_EMITTED.fetch_add(4, Relaxed);
    }
}

// SAFETY: every call is forwarded to `System`.
unsafe impl GlobalAlloc for EmittingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        emit_if_enabled();
        // SAFETY: the caller keeps the contract of this method, which is the contract of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        emit_if_enabled();
        // SAFETY: the caller keeps the contract of this method, which is the contract of `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Thread-local value that emits a metric in its destructor. The destructor also allocates and
/// frees memory.
struct EmitOnDrop(Box<u64>);

impl Drop for EmitOnDrop {
    fn drop(&mut self) {
        *self.0 += 1;
        STATSD.get().unwrap().incr("at.the.end");
        drop(Box::new(*self.0));
    }
}

thread_local! {
    /// Thread-local value that a thread sets before its first metric call. Its destructor therefore
    /// runs after the library's hook for the thread's exit.
    static REGISTERED_BEFORE: Cell<Option<EmitOnDrop>> = const { Cell::new(None) };
    /// Thread-local value that a thread sets after its first metric call. Its destructor therefore
    /// runs before the library's hook for the thread's exit.
    static REGISTERED_AFTER: Cell<Option<EmitOnDrop>> = const { Cell::new(None) };
}

#[test]
fn an_allocator_may_emit_whatever_its_thread_is_about() {
    const THREADS: u64 = 20;
    let receiver = TcpReceiver::start();
    let statsd = STATSD.get_or_init(|| started(tcp(receiver.port())));
    for _ in 0..THREADS {
        let body = || {
            REGISTERED_BEFORE.set(Some(EmitOnDrop(Box::new(1))));
            IS_ENABLED.set(true);
            // The first line registers the thread and takes a block.
            statsd.incr("first");
            // A line that is longer than a slot of the queue, and lines that need another block.
            statsd.gauge("long", 1e300);
            (0..2_000).for_each(|_| statsd.incr("more"));
            drop(vec![0_u8; 100]);
            REGISTERED_AFTER.set(Some(EmitOnDrop(Box::new(1))));
        };
        thread::spawn(body).join().unwrap();
    }
    flush(statsd);
    let stats = statsd.stats();
    assert_balanced(&stats);
    let emitted = THREADS * (1 + 1 + 2_000 + 2) + EMITTED.load(Relaxed);
    assert_eq!(stats.emitted.lines, emitted);
    assert!(
        stats.drops.reentrant.lines >= THREADS,
        "too few lines were dropped as reentrant: {stats:?}"
    );
    assert_eq!(stats.dropped(), stats.drops.reentrant + stats.drops.thread_exit);
    receiver.wait_for_lines(stats.sent.lines);
    assert_eq!(stats.sent.lines, emitted - stats.dropped().lines);
}

/// Emits lines from the allocator whose calls allocate and free memory themselves: lines that are
/// longer than the maximum length, an event and a service check. The inner lines must be dropped as
/// reentrant, or the allocator would call itself without end.
#[test]
fn an_allocator_may_emit_lines_that_allocate() {
    let builder = Connector::builder("127.0.0.1").protocol(Protocol::Udp);
    let statsd = builder.dialect(Dialect::DogStatsD).build().unwrap();
    let large = LARGE.get_or_init(|| LargeLines {
        statsd,
        long_name: "n".repeat(20_000),
        event: Event::new("title", "text").tag("a", "b"),
        check: ServiceCheck::new("check", Status::Ok).message("message"),
    });
    thread::spawn(|| {
        IS_LARGE_ENABLED.set(true);
        drop(std::hint::black_box(vec![0_u8; 100]));
        IS_LARGE_ENABLED.set(false);
    })
    .join()
    .unwrap();
    let stats = large.statsd.stats();
    assert_balanced(&stats);
    assert_eq!(stats.emitted.lines, LARGE_EMITTED.load(Relaxed));
    // One allocation and one deallocation: two lines of each kind are not within another call.
    assert_eq!((stats.buffered.lines, stats.drops.oversize.lines), (4, 4));
    assert_eq!(stats.dropped(), stats.drops.oversize + stats.drops.reentrant);
}

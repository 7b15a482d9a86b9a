//! What a hot call must not do, shown by counting: allocate, or call the operating system.
//!
//! That it does no read-modify-write either is shown by its machine code: `.ci/no-lock`.

#![allow(unsafe_code, clippy::unwrap_used)]

use freewheel::Connector;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // Fails only while the thread ends.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: all is left to `System`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Every hot call, with every kind of value, good names and bad ones.
fn every_call(statsd: &Connector) {
    for name in ["requests", "a.name.of.more.than.sixteen.bytes", "to be: altered", ""] {
        statsd.incr(name);
        statsd.incr_by(name, 5_u64);
        statsd.incr_by(name, 1.25);
        statsd.decr(name);
        statsd.decr_by(name, i128::MIN);
        statsd.gauge(name, 17);
        statsd.gauge(name, -17.5);
        statsd.gauge(name, 1e300);
        statsd.gauge(name, f64::NAN);
        statsd.gauge_delta(name, -3);
        statsd.timing(name, Duration::from_nanos(1_234_567));
        statsd.timing_seconds(name, 0.001_234);
        drop(statsd.timer(name));
        statsd.inject_metric(name, "1", "c");
    }
}

/// A connector whose capacity is used up but for the end of the thread's block, so that calls
/// take every path, to a fresh block and to a drop.
fn full() -> Connector {
    let statsd = Connector::builder("127.0.0.1").queue_capacity(64 << 10).build().unwrap();
    while statsd.stats().drops.full.lines < 1_000 {
        every_call(&statsd);
    }
    statsd
}

#[test]
fn no_call_allocates() {
    let statsd = full();
    let before = ALLOCATIONS.get();
    for _ in 0..1_000 {
        every_call(&statsd);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0, "while nothing can be accepted");

    // With a flusher that gives blocks back: they were all made by now.
    let (receiver, statsd) = running();
    let accepted = statsd.stats().sent.bytes;
    for _ in 0..200 {
        let before = ALLOCATIONS.get();
        every_call(&statsd);
        assert_eq!(ALLOCATIONS.get() - before, 0, "while lines are taken away");
        statsd.blocking_flush();
    }
    let accepted = statsd.stats().sent.bytes - accepted;
    assert!(accepted > 10 * (16 << 10), "blocks were turned over: {accepted} bytes");
    drop(receiver);
}

/// A started connector that has made all its blocks, and its receiver.
fn running() -> (std::net::UdpSocket, Connector) {
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = receiver.local_addr().unwrap().port();
    let builder = Connector::builder("127.0.0.1").port(port).queue_capacity(64 << 10);
    let builder = builder.protocol(freewheel::Protocol::Udp);
    let statsd = builder.flush_interval(Duration::from_millis(5)).build().unwrap();
    while statsd.stats().drops.full.lines == 0 {
        every_call(&statsd);
    }
    statsd.start_on_thread().unwrap();
    statsd.blocking_flush();
    (receiver, statsd)
}

/// The calls are made under a filter that lets no system call through but `write` and
/// `exit`: any other kills the process. In a child, which alone runs the filtered part.
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
    let full = full();
    // All its blocks are made and empty, and there is no flusher that could be woken.
    let (receiver, empty) = running();
    let report = empty.blocking_stop();
    assert_eq!(report.kept.lines, 0);
    // The clock is read without a system call only after its page was mapped.
    every_call(&empty);
    let filtered = allow_only(&[libc::SYS_write, libc::SYS_exit_group]);
    assert!(filtered, "no seccomp: {}", std::io::Error::last_os_error());
    for _ in 0..1_000 {
        every_call(&full);
    }
    while empty.stats().drops.full == report.stats.drops.full {
        every_call(&empty);
    }
    let turned_over = empty.stats().buffered.bytes > 3 * (16 << 10);
    let done: &[u8] = if turned_over { b"all calls made\n" } else { b"too few were accepted\n" };
    // SAFETY: the bytes are there; after that a call that the filter refuses, to show that it
    // was in force.
    unsafe {
        libc::syscall(libc::SYS_write, 1, done.as_ptr(), done.len());
        libc::syscall(libc::SYS_getpid);
        libc::syscall(libc::SYS_write, 1, b"no filter\n".as_ptr(), 10);
        libc::syscall(libc::SYS_exit_group, 0);
    }
    unreachable!("{receiver:?}")
}

/// From here on, any other system call of this thread kills the process.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn allow_only(calls: &[libc::c_long]) -> bool {
    let statement = |code: u32, jt: usize, k: u32| libc::sock_filter {
        code: code as u16,
        jt: jt as u8,
        jf: 0,
        k,
    };
    // Load the call's number; jump to the last statement if it is one of these.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (index, &call) in calls.iter().enumerate() {
        let jump = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        program.push(statement(jump, calls.len() - index, call as u32));
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_KILL_PROCESS));
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program is alive during the call, which copies it.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
    }
}

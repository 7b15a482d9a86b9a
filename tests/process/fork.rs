//! Tests of processes that fork while a connector runs.
//!
//! A separate test program whose tests run one at a time: a forked child has only the forking
//! thread, and locks held by other threads stay locked.

// `unsafe` code calls libc, and once copies a handle.
#![allow(unsafe_code)]

use crate::alone;
use crate::support::{
    Arrivals, Listener, Load, TcpReceiver, UdpReceiver, WAIT_TIMEOUT, emit_all, emit_numbered,
    eventually, flush, park_on, runtime, started, tcp, udp, unused_port,
};
use freewheel::{Connector, Counter, FlushError, Gauge, StartError, Tally};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// Forks this process. The child runs the task and exits. Returns the child's process ID.
fn fork_child(task: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child can run the task: `fork` handles the allocator's locks, and no other thread
    // holds a lock that the task needs.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: `alarm` only schedules a signal, which ends a child that hangs.
            unsafe { libc::alarm(WAIT_TIMEOUT.as_secs() as libc::c_uint) };
            let result = catch_unwind(AssertUnwindSafe(task));
            // SAFETY: ends the process immediately, so that shared resources are not released
            // twice.
            unsafe { libc::_exit(i32::from(result.is_err())) }
        }
        child => {
            assert!(child > 0, "{}", std::io::Error::last_os_error());
            child
        }
    }
}

#[track_caller]
fn assert_succeeds(child: libc::pid_t) {
    let mut status = -1;
    eventually("the child ends", || {
        // SAFETY: `status` is valid for writes.
        unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) == child }
    });
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status:#x}");
}

/// Asserts that the parent's connector reports in this forked child that it is not running, and
/// that it accepts lines up to its capacity. The calls return at once, because the flusher exists
/// only in the parent.
fn assert_not_running(statsd: &Connector) {
    let before = statsd.stats();
    let mut emitted = emit_all(statsd, 0, 100_000..100_100);
    // At a small capacity, these gauges exceed the ordered queue. So they reach the slot that the
    // flusher was emptying at the fork, where a push could spin forever.
    for level in 0..1_000 {
        statsd.gauge("level", level);
        emitted += Tally { lines: 1, bytes: format!("level:{level}|g\n").len() as u64 };
    }
    let start = Instant::now();
    assert_eq!(statsd.blocking_flush(), Err(FlushError::NotRunning));
    assert_eq!(park_on(statsd.flush()), Err(FlushError::NotRunning));
    for report in [statsd.blocking_stop(), park_on(statsd.stop())] {
        assert_eq!(report.sent, Tally::default());
        assert_eq!(report.stats.buffered + report.stats.dropped(), {
            before.buffered + before.dropped() + emitted
        });
        assert!(!report.unfinished);
    }
    assert!(matches!(statsd.start_on_thread(), Err(StartError::Forked)));
    assert!(!statsd.connected());
    let _ = format!("{statsd:?}");
    assert!(start.elapsed() < WAIT_TIMEOUT / 2, "the calls took {:?}", start.elapsed());
}

/// A forked child builds a connector that works, while the parent's connector continues. The child
/// inherits a copy of the parent's buffered lines, and sends none of them.
#[test]
fn child_builds_its_own_connector_and_sends_no_parent_lines() {
    let _alone = alone();
    let server = Listener::tcp(0);
    let settings = tcp(server.port());
    let statsd = started(settings.flush_interval(Duration::from_secs(60)));
    let parent_receiver = server.accept();
    let child_server = Listener::tcp(0);
    let port = child_server.port();
    let mut children = Vec::new();
    for round in 0..5 {
        // No tick sends these lines before the fork.
        emit_all(&statsd, 0, round * 100..round * 100 + 50);
        children.push(fork_child(|| {
            let own = started(tcp(port));
            for number in 0..1_000 {
                emit_numbered(&own, round + 1, number);
            }
            flush(&own);
            let report = own.blocking_stop();
            assert_eq!((report.kept.lines, report.stats.sent.lines), (0, 1_000));
            assert_not_running(&statsd);
        }));
        let peer = child_server.accept();
        emit_all(&statsd, 0, round * 100 + 50..(round + 1) * 100);
        let arrivals = Arrivals::of_stream(&peer.read_to_end());
        assert_eq!(arrivals.numbers(round + 1), Vec::from_iter(0..1_000));
        assert_eq!(arrivals.tally().lines, 1_000);
    }
    children.into_iter().for_each(assert_succeeds);
    let reading = thread::spawn(|| parent_receiver.read_to_end());
    assert_eq!(statsd.blocking_flush(), Ok(()));
    let stats = statsd.blocking_stop().stats;
    let arrivals = Arrivals::of_stream(&reading.join().unwrap());
    arrivals.assert_agree_with(&stats);
    assert_eq!(arrivals.numbers(0), Vec::from_iter(0..500));
    assert_eq!(stats.connections, 1);
}

/// A connector that a forked child builds keeps its timeouts, although the parent's other threads
/// do not exist in the child. The parent has flushed before the fork, as in services that fork
/// workers.
#[test]
fn child_of_a_flushed_parent_keeps_deadlines() {
    let _alone = alone();
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    statsd.incr("a");
    flush(&statsd);
    assert_eq!(park_on(statsd.flush()), Ok(()));
    assert_succeeds(fork_child(|| {
        let own = started(tcp(unused_port()).stop_timeout(Duration::from_millis(100)));
        own.incr("a");
        assert_eq!(own.blocking_flush(), Err(FlushError::TimedOut));
        assert_eq!(park_on(own.flush()), Err(FlushError::TimedOut));
        assert_eq!(own.blocking_stop().kept.lines, 1);
        assert_not_running(&statsd);
    }));
    statsd.incr("b");
    flush(&statsd);
    receiver.wait_for_lines(2);
}

/// A forked child closes all inherited descriptors and then opens files, which may get the same
/// numbers. The files stay open when the child drops the parent's connector.
#[test]
fn child_keeps_its_own_files() {
    use std::os::fd::AsRawFd;
    let _alone = alone();
    let receiver = UdpReceiver::start();
    let statsd = started(udp(receiver.port()));
    assert_eq!(statsd.blocking_stop().kept.lines, 0);
    let statsd = std::cell::Cell::new(Some(statsd));
    let child = fork_child(|| {
        // SAFETY: no other code of this process uses the descriptors from here on.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
        let open = || std::fs::File::open("/proc/self/status").unwrap();
        let files: Vec<_> = (0..50).map(|_| open()).collect();
        drop(statsd.take());
        for file in files {
            // SAFETY: `fcntl` only reads the flags of the descriptor.
            assert!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFD) } >= 0);
        }
    });
    assert_succeeds(child);
}

/// Forked children do not hang in calls on their own connector or on the parent's. The forks happen
/// at arbitrary moments of the parent's flusher and producer threads, and the parent's lines are
/// unaffected.
#[test]
fn children_forked_under_load_do_not_hang() {
    let _alone = alone();
    let receiver = TcpReceiver::start();
    let child_receiver = UdpReceiver::start();
    let statsd = started(tcp(receiver.port()).queue_capacity(64 << 10));
    let load = Load::begin(&statsd, 3);
    eventually("lines are sent", || statsd.stats().sent.lines > 1_000);
    for _ in 0..100 {
        assert_succeeds(fork_child(|| {
            let own = started(udp(child_receiver.port()));
            own.incr("a");
            flush(&own);
            assert_eq!(own.blocking_stop().stats.sent.lines, 1);
            own.start_on_thread().unwrap();
            assert_eq!(park_on(own.stop()).kept.lines, 0);
            assert_not_running(&statsd);
        }));
    }
    let emitted = load.end();
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    assert_eq!((stats.emitted, stats.connections), (emitted, 1));
    receiver.wait_for_lines(stats.sent.lines);
}

/// A forked child may drop the last handle of the parent's connector. The drop does not wake the
/// flusher, because a wake-up takes locks that another thread may have held at the fork.
#[test]
fn child_may_drop_its_parents_last_handle() {
    let _alone = alone();
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let runtime = runtime();
    runtime.block_on(statsd.start()).unwrap();
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        // These threads take the runtime's locks, so that some forks find them locked.
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    runtime.spawn(async {});
                }
            });
        }
        for _ in 0..100 {
            assert_succeeds(fork_child(|| {
                // SAFETY: the child does not use the original handle again.
                drop(unsafe { std::ptr::read(&raw const statsd) });
            }));
        }
        over.store(true, Relaxed);
    });
    statsd.incr("a");
    flush(&statsd);
    receiver.wait_for_lines(1);
}

/// A connector that is not running at a fork can be started in the parent and in the child. Each
/// process sends its own lines.
#[test]
fn stopped_connector_can_start_in_both_processes() {
    let _alone = alone();
    let (parent_receiver, child_receiver) = (UdpReceiver::start(), UdpReceiver::start());
    for has_run in [false, true] {
        let in_child = udp(child_receiver.port()).build().unwrap();
        let in_both = udp(parent_receiver.port()).build().unwrap();
        if has_run {
            for statsd in [&in_child, &in_both] {
                statsd.start_on_thread().unwrap();
                let _ = statsd.blocking_stop();
            }
        }
        in_child.incr("before");
        let child = fork_child(|| {
            in_child.start_on_thread().unwrap();
            flush(&in_child);
            in_both.start_on_thread().unwrap();
            for number in 0..20 {
                emit_numbered(&in_both, 1, number);
                flush(&in_both);
            }
            assert_eq!(in_both.blocking_stop().kept.lines, 0);
        });
        in_both.start_on_thread().unwrap();
        for number in 0..20 {
            emit_numbered(&in_both, 0, number);
            flush(&in_both);
        }
        assert_succeeds(child);
        assert_eq!(child_receiver.lines(1), ["before:1|c"]);
        assert_eq!(parent_receiver.lines(40).len(), 40);
    }
}

/// The sums of aggregated metrics are 0 in a forked child, with its own connector and with one of its
/// parent that no flusher had started. The parent goes on.
#[test]
fn aggregated_metrics_begin_at_zero_in_a_child() {
    let _alone = alone();
    let (parent_receiver, child_receiver) = (UdpReceiver::start(), UdpReceiver::start());
    let unstarted = |port| udp(port).aggregate_interval(WAIT_TIMEOUT).build().unwrap();
    let in_both = unstarted(child_receiver.port());
    let in_parent = unstarted(parent_receiver.port());
    let hits = in_both.metric::<Counter>("hits").aggregate();
    let open = in_both.metric::<Gauge>("open").aggregate_level();
    let parents = in_parent.metric::<Counter>("parents").aggregate();
    // Another thread, which does not exist in the child, has counted too.
    thread::scope(|scope| _ = scope.spawn(|| hits.incr_by(100)));
    hits.incr_by(1_000);
    open.add(50);
    parents.incr_by(7);
    assert_succeeds(fork_child(|| {
        hits.incr_by(3);
        open.add(2);
        parents.incr_by(3);
        in_both.start_on_thread().unwrap();
        let own = started(udp(child_receiver.port()));
        let counter = own.metric::<Counter>("own").aggregate();
        counter.incr_by(4);
        flush(&in_both);
        flush(&own);
    }));
    let mut lines = child_receiver.lines_so_far();
    lines.sort();
    assert_eq!(lines, ["hits:3|c", "open:2|g", "own:4|c"]);
    in_both.start_on_thread().unwrap();
    in_parent.start_on_thread().unwrap();
    flush(&in_both);
    flush(&in_parent);
    assert_eq!(parent_receiver.lines_so_far(), ["parents:7|c"]);
    let mut lines = child_receiver.lines_so_far();
    lines.sort();
    assert_eq!(lines, ["hits:1100|c", "open:50|g"]);
}

/// A forked child closes its descriptors, and opens a file that may get the number of the
/// descriptor that wakes the parent's flusher. Calls on the parent's connector write nothing into
/// the file.
#[test]
fn child_writes_into_no_closed_descriptor() {
    let _alone = alone();
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    flush(&statsd);
    // By now the flusher is most likely parked, so that a full block in the child asks to wake it.
    thread::sleep(Duration::from_millis(100));
    assert_succeeds(fork_child(|| {
        // SAFETY: the closed descriptors are not used again.
        unsafe { (3..1_000).for_each(|descriptor| _ = libc::close(descriptor)) };
        let path = std::env::temp_dir().join(format!("freewheel-{}", std::process::id()));
        let file = std::fs::File::create_new(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        // One of these descriptors most likely gets the number of the wake-up descriptor.
        let copies = Vec::from_iter((0..100).map(|_| file.try_clone().unwrap()));
        emit_all(&statsd, 0, 0..10_000);
        assert_eq!(statsd.blocking_flush(), Err(FlushError::NotRunning));
        assert_eq!((copies.len(), file.metadata().unwrap().len()), (100, 0));
    }));
}

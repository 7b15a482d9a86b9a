//! Processes that fork while a connector runs.
//!
//! A program of its own, with this one test: the child of a fork has its thread alone, and the
//! locks that others held stay locked in it.

#![cfg(target_os = "linux")]
// In a test, that is an assertion. Unsafe are only calls of the operating system.
#![allow(clippy::unwrap_used, unsafe_code)]

mod support;

use freewheel::{Connector, FlushOutcome, Tally};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};
use support::{
    Census, Listener, PATIENCE, emit_all, emit_numbered, eventually, flush, started, tcp,
};

/// What the parent's connector may take to stop, in a child where it cannot.
const STOP_TIMEOUT: Duration = Duration::from_millis(300);

/// Forks; the child does this and ends. Returns its process.
fn forked(task: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child runs what a fork of this thread can: no other thread of this program has
    // a lock of the allocator's, which fork itself sees to, or one that the task needs.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: as above. A child that hangs ends, as nobody waits for it any more.
            unsafe { libc::alarm(PATIENCE.as_secs() as libc::c_uint) };
            let result = catch_unwind(AssertUnwindSafe(task));
            // SAFETY: ends the process at once: nothing that it shares is cleared away twice.
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
        // SAFETY: the status is written to where its argument points.
        unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) == child }
    });
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status:#x}");
}

/// What the parent's connector does in a child: it accepts lines as far as there is room, and
/// stops in time; nothing of it is sent, since its flusher is the parent's.
fn is_of_no_use(statsd: &Connector) {
    let before = statsd.stats();
    let emitted = emit_all(statsd, 0, 100_000..100_100);
    let start = Instant::now();
    assert_eq!(statsd.blocking_flush(), FlushOutcome::TimedOut);
    let report = statsd.blocking_stop();
    assert!(start.elapsed() < PATIENCE / 2, "it takes its time");
    assert_eq!(report.sent, Tally::default());
    assert_eq!(report.kept, before.buffered + emitted);
}

/// A child builds its own connector, which works. Meanwhile the parent's goes on: the child has a
/// copy of what it had buffered, and sends nothing of it.
#[test]
fn a_child_builds_its_own_connector_and_takes_nothing_from_its_parents() {
    let server = Listener::tcp(0);
    let settings = tcp(server.port()).stop_timeout(STOP_TIMEOUT);
    let statsd = started(settings.flush_interval(Duration::from_secs(60)));
    let parents = server.accept();
    let childrens_server = Listener::tcp(0);
    let port = childrens_server.port();
    let mut children = Vec::new();
    for round in 0..5 {
        // Buffered until after the fork.
        emit_all(&statsd, 0, round * 100..round * 100 + 50);
        children.push(forked(|| {
            let own = started(tcp(port));
            for number in 0..1_000 {
                emit_numbered(&own, round + 1, number);
            }
            flush(&own);
            let report = own.blocking_stop();
            assert_eq!((report.kept.lines, report.stats.sent.lines), (0, 1_000));
            is_of_no_use(&statsd);
        }));
        let peer = childrens_server.accept();
        emit_all(&statsd, 0, round * 100 + 50..(round + 1) * 100);
        let census = Census::of_stream(&peer.read_to_end());
        assert_eq!(census.numbers(round + 1), Vec::from_iter(0..1_000));
        assert_eq!(census.tally().lines, 1_000);
    }
    children.into_iter().for_each(assert_succeeds);
    let reading = thread::spawn(|| parents.read_to_end());
    assert_eq!(statsd.blocking_flush(), FlushOutcome::Done);
    let stats = statsd.blocking_stop().stats;
    let census = Census::of_stream(&reading.join().unwrap());
    census.assert_faultless(&stats);
    assert_eq!(census.numbers(0), Vec::from_iter(0..500));
    assert_eq!(stats.connections, 1);
}

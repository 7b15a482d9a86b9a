//! Tests of the calls that wait for the flusher task (start, flush and stop) in unusual contexts,
//! such as destructors and panic hooks. No call panics or hangs.

// All `unsafe` code calls libc.
#![allow(unsafe_code)]
#![cfg(unix)]

use crate::support::{
    TcpReceiver, UdpReceiver, WAIT_TIMEOUT, eventually, flush, park_on, promptly, started, udp,
};
use freewheel::{Connector, FlushError, StartError};
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::process::{Command, exit};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// Short timeout of flushes and stops in contexts where the flusher task cannot run.
const STOP_TIMEOUT: Duration = Duration::from_millis(100);

/// Polls the future every 100 µs until it is ready, without relying on its waker. Returns its
/// output.
fn poll_repeatedly<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let start = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
        assert!(start.elapsed() < WAIT_TIMEOUT, "the future is not ready after {WAIT_TIMEOUT:?}");
        thread::sleep(Duration::from_micros(100));
    }
}

fn current_thread_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread_runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Flushes the running connector by the blocking and by the async call, and then stops it. In
/// between, starts, flushes and stops a second connector.
fn make_waiting_calls(statsd: &Connector, port: u16) {
    statsd.incr("a");
    assert_eq!(statsd.blocking_flush(), Ok(()));
    statsd.incr("b");
    assert_eq!(poll_repeatedly(statsd.flush()), Ok(()));
    let another = started(udp(port));
    another.incr("c");
    assert_eq!(another.blocking_flush(), Ok(()));
    assert_eq!(poll_repeatedly(another.stop()).kept.lines, 0);
    assert_eq!(another.blocking_flush(), Err(FlushError::NotRunning));
    another.start_on_thread().unwrap();
    drop(another);
    assert!(statsd.connected());
    statsd.incr("d");
    let report = statsd.blocking_stop();
    assert!(!report.unfinished);
    // A thread whose exit hook has run can emit no line: each one is dropped and counted.
    assert_eq!(report.kept.lines, 0);
    assert_eq!(report.stats.dropped(), report.stats.drops.thread_exit);
    let _ = format!("{statsd:?} {}", report.stats);
}

/// Runs the named test again in a child process, and asserts that the child succeeds. Within that
/// child, runs `task` instead.
fn in_child_process(test: &str, task: impl FnOnce()) {
    const IS_CHILD: &str = "FREEWHEEL_ANYWHERE";
    if std::env::var_os(IS_CHILD).is_some() {
        // SAFETY: the alarm only ends a process that hangs.
        unsafe { libc::alarm(WAIT_TIMEOUT.as_secs() as libc::c_uint) };
        return task();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command
        .args([&format!("anywhere::{test}"), "--exact", "--nocapture"])
        .env(IS_CHILD, "")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {printed}", output.status);
}

/// Connector and UDP server that the test's `atexit` handler uses.
static AT_EXIT: OnceLock<(Connector, UdpReceiver)> = OnceLock::new();

#[test]
fn at_the_exit_of_the_process() {
    extern "C" fn handler() {
        let (statsd, receiver) = AT_EXIT.get().unwrap();
        let result = catch_unwind(|| make_waiting_calls(statsd, receiver.port()));
        // SAFETY: ends the process immediately, and runs no further handler.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    in_child_process("at_the_exit_of_the_process", || {
        let receiver = UdpReceiver::start();
        let statsd = started(udp(receiver.port()));
        flush(&statsd);
        assert!(AT_EXIT.set((statsd, receiver)).is_ok());
        // SAFETY: the handler is valid until the process ends.
        assert_eq!(unsafe { libc::atexit(handler) }, 0);
        // The handler replaces this status.
        exit(17);
    });
}

/// Thread-local value that flushes, starts and stops connectors in its destructor. It sends true
/// over the channel if no call panicked.
struct CallsOnDrop(Connector, u16, Sender<bool>);

impl Drop for CallsOnDrop {
    fn drop(&mut self) {
        let Self(statsd, port, done) = self;
        let result = catch_unwind(AssertUnwindSafe(|| make_waiting_calls(statsd, *port)));
        let _ = done.send(result.is_ok());
    }
}

thread_local! {
    static CALLS_ON_DROP: RefCell<Option<CallsOnDrop>> = const { RefCell::new(None) };
}

/// Flushes, starts and stops succeed in the destructor of a thread-local value. The test destroys
/// this value before or after the thread-local values of tokio, the standard library and this
/// library.
#[test]
fn in_a_destructor_of_a_thread_s_storage() {
    call_in_a_destructor();
}

/// The same in a process that has paused tokio's clock, which then needs a thread-local value.
#[test]
fn in_a_destructor_after_the_clock_was_paused() {
    in_child_process("in_a_destructor_after_the_clock_was_paused", || {
        let mut paused = tokio::runtime::Builder::new_current_thread();
        let paused = paused.enable_all().start_paused(true).build().unwrap();
        paused.block_on(async { tokio::time::sleep(Duration::from_millis(5)).await });
        call_in_a_destructor();
    });
}

fn call_in_a_destructor() {
    let receiver = UdpReceiver::start();
    for is_first in [true, false] {
        let (done, is_done) = channel();
        let statsd = started(udp(receiver.port()));
        let port = receiver.port();
        thread::spawn(move || {
            let use_thread_locals = || {
                statsd.incr("before");
                flush(&statsd);
                current_thread_runtime().block_on(async { tokio::task::yield_now().await });
                let _ = thread::current();
            };
            if !is_first {
                use_thread_locals();
            }
            CALLS_ON_DROP
                .with_borrow_mut(|place| *place = Some(CallsOnDrop(statsd.clone(), port, done)));
            if is_first {
                use_thread_locals();
            }
        });
        assert_eq!(is_done.recv_timeout(WAIT_TIMEOUT), Ok(true), "first: {is_first}");
    }
}

#[test]
fn in_a_panic_hook() {
    in_child_process("in_a_panic_hook", || {
        let receiver = UdpReceiver::start();
        let port = receiver.port();
        let statsd = started(udp(port));
        let own = udp(port).stop_timeout(STOP_TIMEOUT).build().unwrap();
        let (in_hook, results) = (Mutex::new(Some((statsd, own.clone()))), channel());
        let (done, is_done) = (Mutex::new(results.0), results.1);
        std::panic::set_hook(Box::new(move |_| {
            let Some((statsd, own)) = in_hook.lock().unwrap().take() else { return };
            make_waiting_calls(&statsd, port);
            // This flusher runs on the thread that panics, so it cannot answer.
            let outcome = own.blocking_flush();
            done.lock().unwrap().send((outcome, own.blocking_stop())).unwrap();
        }));
        current_thread_runtime().block_on(async {
            own.start().await.unwrap();
            own.incr("a");
            assert!(tokio::spawn(async { panic!("on purpose") }).await.is_err());
        });
        let (outcome, report) = is_done.recv_timeout(WAIT_TIMEOUT).unwrap();
        assert_eq!(outcome, Err(FlushError::TimedOut));
        assert!(report.unfinished);
    });
}

/// A connector starts again on the same runtime as soon as its stop has returned. The flusher task
/// of the first start may not have ended yet.
#[test]
fn restart_right_after_a_stop_succeeds() {
    let receiver = UdpReceiver::start();
    let statsd = udp(receiver.port()).build().unwrap();
    let runtime = multi_thread_runtime();
    for round in 0..2_000 {
        let started = runtime.block_on(statsd.start());
        assert_eq!(started.map_err(|error| error.to_string()), Ok(()), "start {round}");
        assert!(!statsd.blocking_stop().unfinished);
    }
}

/// Starts, flushes and stops succeed on threads of a multi-threaded tokio runtime that also runs
/// the flusher task. The callers are a task, another executor within a task, `block_on`, and a
/// `LocalSet`.
#[test]
fn in_a_runtime_of_several_threads() {
    let receiver = UdpReceiver::start();
    for _ in 0..20 {
        let statsd = udp(receiver.port()).build().unwrap();
        let runtime = multi_thread_runtime();
        let port = receiver.port();
        runtime.block_on(async {
            let calls = statsd.clone();
            let task = tokio::spawn(async move {
                calls.start().await.unwrap();
                calls.incr("a");
                assert_eq!(calls.blocking_flush(), Ok(()));
                calls.incr("b");
                assert_eq!(park_on(calls.flush()), Ok(()));
                assert_eq!(park_on(calls.stop()).kept.lines, 0);
                park_on(calls.start()).unwrap();
                make_waiting_calls(&calls, port);
            });
            task.await.unwrap();
        });
        runtime.block_on(statsd.start()).unwrap();
        runtime.block_on(async { make_waiting_calls(&statsd, port) });
        runtime.block_on(statsd.start()).unwrap();
        LocalSet::new().block_on(&runtime, async { make_waiting_calls(&statsd, port) });
    }
}

/// Flushes and stops succeed on a worker thread of the flusher's runtime that has entered another
/// runtime. Other workers are idle, so that one of them can run the flusher.
#[test]
fn on_a_worker_that_has_entered_another_runtime() {
    let receiver = UdpReceiver::start();
    let (runtime, other) = (multi_thread_runtime(), current_thread_runtime());
    for _ in 0..10 {
        let statsd = udp(receiver.port()).build().unwrap();
        runtime.block_on(statsd.start()).unwrap();
        let entered = other.handle().clone();
        let task = runtime.spawn(async move {
            let _entered = entered.enter();
            statsd.incr("a");
            assert_eq!(statsd.blocking_flush(), Ok(()));
            statsd.incr("b");
            assert_eq!(park_on(statsd.flush()), Ok(()));
            assert!(!statsd.blocking_stop().unfinished);
        });
        runtime.block_on(task).unwrap();
    }
}

/// The last handle is dropped on a worker thread of the flusher's runtime, which then blocks. An idle
/// worker runs the flusher. The worker may have entered another runtime.
#[test]
fn drop_on_a_worker_that_then_blocks() {
    let receiver = UdpReceiver::start();
    let (runtime, other) = (multi_thread_runtime(), current_thread_runtime());
    for is_entered in [false, true, false, true, false, true] {
        let other = other.handle().clone();
        // No tick sends the line.
        let settings = udp(receiver.port()).flush_interval(WAIT_TIMEOUT);
        let statsd = settings.build().unwrap();
        runtime.block_on(statsd.start()).unwrap();
        flush(&statsd);
        let (unblock, blocked) = channel::<()>();
        runtime.spawn(async move {
            let _entered = is_entered.then(|| other.enter());
            statsd.incr("last");
            drop(statsd);
            let _ = blocked.recv();
        });
        assert_eq!(receiver.lines(1), ["last:1|c"]);
        drop(unblock);
    }
}

/// A flush or stop that blocks the flusher's own thread returns at its timeout. The flusher task
/// continues once the thread is free.
#[test]
fn on_the_flusher_s_own_thread() {
    let receiver = TcpReceiver::start();
    let statsd = crate::support::tcp(receiver.port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let (calls, runtime) = (statsd.clone(), current_thread_runtime());
    let runtime = promptly(move || {
        runtime.block_on(async {
            // The flusher is started, but its task cannot run yet.
            park_on(calls.start()).unwrap();
            calls.incr("a");
            assert_eq!(calls.blocking_flush(), Err(FlushError::TimedOut));
            assert_eq!(park_on(calls.flush()), Err(FlushError::TimedOut));
            assert_eq!(calls.flush().await, Ok(()));
            calls.incr("b");
            let report = calls.blocking_stop();
            assert!(report.unfinished && report.kept.lines == 1, "{report:?}");
            let report = park_on(calls.stop());
            assert!(report.unfinished && report.kept.lines == 1, "{report:?}");
            assert_eq!(calls.stop().await.kept.lines, 0);
        });
        runtime
    });
    receiver.wait_for_lines(2);
    assert_eq!(runtime.block_on(statsd.flush()), Err(FlushError::NotRunning));
}

/// Flushes and stops, and starts of a flusher on a new thread, succeed inside a tokio runtime that
/// does not run the flusher. That runtime may lack drivers, and the calling task may have used up
/// its cooperative budget.
#[test]
fn in_another_runtime_than_the_flushers() {
    let receiver = UdpReceiver::start();
    let port = receiver.port();
    let without_drivers = || Builder::new_current_thread().build().unwrap();
    for runtime in [current_thread_runtime(), without_drivers(), multi_thread_runtime()] {
        let statsd = started(udp(port));
        runtime.block_on(async {
            statsd.incr("a");
            assert_eq!(statsd.flush().await, Ok(()));
            assert!(matches!(statsd.start().await, Err(StartError::AlreadyRunning)));
            statsd.incr("b");
            use_up_the_budget().await;
            make_waiting_calls(&statsd, port);
            statsd.start_on_thread().unwrap();
            assert_eq!(statsd.stop().await.kept.lines, 0);
        });
    }
    let statsd = udp(port).build().unwrap();
    let refused = without_drivers().block_on(statsd.start());
    assert!(matches!(refused, Err(StartError::UnsuitableRuntime)), "{refused:?}");
    statsd.start_on_thread().unwrap();
    make_waiting_calls(&statsd, port);
}

/// Uses up the cooperative budget of the calling tokio task within one poll.
async fn use_up_the_budget() {
    let semaphore = tokio::sync::Semaphore::new(1);
    poll_fn(|cx| {
        while pin!(semaphore.acquire()).poll(cx).is_ready() {}
        Poll::Ready(())
    })
    .await;
}

/// Flushes and stops do not wait for a flusher task if its tokio runtime has shut down. A start in
/// that runtime fails, and a start on a new thread then succeeds.
#[test]
fn in_an_ended_runtime() {
    let receiver = UdpReceiver::start();
    let (statsd, on_thread) =
        (udp(receiver.port()).build().unwrap(), started(udp(receiver.port())));
    for runtime in [current_thread_runtime(), multi_thread_runtime()] {
        let handle = runtime.handle().clone();
        runtime.block_on(statsd.start()).unwrap();
        runtime.shutdown_background();
        // A flush does not wait for its timeout when the runtime ends.
        eventually("the flusher has ended", || {
            statsd.blocking_flush() == Err(FlushError::NotRunning)
        });
        assert_eq!(poll_repeatedly(statsd.flush()), Err(FlushError::NotRunning));
        assert!(!statsd.blocking_stop().unfinished);
        let _entered = handle.enter();
        let refused = poll_repeatedly(statsd.start());
        assert!(matches!(refused, Err(StartError::UnsuitableRuntime)), "{refused:?}");
        make_waiting_calls(&on_thread, receiver.port());
        on_thread.start_on_thread().unwrap();
    }
    statsd.start_on_thread().unwrap();
    make_waiting_calls(&statsd, receiver.port());
}

/// A start fails if the process has no free file descriptors for the flusher's wake-up or its
/// runtime. The next start with free descriptors succeeds.
#[test]
fn start_fails_without_descriptors() {
    in_child_process("start_fails_without_descriptors", || {
        let receiver = UdpReceiver::start();
        let statsd = udp(receiver.port()).build().unwrap();
        let runtime = current_thread_runtime();
        let set_limit = |descriptors| {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: both calls only access `limit`, which is valid.
            unsafe {
                assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
                let before = limit.rlim_cur;
                limit.rlim_cur = descriptors;
                assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
                before
            }
        };
        let before = set_limit(3);
        let refused = [statsd.start_on_thread(), runtime.block_on(statsd.start())];
        set_limit(before);
        assert!(
            matches!(refused, [Err(StartError::Descriptor(_)), Err(StartError::Descriptor(_))]),
            "{refused:?}"
        );
        // This start opens the wake-up descriptor, which stays open. The next start lacks only the
        // descriptors of the thread's runtime.
        statsd.start_on_thread().unwrap();
        let _ = statsd.blocking_stop();
        set_limit(3);
        let refused = statsd.start_on_thread();
        set_limit(before);
        assert!(matches!(refused, Err(StartError::Thread(_))), "{refused:?}");
        statsd.start_on_thread().unwrap();
        make_waiting_calls(&statsd, receiver.port());
    });
}

//! Waiting calls in unusual contexts: no call panics, and no call hangs.

// In a test, that is an assertion. Unsafe are only calls of the operating system.
#![allow(clippy::unwrap_used, unsafe_code)]
#![cfg(unix)]

mod support;

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
use support::{
    TcpReceiver, UdpReceiver, WAIT_TIMEOUT, eventually, flush, park_on, promptly, started, udp,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// Short deadline for contexts in which the flusher cannot answer.
const STOP_TIMEOUT: Duration = Duration::from_millis(100);

/// Polls the future in a loop, without parking the thread.
fn busily<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let start = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
        assert!(start.elapsed() < WAIT_TIMEOUT, "it hangs");
        thread::sleep(Duration::from_micros(100));
    }
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn several_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Makes every waiting call on a running connector and on one that is started here. Stops the
/// running connector at the end.
fn all_that_waits(statsd: &Connector, port: u16) {
    statsd.incr("a");
    assert_eq!(statsd.blocking_flush(), Ok(()));
    statsd.incr("b");
    assert_eq!(busily(statsd.flush()), Ok(()));
    let another = started(udp(port));
    another.incr("c");
    assert_eq!(another.blocking_flush(), Ok(()));
    assert_eq!(busily(another.stop()).kept.lines, 0);
    assert_eq!(another.blocking_flush(), Err(FlushError::NotRunning));
    another.start_on_thread().unwrap();
    drop(another);
    assert!(statsd.connected());
    statsd.incr("d");
    let report = statsd.blocking_stop();
    assert!(!report.unfinished);
    // At thread exit, thread-local storage may be destroyed, and the thread's block with it.
    assert_eq!(report.kept.lines, 0);
    assert_eq!(report.stats.dropped(), report.stats.drops.thread_exit);
    let _ = format!("{statsd:?} {}", report.stats);
}

/// Runs this test again in a child process, performs the task there, and asserts that the child
/// succeeds.
fn in_a_process(test: &str, task: impl FnOnce()) {
    const INSIDE: &str = "FREEWHEEL_ANYWHERE";
    if std::env::var_os(INSIDE).is_some() {
        // SAFETY: the alarm only ends a process that hangs.
        unsafe { libc::alarm(WAIT_TIMEOUT.as_secs() as libc::c_uint) };
        return task();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([test, "--exact", "--nocapture"]).env(INSIDE, "").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {printed}", output.status);
}

/// Connector and receiver used by the `atexit` handler.
static AT_EXIT: OnceLock<(Connector, UdpReceiver)> = OnceLock::new();

#[test]
fn at_the_exit_of_the_process() {
    extern "C" fn bye() {
        let (statsd, receiver) = AT_EXIT.get().unwrap();
        let result = catch_unwind(|| all_that_waits(statsd, receiver.port()));
        // SAFETY: ends the process, in which no other thread waits.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    in_a_process("at_the_exit_of_the_process", || {
        let receiver = UdpReceiver::start();
        let statsd = started(udp(receiver.port()));
        flush(&statsd);
        assert!(AT_EXIT.set((statsd, receiver)).is_ok());
        // SAFETY: the function stays.
        assert_eq!(unsafe { libc::atexit(bye) }, 0);
        exit(17);
    });
}

/// Thread-local value that makes every waiting call from its destructor.
struct AtTheEnd(Connector, u16, Sender<bool>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let Self(statsd, port, done) = self;
        let result = catch_unwind(AssertUnwindSafe(|| all_that_waits(statsd, *port)));
        let _ = done.send(result.is_ok());
    }
}

thread_local! {
    static AT_THE_END: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
}

/// The value registered first is destroyed last. By then, the thread-local storage of tokio and of
/// the standard library is gone.
#[test]
fn in_a_destructor_of_a_thread_s_storage() {
    let receiver = UdpReceiver::start();
    for is_first in [true, false] {
        let (done, is_done) = channel();
        let statsd = started(udp(receiver.port()));
        let port = receiver.port();
        thread::spawn(move || {
            let use_it = || {
                statsd.incr("before");
                flush(&statsd);
                one_thread().block_on(async { tokio::task::yield_now().await });
                let _ = thread::current();
            };
            if !is_first {
                use_it();
            }
            AT_THE_END.with_borrow_mut(|place| *place = Some(AtTheEnd(statsd.clone(), port, done)));
            if is_first {
                use_it();
            }
        });
        assert_eq!(is_done.recv_timeout(WAIT_TIMEOUT), Ok(true), "first: {is_first}");
    }
}

#[test]
fn in_a_panic_hook() {
    in_a_process("in_a_panic_hook", || {
        let receiver = UdpReceiver::start();
        let port = receiver.port();
        let statsd = started(udp(port));
        let its_own = udp(port).stop_timeout(STOP_TIMEOUT).build().unwrap();
        let (in_hook, seen) = (Mutex::new(Some((statsd, its_own.clone()))), channel());
        let (done, is_done) = (Mutex::new(seen.0), seen.1);
        std::panic::set_hook(Box::new(move |_| {
            let Some((statsd, its_own)) = in_hook.lock().unwrap().take() else { return };
            all_that_waits(&statsd, port);
            // The flusher runs on the thread that panics.
            let outcome = its_own.blocking_flush();
            done.lock().unwrap().send((outcome, its_own.blocking_stop())).unwrap();
        }));
        one_thread().block_on(async {
            its_own.start().await.unwrap();
            its_own.incr("a");
            assert!(tokio::spawn(async { panic!("as the test wants it") }).await.is_err());
        });
        let (outcome, report) = is_done.recv_timeout(WAIT_TIMEOUT).unwrap();
        assert_eq!(outcome, Err(FlushError::TimedOut));
        assert!(report.unfinished);
    });
}

/// Calls from a runtime's threads while another thread can run the flusher. Covers tasks, tasks
/// that block in another executor, `block_on`, and a local set.
#[test]
fn in_a_runtime_of_several_threads() {
    let receiver = UdpReceiver::start();
    for _ in 0..20 {
        let statsd = udp(receiver.port()).build().unwrap();
        let runtime = several_threads();
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
                all_that_waits(&calls, port);
            });
            task.await.unwrap();
        });
        runtime.block_on(statsd.start()).unwrap();
        runtime.block_on(async { all_that_waits(&statsd, port) });
        runtime.block_on(statsd.start()).unwrap();
        LocalSet::new().block_on(&runtime, async { all_that_waits(&statsd, port) });
    }
}

/// If the flusher's own thread waits, the call ends at its deadline. The flusher continues when the
/// thread is free.
#[test]
fn on_the_flusher_s_own_thread() {
    let receiver = TcpReceiver::start();
    let statsd = support::tcp(receiver.port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let (calls, runtime) = (statsd.clone(), one_thread());
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

/// A flusher on another thread answers. The caller may be in a runtime without drivers, or in a
/// task that has used up its tokio budget.
#[test]
fn in_a_runtime_that_is_not_the_flusher_s() {
    let receiver = UdpReceiver::start();
    let port = receiver.port();
    let without_drivers = || Builder::new_current_thread().build().unwrap();
    for runtime in [one_thread(), without_drivers(), several_threads()] {
        let statsd = started(udp(port));
        runtime.block_on(async {
            statsd.incr("a");
            assert_eq!(statsd.flush().await, Ok(()));
            assert!(matches!(statsd.start().await, Err(StartError::AlreadyRunning)));
            statsd.incr("b");
            use_up_the_budget().await;
            all_that_waits(&statsd, port);
            statsd.start_on_thread().unwrap();
            assert_eq!(statsd.stop().await.kept.lines, 0);
        });
    }
    let statsd = udp(port).build().unwrap();
    let refused = without_drivers().block_on(statsd.start());
    assert!(matches!(refused, Err(StartError::RuntimeUnfit)), "{refused:?}");
    statsd.start_on_thread().unwrap();
    all_that_waits(&statsd, port);
}

/// Uses up the task's tokio budget within one poll.
async fn use_up_the_budget() {
    let semaphore = tokio::sync::Semaphore::new(1);
    poll_fn(|cx| {
        while pin!(semaphore.acquire()).poll(cx).is_ready() {}
        Poll::Ready(())
    })
    .await;
}

/// Calls to a flusher whose runtime has ended or is shutting down.
#[test]
fn in_a_runtime_that_has_ended() {
    let receiver = UdpReceiver::start();
    let (statsd, stopped) = (udp(receiver.port()).build().unwrap(), started(udp(receiver.port())));
    for runtime in [one_thread(), several_threads()] {
        let handle = runtime.handle().clone();
        runtime.block_on(statsd.start()).unwrap();
        runtime.shutdown_background();
        // The flush returns immediately; the timeout does not apply.
        eventually("it has ended", || statsd.blocking_flush() == Err(FlushError::NotRunning));
        assert_eq!(busily(statsd.flush()), Err(FlushError::NotRunning));
        assert!(!statsd.blocking_stop().unfinished);
        let _within = handle.enter();
        let refused = busily(statsd.start());
        assert!(matches!(refused, Err(StartError::RuntimeUnfit)), "{refused:?}");
        all_that_waits(&stopped, receiver.port());
        stopped.start_on_thread().unwrap();
    }
    statsd.start_on_thread().unwrap();
    all_that_waits(&statsd, receiver.port());
}

/// Without descriptors for the wake-up or the runtime, a start fails. The next start succeeds.
#[test]
fn start_fails_without_descriptors() {
    in_a_process("start_fails_without_descriptors", || {
        let receiver = UdpReceiver::start();
        let statsd = udp(receiver.port()).build().unwrap();
        let runtime = one_thread();
        let limited = |descriptors| {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: reads and writes what the arguments point to.
            unsafe {
                assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
                let before = limit.rlim_cur;
                limit.rlim_cur = descriptors;
                assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
                before
            }
        };
        let before = limited(3);
        let refused = [statsd.start_on_thread(), runtime.block_on(statsd.start())];
        limited(before);
        assert!(
            matches!(refused, [Err(StartError::Descriptor(_)), Err(StartError::Descriptor(_))]),
            "{refused:?}"
        );
        // The wake-up descriptor is available, but the runtime of the thread is not.
        statsd.start_on_thread().unwrap();
        let _ = statsd.blocking_stop();
        limited(3);
        let refused = statsd.start_on_thread();
        limited(before);
        assert!(matches!(refused, Err(StartError::Thread(_))), "{refused:?}");
        statsd.start_on_thread().unwrap();
        all_that_waits(&statsd, receiver.port());
    });
}

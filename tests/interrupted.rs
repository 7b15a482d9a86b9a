//! Tests a signal handler that interrupts the flusher's own thread and emits a line, which wakes
//! the flusher.

// An `unwrap` in a test is an assertion. All `unsafe` code calls libc.
#![allow(clippy::unwrap_used, unsafe_code)]
#![cfg(target_os = "linux")]

mod support;

use freewheel::Connector;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;
use support::{UdpReceiver, eventually, udp};
use tokio::runtime::Builder;
use tokio::sync::mpsc;

/// Number of connectors under test, each with a dormant flusher (asleep without a timer). One
/// signal wakes each flusher.
const CONNECTORS: usize = 200;

static STATSD: OnceLock<Vec<Connector>> = OnceLock::new();
/// Index, in the list `STATSD` of connectors under test, of the connector to which the signal
/// handler emits next. The value `CONNECTORS` stands for none.
static NEXT: AtomicUsize = AtomicUsize::new(CONNECTORS);

/// Signal handler that emits a line to the connector at index `NEXT`, and increments the index.
extern "C" fn handler(_: libc::c_int) {
    if let Some(statsd) = STATSD.get().and_then(|all| all.get(NEXT.load(Relaxed))) {
        statsd.incr("a");
        NEXT.fetch_add(1, Relaxed);
    }
}

/// Guard that sets its flag when it is dropped. The flag ends the sending of signals, even if an
/// assertion fails.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// A signal handler that interrupts the flusher's own thread, mostly within tokio code, may emit a
/// line and thereby wake the flusher. A wake-up that takes a lock of tokio would deadlock.
#[test]
fn signal_wakes_the_flusher_on_its_own_thread() {
    let receiver = UdpReceiver::start();
    let port = receiver.port();
    let all = (0..CONNECTORS).map(|_| udp(port).flush_interval(Duration::from_millis(50)));
    let all = STATSD.get_or_init(|| all.map(|settings| settings.build().unwrap()).collect());
    let is_over = &AtomicBool::new(false);
    // SAFETY: the handler is valid until the process ends. The ID is the ID of this thread.
    let flushers = unsafe {
        libc::signal(libc::SIGUSR1, handler as *const () as libc::sighandler_t);
        libc::pthread_self()
    };
    thread::scope(|scope| {
        let _guard = SetOnDrop(is_over);
        scope.spawn(move || {
            while !is_over.load(Relaxed) {
                // SAFETY: the interrupted thread waits for this one, so it exists.
                unsafe { libc::pthread_kill(flushers, libc::SIGUSR1) };
                thread::sleep(Duration::from_micros(20));
            }
        });
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            for statsd in all {
                statsd.start().await.unwrap();
                // The thread's first line of a connector allocates, which a handler must not do.
                statsd.incr("a");
            }
            for round in 1..=4 {
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                NEXT.store(0, Relaxed);
                let (messages, mut inbox) = mpsc::unbounded_channel();
                // These messages keep the thread within tokio while the signals come.
                let reader = tokio::spawn(async move { while inbox.recv().await.is_some() {} });
                while NEXT.load(Relaxed) < CONNECTORS {
                    (0..50).for_each(|_| messages.send(()).unwrap());
                    tokio::task::yield_now().await;
                }
                drop(messages);
                reader.await.unwrap();
                // A line is dropped as reentrant if the signal finds the flusher at its queues.
                let settled = |statsd: &Connector| {
                    let stats = statsd.stats();
                    stats.sent.lines + stats.drops.reentrant.lines
                };
                let start = std::time::Instant::now();
                while all.iter().map(settled).sum::<u64>() < (round + 1) * CONNECTORS as u64 {
                    assert!(start.elapsed() < support::WAIT_TIMEOUT, "a wake-up was lost");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
    });
    eventually("a line arrives", || !receiver.lines_so_far().is_empty());
}

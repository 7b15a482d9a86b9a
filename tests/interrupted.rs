//! Signals that interrupt the flusher's own thread, with a handler that emits and so wakes the
//! flusher.

// In a test, that is an assertion. Unsafe are only calls of the operating system.
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

/// Number of dormant flushers; one signal wakes each.
const CONNECTORS: usize = 200;

static STATSD: OnceLock<Vec<Connector>> = OnceLock::new();
static NEXT: AtomicUsize = AtomicUsize::new(CONNECTORS);

extern "C" fn handler(_: libc::c_int) {
    if let Some(statsd) = STATSD.get().and_then(|all| all.get(NEXT.load(Relaxed))) {
        statsd.incr("a");
        NEXT.fetch_add(1, Relaxed);
    }
}

/// Guard that ends the signals, even if an assertion fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// The signal interrupts the thread at an arbitrary moment, mostly within tokio. Neither tokio nor
/// the handler waits for a lock or finds an inconsistent state.
#[test]
fn a_signal_wakes_the_flusher_whose_thread_it_interrupts() {
    let receiver = UdpReceiver::start();
    let port = receiver.port();
    let all = (0..CONNECTORS).map(|_| udp(port).flush_interval(Duration::from_millis(50)));
    let all = STATSD.get_or_init(|| all.map(|settings| settings.build().unwrap()).collect());
    let over = &AtomicBool::new(false);
    // SAFETY: the ID is the calling thread's, which outlives its users; the handler stays valid.
    let flushers = unsafe {
        libc::signal(libc::SIGUSR1, handler as *const () as libc::sighandler_t);
        libc::pthread_self()
    };
    thread::scope(|scope| {
        let _over = Over(over);
        scope.spawn(move || {
            while !over.load(Relaxed) {
                // SAFETY: that thread waits for this one.
                unsafe { libc::pthread_kill(flushers, libc::SIGUSR1) };
                thread::sleep(Duration::from_micros(20));
            }
        });
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            for statsd in all {
                statsd.start().await.unwrap();
                // The handler's first line would allocate.
                statsd.incr("a");
            }
            for round in 1..=4 {
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                NEXT.store(0, Relaxed);
                let (to_task, mut task) = mpsc::unbounded_channel();
                let answers = tokio::spawn(async move { while task.recv().await.is_some() {} });
                while NEXT.load(Relaxed) < CONNECTORS {
                    (0..50).for_each(|_| to_task.send(()).unwrap());
                    tokio::task::yield_now().await;
                }
                drop(to_task);
                answers.await.unwrap();
                // Otherwise the thread was at the queues and excluded other threads.
                let done = |statsd: &Connector| {
                    let stats = statsd.stats();
                    stats.sent.lines + stats.drops.reentrant.lines
                };
                let start = std::time::Instant::now();
                while all.iter().map(done).sum::<u64>() < (round + 1) * CONNECTORS as u64 {
                    assert!(start.elapsed() < support::WAIT_TIMEOUT, "a wake-up was lost");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
    });
    eventually("lines arrive", || !receiver.lines_so_far().is_empty());
}

//! How the flusher sleeps without a clock, and is woken by the first line.

use freewheel::model::Exchange;
use freewheel_loom_tests::{emitter, explore, settle};
use loom::sync::{Arc, Condvar, Mutex};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Where the flusher sleeps: as tokio's `Notify`, a wake-up that comes first is kept.
#[derive(Default)]
struct Bed {
    woken: Mutex<bool>,
    changed: Condvar,
    /// Outside of loom: to count, not to order.
    wakes: AtomicUsize,
}

impl Bed {
    fn wake(&self) {
        self.wakes.fetch_add(1, Relaxed);
        *self.woken.lock().expect("no panic") = true;
        self.changed.notify_one();
    }

    fn sleep(&self) {
        let mut woken = self.woken.lock().expect("no panic");
        while !*woken {
            woken = self.changed.wait(woken).expect("no panic");
        }
        *woken = false;
    }
}

/// Threads that emit so many lines each, and a flusher that sleeps whenever it may lie down, until
/// it has them all.
fn deliver(threads: u8, lines: u8) {
    let bed = Arc::new(Bed::default());
    let waker = Arc::clone(&bed);
    let exchange = Exchange::with_dormancy(8, move || waker.wake());
    let writers: Vec<_> = (0..threads).map(|thread| emitter(&exchange, thread, lines)).collect();
    let mut flusher = exchange.collector().expect("nobody has it");
    let all = usize::from(threads * lines);
    let (mut received, mut lain) = (Vec::new(), 0);
    while received.len() < 2 * all {
        flusher.sweep();
        received.extend(flusher.consume());
        if received.len() < 2 * all {
            lain += 1;
            if flusher.lie_down() {
                bed.sleep();
            }
        }
    }
    writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
    assert!(bed.wakes.load(Relaxed) <= lain, "woken more often than dormant");
    assert_eq!(settle(&exchange, &received, all as u64), 0);
}

/// A flusher that sleeps without a clock hears of every line, be it its thread's first or a later
/// one: no wake-up is lost, or loom would report a deadlock.
///
/// The barrier's two sides are full fences here.
#[test]
fn the_first_line_wakes_the_dormant() {
    explore("the_first_line_wakes_the_dormant", Some(3), 500, || deliver(1, 2));
}

/// Two threads emit while it lies down: it hears of both, and is woken at most once for each time
/// that it lay down.
#[test]
fn two_lines_wake_the_dormant_once() {
    explore("two_lines_wake_the_dormant_once", Some(2), 500, || deliver(2, 1));
}

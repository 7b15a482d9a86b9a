//! How the flusher sleeps and is woken.

use freewheel::model::{Bell, Collector, Exchange};
use freewheel_loom_tests::{emitter, explore, settle};
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Who answers sees what was made ready before the ring.
///
/// Pairs `Bell::ring`'s Release with `Bell::answer`'s Acquire.
#[test]
fn ring_and_answer() {
    explore("ring_and_answer", None, 3, || {
        let bell = Arc::new(Bell::new(|| ()));
        let ready = Arc::new(UnsafeCell::new(false));
        let (ringer, made_ready) = (Arc::clone(&bell), Arc::clone(&ready));
        let writer = thread::spawn(move || {
            // SAFETY: read only after the ring was answered; loom checks that.
            made_ready.with_mut(|ready| unsafe { *ready = true });
            ringer.ring();
        });
        if !bell.fall_asleep() {
            bell.answer();
            // SAFETY: written before the ring; loom checks that.
            assert!(ready.with(|ready| unsafe { *ready }));
        }
        writer.join().expect("no panic");
    });
}

/// Where the flusher sleeps: as tokio's `Notify`, a wake-up that comes first is kept.
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

    /// Whether a wake-up has come that nobody slept for yet.
    fn take_wake(&self) -> bool {
        std::mem::take(&mut *self.woken.lock().expect("no panic"))
    }

    fn sleep(&self) {
        let mut woken = self.woken.lock().expect("no panic");
        while !*woken {
            woken = self.changed.wait(woken).expect("no panic");
        }
        *woken = false;
    }
}

/// A flusher that sleeps until it is woken, and by nothing else, gets every sealed block: no
/// wake-up is lost, or loom would report a deadlock; and it does not stay asleep beside one, or
/// the threads would not get it back. And it is woken at most once for each time that it fell
/// asleep.
#[test]
fn wake_and_sleep() {
    explore("wake_and_sleep", Some(3), 500, || {
        let (woken, changed) = (Mutex::new(false), Condvar::new());
        let bed = Arc::new(Bed { woken, changed, wakes: AtomicUsize::new(0) });
        let waker = Arc::clone(&bed);
        // Blocks of one line: the second line seals the first.
        let exchange = Exchange::new(2, 2, 1, move || waker.wake());
        let writer = emitter(&exchange, 0, 2);
        let mut flusher = exchange.collector().expect("nobody has it");
        let (mut received, mut slept) = (Vec::new(), 0);
        let mut fall_asleep = |flusher: &Collector| {
            assert!(bed.wakes.load(Relaxed) <= slept, "woken while awake");
            let asleep = flusher.fall_asleep();
            slept += usize::from(asleep);
            asleep
        };
        while received.is_empty() {
            flusher.sweep();
            received.extend(flusher.consume());
            if received.is_empty() && fall_asleep(&flusher) {
                bed.sleep();
            }
        }
        writer.join().expect("no panic");
        while !fall_asleep(&flusher) || bed.take_wake() {
            flusher.sweep();
            received.extend(flusher.consume());
        }
        assert_eq!(exchange.sealed(), 0, "asleep beside a sealed block");
        flusher.sweep();
        received.extend(flusher.consume());
        assert_eq!(settle(&exchange, &received, 2), 0);
    });
}

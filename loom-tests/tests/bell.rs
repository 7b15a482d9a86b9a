//! Models of the bell, by which other threads wake the parked flusher.

use freewheel_handoff::loom_api::{Bell, Consumer, Exchange};
use freewheel_loom_tests::{Parker, check_account, explore, line, producer};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A flusher that clears a rung bell sees the work that the ringing thread announced.
///
/// Pairs `Bell::ring`'s Release with `Bell::clear`'s Acquire.
#[test]
fn ring_and_clear() {
    explore("ring_and_clear", None, 3, || {
        let bell = Arc::new(Bell::new(|| ()));
        let ready = Arc::new(UnsafeCell::new(false));
        let (ringer, made_ready) = (Arc::clone(&bell), Arc::clone(&ready));
        let writer = thread::spawn(move || {
            // SAFETY: the value is read only after the ring is cleared. Loom checks this.
            made_ready.with_mut(|ready| unsafe { *ready = true });
            ringer.ring();
        });
        if !bell.prepare_park() {
            bell.clear();
            // SAFETY: the value is written before the ring. Loom checks this.
            assert!(ready.with(|ready| unsafe { *ready }));
        }
        writer.join().expect("the thread does not panic");
    });
}

/// Two threads that ring at the same time wake the flusher at most once for each time that it
/// parked.
#[test]
fn concurrent_rings_wake_once() {
    explore("concurrent_rings_wake_once", None, 5_000, || {
        let wakes = Arc::new(AtomicUsize::new(0));
        let woken = Arc::clone(&wakes);
        let bell = Arc::new(Bell::new(move || {
            woken.fetch_add(1, Relaxed);
        }));
        let ready = Arc::new([UnsafeCell::new(()), UnsafeCell::new(())]);
        let ringers = [0, 1].map(|index| {
            let (bell, ready) = (Arc::clone(&bell), Arc::clone(&ready));
            thread::spawn(move || {
                ready[index].with_mut(|_| ());
                bell.ring();
            })
        });
        let mut parked = 0;
        for _ in 0..2 {
            assert!(wakes.load(Relaxed) <= parked, "woken while awake");
            if bell.prepare_park() {
                parked += 1;
            }
            bell.clear();
        }
        ringers.into_iter().for_each(|ringer| ringer.join().expect("the thread does not panic"));
        assert!(wakes.load(Relaxed) <= parked, "woken more often than parked");
    });
}

/// Rings do not wake a flusher that its tick has woken, and that has cleared the bell. The
/// flusher's next attempt to park is refused.
#[test]
fn awake_flusher_is_not_woken() {
    explore("awake_flusher_is_not_woken", None, 2, || {
        let wakes = Arc::new(AtomicUsize::new(0));
        let woken = Arc::clone(&wakes);
        let bell = Arc::new(Bell::new(move || _ = woken.fetch_add(1, Relaxed)));
        assert!(bell.prepare_park());
        // The same call of a flusher that another event has woken, and that parks again.
        assert!(bell.prepare_park(), "no thread rang");
        bell.clear();
        let ringer = Arc::clone(&bell);
        let ringer = thread::spawn(move || ringer.ring());
        bell.ring();
        ringer.join().expect("the thread does not panic");
        assert_eq!(wakes.load(Relaxed), 0, "woken while awake");
        assert!(!bell.prepare_park(), "parked despite announced work");
    });
}

/// A flusher that may park again has seen the work of both threads that rang. Clearing the bell
/// never erases a ring whose work the flusher has not seen.
#[test]
fn clear_loses_no_ring() {
    explore("clear_loses_no_ring", None, 90_000, || {
        let bell = Arc::new(Bell::new(|| ()));
        let ready = Arc::new([0, 1].map(|_| loom::sync::atomic::AtomicBool::new(false)));
        let ringers = [0, 1].map(|index| {
            let (bell, ready) = (Arc::clone(&bell), Arc::clone(&ready));
            thread::spawn(move || {
                ready[index].store(true, Relaxed);
                bell.ring();
            })
        });
        let mut seen = [false; 2];
        let mut clear_and_find_work = || {
            bell.clear();
            [0, 1].iter().for_each(|&index| seen[index] |= ready[index].load(Relaxed));
        };
        clear_and_find_work();
        clear_and_find_work();
        let [first, second] = ringers;
        first.join().expect("the thread does not panic");
        second.join().expect("the thread does not panic");
        // Both threads have rung. If the flusher may park, it has seen the work of both.
        if bell.prepare_park() {
            assert_eq!(seen, [true; 2], "parked despite announced work");
        }
    });
}

/// A flusher that parks until it is woken gets every sealed block. Loom would report a lost wake-up
/// as a deadlock. The flusher never stays parked while a block is sealed, and is woken at most once
/// for each time that it parked.
#[test]
fn sealed_block_wakes_a_parked_flusher() {
    explore("sealed_block_wakes_a_parked_flusher", None, 30_000, || {
        let parker = Arc::new(Parker::default());
        let waker = Arc::clone(&parker);
        // Blocks of one line: the second line seals the first.
        let exchange = Exchange::new(2, 2, 1, move || waker.wake());
        let writer = producer(&exchange, 0, 2);
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        let (mut received, mut parked) = (Vec::new(), 0);
        let mut prepare_park = |flusher: &Consumer| {
            assert!(parker.wakes() <= parked, "woken while awake");
            let parks = flusher.prepare_park();
            parked += usize::from(parks);
            parks
        };
        while received.is_empty() {
            flusher.sweep();
            received.extend(flusher.consume_all());
            if received.is_empty() && prepare_park(&flusher) {
                parker.park();
            }
        }
        writer.join().expect("the thread does not panic");
        while !prepare_park(&flusher) || parker.take_wake() {
            flusher.sweep();
            received.extend(flusher.consume_all());
        }
        assert_eq!(exchange.sealed_blocks(), 0, "parked despite a sealed block");
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert_eq!(check_account(&exchange, &received, 2), 0);
    });
}

/// With a threshold of two sealed blocks, one block does not wake a parked flusher, and two more
/// wake it once. This holds although two threads seal blocks at the same time, and each counts only
/// after it has sealed.
#[test]
fn ring_starts_at_the_threshold() {
    explore("ring_starts_at_the_threshold", None, 80_000, || {
        let wakes = Arc::new(AtomicUsize::new(0));
        let woken = Arc::clone(&wakes);
        let wake = move || _ = woken.fetch_add(1, Relaxed);
        // Blocks of one line: the second line of each thread seals its first.
        let exchange = Exchange::new(2, 3, 2, wake);
        let flusher = exchange.claim_consumer().expect("no consumer exists");
        (0..2).for_each(|index| exchange.emit(&line(1, index)));
        assert!(flusher.prepare_park(), "the bell rang for one block");
        let writer = producer(&exchange, 0, 2);
        exchange.emit(&line(1, 2));
        writer.join().expect("the thread does not panic");
        assert_eq!(wakes.load(Relaxed), 1, "parked despite three sealed blocks");
    });
}

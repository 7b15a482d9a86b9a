//! Models of the bell, the flag with which other threads wake the parked flusher thread.

use freewheel_handoff::loom_api::{Bell, Consumer, Exchange};
use freewheel_loom_tests::{Parker, Witness, check_account, explore, line, producer};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A thread writes data and rings the bell (the flusher's wake-up flag). A flusher that finds the
/// bell rung, and clears it, sees the data.
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

/// Two threads ring the bell (the flusher's wake-up flag) at the same time. They wake the flusher
/// at most once for each time that it parked.
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

/// A flusher that its timer has woken clears the bell (its wake-up flag). Later rings do not wake
/// the flusher, but its next attempt to park is refused.
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

/// Two threads announce work by ringing the bell (the flusher's wake-up flag), while the flusher
/// clears it. If the flusher may then park, it has seen the work of both threads.
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

/// A flusher that parks without a timer gets every full block (buffer of lines), and is woken at
/// most once for each time that it parked. It never stays parked while a full block waits: loom
/// would report a lost wake-up as a deadlock.
#[test]
fn sealed_block_wakes_a_parked_flusher() {
    explore("sealed_block_wakes_a_parked_flusher", None, 2_500, || {
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

/// Two full blocks of lines are the threshold for waking a parked flusher. One full block does not
/// wake it, and two more, filled by two threads at the same time, wake it exactly once.
#[test]
fn ring_starts_at_the_threshold() {
    explore("ring_starts_at_the_threshold", None, 350, || {
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

/// Two full blocks of lines are the threshold for waking the flusher, which takes lines while two
/// threads fill a block each. A flusher that may then park has left at most one full block.
///
/// Pairs `FullBlocks::count`'s Release with `FullBlocks::begin_sweep`'s Acquire.
#[test]
fn ring_and_sweep() {
    static LEFT: Witness = Witness::new("a flusher parked and left a full block");
    LEFT.explore("ring_and_sweep", Some(3), 15_000, || {
        // Blocks of one line: the second line of each thread fills its first.
        let exchange = Exchange::new(2, 3, 2, || ());
        let writers = [producer(&exchange, 0, 2), producer(&exchange, 1, 2)];
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        flusher.sweep();
        writers.into_iter().for_each(|writer| writer.join().expect("the thread does not panic"));
        if flusher.prepare_park() {
            assert!(exchange.sealed_blocks() < 2, "parked despite two full blocks");
            LEFT.observe(exchange.sealed_blocks() == 1);
        }
        let mut received = flusher.consume_all();
        flusher.sweep();
        received.extend(flusher.consume_all());
        assert_eq!(check_account(&exchange, &received, 4), 0);
    });
}

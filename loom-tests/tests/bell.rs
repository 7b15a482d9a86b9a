//! How the flusher sleeps and is woken.

use freewheel::loom_api::{Bell, Consumer, Exchange};
use freewheel_loom_tests::{Parker, acknowledge, emitter, explore, line};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Who answers sees what was made ready before the ring.
///
/// Pairs `Bell::ring`'s Release with `Bell::clear`'s Acquire.
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
        if !bell.prepare_park() {
            bell.clear();
            // SAFETY: written before the ring; loom checks that.
            assert!(ready.with(|ready| unsafe { *ready }));
        }
        writer.join().expect("no panic");
    });
}

/// Two ring at the same time: whoever wakes, the flusher is woken at most once for each time
/// that it fell asleep; and when it has answered the last ring, it sees what both made ready.
#[test]
fn two_rings() {
    explore("two_rings", None, 5_000, || {
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
        let mut slept = 0;
        for _ in 0..2 {
            assert!(wakes.load(Relaxed) <= slept, "woken while awake");
            if bell.prepare_park() {
                slept += 1;
            }
            bell.clear();
        }
        ringers.into_iter().for_each(|ringer| ringer.join().expect("no panic"));
        assert!(wakes.load(Relaxed) <= slept, "woken more often than asleep");
    });
}

/// A flusher that woke by itself, for its tick, is not woken once it has answered: nobody pays for
/// what it is about to see anyway.
#[test]
fn who_woke_by_itself_is_not_woken() {
    explore("who_woke_by_itself_is_not_woken", None, 2, || {
        let wakes = Arc::new(AtomicUsize::new(0));
        let woken = Arc::clone(&wakes);
        let bell = Arc::new(Bell::new(move || _ = woken.fetch_add(1, Relaxed)));
        assert!(bell.prepare_park());
        // As a flusher does that something else woke, and that goes to sleep again.
        assert!(bell.prepare_park(), "nobody rang");
        bell.clear();
        let ringer = Arc::clone(&bell);
        let ringer = thread::spawn(move || ringer.ring());
        bell.ring();
        ringer.join().expect("no panic");
        assert_eq!(wakes.load(Relaxed), 0, "woken while awake");
        assert!(!bell.prepare_park(), "asleep beside what was rung for");
    });
}

/// Of two that ring, the one that is answered last is answered with both: an answer that wipes
/// a ring away has seen what it was for.
#[test]
fn an_answer_wipes_no_ring_unseen() {
    explore("an_answer_wipes_no_ring_unseen", None, 90_000, || {
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
        // Until it may sleep: then everything that was rung for has been seen, or rings again.
        let mut look = || {
            bell.clear();
            [0, 1].iter().for_each(|&index| seen[index] |= ready[index].load(Relaxed));
        };
        look();
        look();
        let [first, second] = ringers;
        first.join().expect("no panic");
        second.join().expect("no panic");
        // Both rang by now: quiet means that both were answered.
        if bell.prepare_park() {
            assert_eq!(seen, [true; 2], "asleep beside what was rung for");
        }
    });
}

/// A flusher that sleeps until it is woken, and by nothing else, gets every sealed block: no
/// wake-up is lost, or loom would report a deadlock; and it does not stay asleep beside one, or
/// the threads would not get it back. And it is woken at most once for each time that it fell
/// asleep.
#[test]
fn wake_and_sleep() {
    explore("wake_and_sleep", None, 100_000, || {
        let bed = Arc::new(Parker::default());
        let waker = Arc::clone(&bed);
        // BlockPool of one line: the second line seals the first.
        let exchange = Exchange::new(2, 2, 1, move || waker.wake());
        let writer = emitter(&exchange, 0, 2);
        let mut flusher = exchange.consumer().expect("nobody has it");
        let (mut received, mut slept) = (Vec::new(), 0);
        let mut prepare_park = |flusher: &Consumer| {
            assert!(bed.wakes() <= slept, "woken while awake");
            let asleep = flusher.prepare_park();
            slept += usize::from(asleep);
            asleep
        };
        while received.is_empty() {
            flusher.sweep();
            received.extend(flusher.consume());
            if received.is_empty() && prepare_park(&flusher) {
                bed.sleep();
            }
        }
        writer.join().expect("no panic");
        while !prepare_park(&flusher) || bed.take_wake() {
            flusher.sweep();
            received.extend(flusher.consume());
        }
        assert_eq!(exchange.sealed(), 0, "asleep beside a sealed block");
        flusher.sweep();
        received.extend(flusher.consume());
        assert_eq!(acknowledge(&exchange, &received, 2), 0);
    });
}

/// A sleeping flusher is woken when two blocks are sealed, and not for one, however many more are
/// sealed by the time that anybody counts them: once.
#[test]
fn two_blocks_are_worth_a_ring() {
    explore("two_blocks_are_worth_a_ring", None, 80_000, || {
        let wakes = Arc::new(AtomicUsize::new(0));
        let woken = Arc::clone(&wakes);
        let wake = move || _ = woken.fetch_add(1, Relaxed);
        // BlockPool of one line: the second line of each thread seals its first.
        let exchange = Exchange::new(2, 3, 2, wake);
        let flusher = exchange.consumer().expect("nobody has it");
        (0..2).for_each(|index| exchange.emit(&line(1, index)));
        assert!(flusher.prepare_park(), "rung for one block");
        let writer = emitter(&exchange, 0, 2);
        exchange.emit(&line(1, 2));
        writer.join().expect("no panic");
        assert_eq!(wakes.load(Relaxed), 1, "asleep beside three sealed blocks");
    });
}

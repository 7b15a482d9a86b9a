//! How the flusher sleeps without a clock, and is woken by the first line.
//!
//! The barrier's two sides are full fences here. That the real ones, a fence for the compiler and
//! `membarrier`, do what full fences do is not loom's to show: see `every_line_wakes_the_dormant`
//! in `src/handoff/stress.rs`.

use freewheel::loom_api::Exchange;
use freewheel_loom_tests::{Parker, Witness, acknowledge, emitter, line};
use loom::sync::Arc;

/// Whether the flusher has a tick too, and so a bell that may wake it.
#[derive(Clone, Copy, PartialEq)]
enum Bell {
    Mute,
    Rings,
}

/// Threads that emit so many lines each, into blocks of so many bytes, and a flusher that sleeps
/// whenever it may lie down, until it has them all.
fn deliver(threads: u8, lines: u8, block_size: usize, bell: Bell, lay_dormant: &Witness) {
    let bed = Arc::new(Parker::default());
    let waker = Arc::clone(&bed);
    let exchange = Exchange::with_dormancy(block_size, 1, move || waker.wake());
    let writers: Vec<_> = (0..threads).map(|thread| emitter(&exchange, thread, lines)).collect();
    let mut flusher = exchange.consumer().expect("nobody has it");
    let all = usize::from(threads * lines);
    // How often a wake-up was allowed: one for each time that it said that it was dormant, though
    // it then found a line and stayed up; and one for each time that it was to hear the bell.
    let (mut received, mut allowed) = (Vec::new(), 0);
    while received.len() < 2 * all {
        flusher.sweep();
        received.extend(flusher.consume());
        if received.len() < 2 * all {
            allowed += 1;
            if bell == Bell::Rings && flusher.prepare_park() {
                allowed += 1;
            }
            if flusher.try_enter_dormant() {
                bed.sleep();
                lay_dormant.look(true);
            } else {
                assert!(!exchange.is_dormant(), "dormant, and at work");
            }
        }
    }
    writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
    assert!(bed.wakes() <= allowed, "woken more often than dormant");
    assert_eq!(acknowledge(&exchange, &received, all as u64), 0);
}

/// A flusher that sleeps without a clock hears of every line, be it its thread's first or a later
/// one: no wake-up is lost, or loom would report a deadlock.
#[test]
fn the_first_line_wakes_the_dormant() {
    static DORMANT: Witness = Witness::of("it lay dormant");
    let model = || deliver(1, 2, 8, Bell::Mute, &DORMANT);
    DORMANT.explore("the_first_line_wakes_the_dormant", Some(3), 500, model);
}

/// Two threads emit while it lies down: it hears of both, and is woken at most once for each time
/// that it lay down.
#[test]
fn two_lines_wake_the_dormant_once() {
    static DORMANT: Witness = Witness::of("it lay dormant");
    let model = || deliver(2, 1, 8, Bell::Mute, &DORMANT);
    DORMANT.explore("two_lines_wake_the_dormant_once", Some(2), 1_900, model);
}

/// A dormant flusher hears of a line that needed a fresh block, though the full one, sealed
/// meanwhile, is there to be seen too.
#[test]
fn a_line_in_a_fresh_block_wakes_the_dormant() {
    static DORMANT: Witness = Witness::of("it lay dormant");
    let model = || deliver(1, 2, 2, Bell::Mute, &DORMANT);
    DORMANT.explore("a_line_in_a_fresh_block_wakes_the_dormant", Some(3), 15_000, model);
}

/// Bell and dormancy at once: a line that turns over its block rings, and then ends the dormancy.
/// Each wakes at most once for each time that it was told to.
#[test]
fn bell_and_dormancy_wake_once_each() {
    static DORMANT: Witness = Witness::of("it lay dormant");
    let model = || deliver(1, 2, 2, Bell::Rings, &DORMANT);
    DORMANT.explore("bell_and_dormancy_wake_once_each", Some(3), 30_000, model);
}

/// Dormant is only who lies down: not who was refused, for a line or for want of a barrier, nor
/// who has stopped. Nobody pays for waking them.
#[test]
fn only_who_lies_down_is_dormant() {
    static DORMANT: Witness = Witness::of("it lay dormant");
    DORMANT.explore("only_who_lies_down_is_dormant", None, 700, || {
        let without_barrier = Exchange::new(2, 2, 1, || ());
        let flusher = without_barrier.consumer().expect("nobody has it");
        assert!(!flusher.try_enter_dormant(), "without a barrier");
        assert!(!without_barrier.is_dormant(), "dormant, refused for want of a barrier");

        let exchange = Exchange::with_dormancy(8, 1, || ());
        let flusher = exchange.consumer().expect("nobody has it");
        let writer = emitter(&exchange, 0, 1);
        if flusher.try_enter_dormant() {
            DORMANT.look(true);
        } else {
            assert!(!exchange.is_dormant(), "dormant, refused for a line");
        }
        drop(flusher);
        assert!(!exchange.is_dormant(), "dormant, and stopped");
        writer.join().expect("no panic");
    });
}

/// Nobody lies down beside a full block, though no window tells of it: the line that it was
/// turned over for was then refused.
#[test]
fn nobody_lies_down_beside_a_full_block() {
    static DORMANT: Witness = Witness::of("it lay dormant");
    DORMANT.explore("nobody_lies_down_beside_a_full_block", None, 1, || {
        let exchange = Exchange::with_dormancy(2, 1, || ());
        let mut flusher = exchange.consumer().expect("nobody has it");
        exchange.emit(&line(0, 0));
        exchange.emit_in_vain();
        assert_eq!(exchange.sealed(), 1);
        assert!(!flusher.try_enter_dormant(), "dormant beside a full block");
        flusher.sweep();
        assert_eq!(flusher.consume(), line(0, 0));
        DORMANT.look(flusher.try_enter_dormant());
    });
}

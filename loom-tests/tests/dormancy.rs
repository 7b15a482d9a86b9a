//! Models of dormancy: the flusher thread parks without a timer, and the next line wakes it.
//!
//! The barrier's two sides are full fences here. Loom cannot show that the real ones, a compiler
//! fence and `membarrier`, have the same effect: see `every_line_wakes_a_dormant_flusher` in
//! `src/handoff/stress.rs`.

use freewheel_handoff::loom_api::Exchange;
use freewheel_loom_tests::{Parker, Witness, check_account, line, producer};
use loom::sync::Arc;

/// Setting of a model: tells if full blocks may also wake the flusher, through the bell (its
/// wake-up flag).
#[derive(Clone, Copy, PartialEq)]
enum Bell {
    Disabled,
    Enabled,
}

/// Runs `threads` threads that emit `lines` lines each, and a flusher that parks without a timer
/// (is dormant) whenever it may. Checks that it gets all lines, and is not woken too often.
fn deliver(threads: u8, lines: u8, block_size: usize, bell: Bell, was_dormant: &Witness) {
    let parker = Arc::new(Parker::default());
    let waker = Arc::clone(&parker);
    let exchange = Exchange::with_dormancy(block_size, 1, move || waker.wake());
    let writers: Vec<_> = (0..threads).map(|thread| producer(&exchange, thread, lines)).collect();
    let mut flusher = exchange.claim_consumer().expect("no consumer exists");
    let all = usize::from(threads * lines);
    // `allowed` is the number of wake-ups allowed: one for each attempt to become dormant, and one
    // for each time that the bell was armed. An attempt counts even if the flusher finds a line.
    let (mut received, mut allowed) = (Vec::new(), 0);
    while received.len() < 2 * all {
        flusher.sweep();
        received.extend(flusher.consume_all());
        if received.len() < 2 * all {
            allowed += 1;
            if bell == Bell::Enabled && flusher.prepare_park() {
                allowed += 1;
            }
            if flusher.try_enter_dormant() {
                parker.park();
                was_dormant.observe(true);
            } else {
                assert!(!exchange.is_dormant(), "dormant while awake");
            }
        }
    }
    writers.into_iter().for_each(|writer| writer.join().expect("the thread does not panic"));
    assert!(parker.wakes() <= allowed, "woken more often than dormant");
    assert_eq!(check_account(&exchange, &received, all as u64), 0);
}

/// Each line wakes a dormant flusher (parked without a timer), both the first line of its thread
/// and a later line. Loom would report a lost wake-up as a deadlock.
#[test]
fn first_line_wakes_a_dormant_flusher() {
    static DORMANT: Witness = Witness::new("the flusher was dormant");
    let model = || deliver(1, 2, 8, Bell::Disabled, &DORMANT);
    DORMANT.explore("first_line_wakes_a_dormant_flusher", Some(3), 500, model);
}

/// Two threads each emit a line while the flusher becomes dormant (parks without a timer). The
/// flusher gets both lines, and is woken at most once for each attempt to become dormant.
#[test]
fn two_lines_wake_a_dormant_flusher_once() {
    static DORMANT: Witness = Witness::new("the flusher was dormant");
    let model = || deliver(2, 1, 8, Bell::Disabled, &DORMANT);
    DORMANT.explore("two_lines_wake_a_dormant_flusher_once", Some(2), 1_900, model);
}

/// A line that does not fit into its thread's block (buffer of lines), and therefore goes into an
/// empty block, wakes a dormant flusher (parked without a timer).
#[test]
fn line_after_rotation_wakes_a_dormant_flusher() {
    static DORMANT: Witness = Witness::new("the flusher was dormant");
    let model = || deliver(1, 2, 2, Bell::Disabled, &DORMANT);
    DORMANT.explore("line_after_rotation_wakes_a_dormant_flusher", Some(3), 1_500, model);
}

/// Full blocks can wake a flusher through the bell (its wake-up flag), and any line can wake a
/// dormant flusher (parked without a timer). The flusher gets every line. For each attempt to park,
/// full blocks wake it at most once, and lines at most once.
#[test]
fn bell_and_dormancy_wake_once_each() {
    static DORMANT: Witness = Witness::new("the flusher was dormant");
    let model = || deliver(1, 2, 2, Bell::Enabled, &DORMANT);
    DORMANT.explore("bell_and_dormancy_wake_once_each", Some(3), 3_000, model);
}

/// A flusher is not marked as dormant (parked without a timer) after it stops, or after its attempt
/// to become dormant is refused. The attempt is refused if there is a new line, or no memory
/// barrier.
#[test]
fn dormancy_ends_on_refusal_and_stop() {
    static DORMANT: Witness = Witness::new("the flusher was dormant");
    DORMANT.explore("dormancy_ends_on_refusal_and_stop", None, 700, || {
        let without_barrier = Exchange::new(2, 2, 1, || ());
        let flusher = without_barrier.claim_consumer().expect("no consumer exists");
        assert!(!flusher.try_enter_dormant(), "without a barrier");
        assert!(!without_barrier.is_dormant(), "dormant after a refusal for a missing barrier");

        let exchange = Exchange::with_dormancy(8, 1, || ());
        let flusher = exchange.claim_consumer().expect("no consumer exists");
        let writer = producer(&exchange, 0, 1);
        if flusher.try_enter_dormant() {
            DORMANT.observe(true);
        } else {
            assert!(!exchange.is_dormant(), "dormant after a refusal for a line");
        }
        drop(flusher);
        assert!(!exchange.is_dormant(), "dormant after a stop");
        writer.join().expect("the thread does not panic");
    });
}

/// Lines that wait for the flusher prevent it from becoming dormant (parking without a timer). This
/// holds if they are in a full block (buffer of lines) whose thread has gone on to an empty block,
/// and if they follow a full block whose lines were taken before.
#[test]
fn full_block_prevents_dormancy() {
    static DORMANT: Witness = Witness::new("the flusher was dormant");
    DORMANT.explore("full_block_prevents_dormancy", None, 1, || {
        let exchange = Exchange::with_dormancy(2, 1, || ());
        let mut flusher = exchange.claim_consumer().expect("no consumer exists");
        exchange.emit(&line(0, 0));
        exchange.reserve_and_drop();
        assert_eq!(exchange.sealed_blocks(), 1);
        assert!(!flusher.try_enter_dormant(), "dormant despite a full block");
        flusher.sweep();
        assert_eq!(flusher.consume_all(), line(0, 0));
        exchange.emit(&line(0, 1));
        flusher.sweep();
        assert_eq!(flusher.consume_all(), line(0, 1));
        exchange.emit(&line(0, 2));
        assert!(!flusher.try_enter_dormant(), "dormant despite a line after a full block");
        flusher.sweep();
        assert_eq!(flusher.consume_all(), line(0, 2));
        DORMANT.observe(flusher.try_enter_dormant());
    });
}

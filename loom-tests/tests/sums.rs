//! Models of aggregation: sums that threads add to and the flusher takes, and latest values.

use freewheel_handoff::loom_api::{Exchange, Latest, Sum};
use freewheel_loom_tests::{Parker, Witness, explore};
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

/// Spawns a thread that adds each of the amounts to the sum.
fn adder(sum: &Sum, amounts: &'static [u64]) -> JoinHandle<()> {
    let sum = sum.clone();
    thread::spawn(move || amounts.iter().for_each(|&amount| sum.add(amount)))
}

fn join(thread: JoinHandle<()>) {
    thread.join().expect("the thread does not panic");
}

/// Two threads add to a sum while the flusher takes its value. The value that it took, and the value
/// that is left, are what the threads added.
#[test]
fn two_adders_and_a_drain_sum_exactly() {
    static PART: Witness = Witness::new("the flusher took a part");
    PART.explore("two_adders_and_a_drain_sum_exactly", Some(4), 15_000, || {
        let sum = Sum::new();
        let adders = [adder(&sum, &[1, 2]), adder(&sum, &[4, 8])];
        let taken = sum.value();
        sum.subtract(taken);
        adders.into_iter().for_each(join);
        PART.observe(taken != 0 && taken != 15);
        assert_eq!(taken + sum.value(), 15);
    });
}

/// The flusher reads a sum, finds no room for its line, and takes the value at its next attempt. No
/// amount is lost or counted twice.
#[test]
fn refused_drain_keeps_the_sum() {
    static GREW: Witness = Witness::new("a thread added after the refused attempt");
    GREW.explore("refused_drain_keeps_the_sum", None, 350, || {
        let sum = Sum::new();
        let adder = adder(&sum, &[1, 2, 4]);
        let refused = sum.value();
        let taken = sum.value();
        assert!(taken >= refused, "{taken} after {refused}");
        sum.subtract(taken);
        join(adder);
        GREW.observe(taken > refused);
        assert_eq!(taken + sum.value(), 7);
    });
}

/// A thread that reuses the ID of an exited thread goes on counting in its cells. No other
/// synchronization orders the two threads, and nothing that they added is lost.
#[test]
fn successor_of_a_thread_goes_on_counting() {
    explore("successor_of_a_thread_goes_on_counting", None, 250, || {
        let sum = Sum::new();
        let adders = [adder(&sum, &[1, 2]), adder(&sum, &[4])];
        adders.into_iter().for_each(join);
        assert_eq!(sum.value(), 7);
    });
}

/// A thread adds to a sum whose cell is not in its first array of cells, so that its cells grow while
/// the flusher reads. Both sums are exact.
#[test]
fn cells_that_grow_are_summed() {
    static GREW: Witness = Witness::new("the flusher read before the cells grew");
    GREW.explore("cells_that_grow_are_summed", None, 80, || {
        let (first, second) = (Sum::new(), Sum::new());
        let sums = (first.clone(), second.clone());
        let thread = thread::spawn(move || {
            sums.0.add(1);
            sums.1.add(2);
            sums.0.add(4);
        });
        let taken = (first.value(), second.value());
        first.subtract(taken.0);
        second.subtract(taken.1);
        join(thread);
        GREW.observe(taken == (1, 0));
        assert_eq!((taken.0 + first.value(), taken.1 + second.value()), (5, 2));
    });
}

/// A new sum that reuses the ID of a dropped one begins at 0, and stays there, although another thread
/// added to the old sum just before it dropped it.
#[test]
fn reused_sum_begins_at_zero() {
    static EARLIER: Witness = Witness::new("the old sum was dropped first");
    EARLIER.explore("reused_sum_begins_at_zero", None, 10, || {
        let old = Sum::new();
        let dropping = thread::spawn(move || {
            old.add(1);
            drop(old);
        });
        let new = Sum::new();
        EARLIER.observe(new.is_first());
        assert_eq!(new.value(), 0);
        join(dropping);
        assert_eq!(new.value(), 0, "the old sum's amount is in the new one");
    });
}

/// A level is set to a value while another thread adds to it. The addition comes before or after, and
/// is not lost in between.
#[test]
fn setting_orders_an_addition_before_or_after() {
    static AFTER: Witness = Witness::new("the addition came after");
    AFTER.explore("setting_orders_an_addition_before_or_after", None, 16, || {
        let sum = Sum::new();
        sum.add(100);
        let adder = adder(&sum, &[1]);
        sum.set(10);
        join(adder);
        let value = sum.value();
        AFTER.observe(value == 11);
        assert!(value == 10 || value == 11, "{value}");
    });
}

/// Two threads set a gauge while the flusher takes it, and finds no room for the first line. The number
/// that was set last is taken last, and once.
#[test]
fn last_gauge_is_not_lost() {
    static REPLACED: Witness = Witness::new("a later number replaced the refused one");
    REPLACED.explore("last_gauge_is_not_lost", None, 4_000, || {
        let latest = Latest::new();
        let (first, second) = (latest.clone(), latest.clone());
        let setters = [
            thread::spawn(move || [1.0, 2.0].into_iter().for_each(|number| first.set(number))),
            thread::spawn(move || second.set(3.0)),
        ];
        let refused = latest.take();
        if let Some(number) = refused {
            latest.put_back(number);
        }
        let early = latest.take();
        setters.into_iter().for_each(join);
        let late = latest.take();
        REPLACED.observe(refused.is_some() && early.is_some() && refused != early);
        assert_eq!(latest.take(), None, "a number is taken once");
        let last = late.or(early).expect("a number was set");
        assert_ne!(last, 1.0, "a later number was lost: {refused:?} {early:?} {late:?}");
        // Each number is taken at most once.
        assert!(late.is_none() || late != early, "taken twice");
    });
}

/// Each addition to a sum wakes a dormant flusher (parked without a timer), or is seen before the
/// flusher becomes dormant. Loom would report a lost wake-up as a deadlock.
#[test]
fn addition_wakes_a_dormant_flusher() {
    static DORMANT: Witness = Witness::new("the flusher was dormant");
    DORMANT.explore("addition_wakes_a_dormant_flusher", Some(3), 400, || {
        let parker = Arc::new(Parker::default());
        let waker = Arc::clone(&parker);
        let exchange = Exchange::with_dormancy(8, 1, move || waker.wake());
        let (sum, adding) = (Sum::new(), exchange.clone());
        let added = sum.clone();
        let thread = thread::spawn(move || {
            adding.add_to(&added, 1);
            adding.add_to(&added, 1);
        });
        let flusher = exchange.claim_consumer().expect("no consumer exists");
        let mut taken = 0;
        while taken < 2 {
            let value = sum.value();
            sum.subtract(value);
            taken += value;
            if taken < 2 && flusher.try_enter_dormant_at_zero(&sum) {
                parker.park();
                DORMANT.observe(true);
            }
        }
        join(thread);
        assert_eq!((taken, sum.value()), (2, 0));
    });
}

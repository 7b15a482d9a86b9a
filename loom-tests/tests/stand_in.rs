//! Comparison of crossbeam's `ArrayQueue` with the queue that replaces it in the loom models.
//!
//! Loom cannot observe `ArrayQueue`, so the models run with another implementation of the same
//! algorithm. These tests run the same operations on both. With one thread, both behave like a
//! bounded `VecDeque`. With more threads, the stand-in under loom has exactly the outcomes that
//! sequences of whole operations have. The real queue on real threads has no other outcomes.
//!
//! Differences:
//!
//! - For a capacity of one the stand-in has two slots, because its crate has another algorithm for
//!   one slot. No model may therefore rely on a full queue of one slot. None does: each queue has a
//!   slot for every block, so that a push always fits.
//! - The stand-in yields where the real queue spins. Loom would not terminate otherwise.
//! - The stand-in performs an additional atomic operation (`turnstile`), without which loom would
//!   not try all orders of its operations. Loom found only two of the four outcomes of two pushes
//!   and a concurrent pop.
//!
//! Two common properties may be unexpected. `pop` of an empty queue is a full fence in both, and
//! `len` counts a value as soon as its slot is claimed.

use crossbeam_queue::ArrayQueue;
use freewheel_handoff::loom_api::Queue as StandIn;
use freewheel_loom_tests::explore;
use loom::cell::UnsafeCell;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

trait Queue: Send + Sync + 'static {
    fn with_slots(slots: usize) -> Self;
    fn push(&self, value: u8) -> Result<(), u8>;
    fn pop(&self) -> Option<u8>;
    fn len(&self) -> usize;
}

impl Queue for StandIn<u8> {
    fn with_slots(slots: usize) -> Self {
        Self::new(slots)
    }
    fn push(&self, value: u8) -> Result<(), u8> {
        self.push(value)
    }
    fn pop(&self) -> Option<u8> {
        self.pop()
    }
    fn len(&self) -> usize {
        self.len()
    }
}

impl Queue for ArrayQueue<u8> {
    fn with_slots(slots: usize) -> Self {
        Self::new(slots)
    }
    fn push(&self, value: u8) -> Result<(), u8> {
        self.push(value)
    }
    fn pop(&self) -> Option<u8> {
        self.pop()
    }
    fn len(&self) -> usize {
        self.len()
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Push(u8),
    Pop,
    Len,
}
use Operation::{Len, Pop, Push};

/// Result of a queue operation: the pushed value (`None` if it was rejected), the popped value
/// (`None` if the queue was empty), or the length.
type Answer = Option<u8>;

/// Runs the operation on the queue, and returns its result.
fn apply(queue: &impl Queue, operation: Operation) -> Answer {
    match operation {
        Push(value) => match queue.push(value) {
            Ok(()) => Some(value),
            Err(rejected) => {
                assert_eq!(rejected, value, "another value was handed back");
                None
            }
        },
        Pop => queue.pop(),
        Len => Some(queue.len() as u8),
    }
}

/// Runs the operation on a deque, and returns the result that a correct queue with `slots` slots
/// must have.
fn expected_answer(queue: &mut VecDeque<u8>, slots: usize, operation: Operation) -> Answer {
    match operation {
        Push(value) => (queue.len() < slots).then(|| {
            queue.push_back(value);
            value
        }),
        Pop => queue.pop_front(),
        Len => Some(queue.len() as u8),
    }
}

/// Checks that a queue behaves like a bounded deque under random operations on one thread.
fn assert_agrees_with_a_deque<Q: Queue>(capacity: usize, slots: usize, mut random: u64) {
    let (queue, mut deque) = (Q::with_slots(capacity), VecDeque::new());
    for number in 0..80 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let operation = [Push(number), Pop, Push(number), Pop, Len][(random >> 33) as usize % 5];
        let expected = expected_answer(&mut deque, slots, operation);
        assert_eq!(apply(&queue, operation), expected, "{operation:?} with {slots} slots");
    }
}

#[test]
fn both_queues_agree_with_a_deque() {
    for (capacity, seed) in (1..=8).flat_map(|capacity| (0..200).map(move |seed| (capacity, seed)))
    {
        assert_agrees_with_a_deque::<ArrayQueue<u8>>(capacity, capacity, seed);
        // Loom's atomics exist in models only.
        let mut model = loom::model::Builder::new();
        model.max_branches = 10_000;
        model.check(move || {
            assert_agrees_with_a_deque::<StandIn<u8>>(capacity, capacity.max(2), seed)
        });
    }
}

/// Test case: the initial state of a queue, and the operations that each of several threads
/// performs on it. The operations of the main thread come first.
struct History {
    name: &'static str,
    slots: usize,
    /// Number of values that are pushed and popped before the threads start, so that the indices of
    /// the queue wrap around.
    passed: u8,
    /// Number of values in the queue when the threads start.
    filled: u8,
    threads: &'static [&'static [Operation]],
    preemptions: Option<usize>,
}

/// Outcome of a test case: the results of each thread's operations, and then the values that remain
/// in the queue.
type Outcome = Vec<Vec<Answer>>;

const HISTORIES: [History; 6] = [
    History {
        name: "two_push_one_pops",
        slots: 2,
        passed: 1,
        filled: 0,
        threads: &[&[Pop], &[Push(1)], &[Push(2)]],
        preemptions: Some(3),
    },
    History {
        name: "one_pushes_one_pops",
        slots: 2,
        passed: 1,
        filled: 0,
        threads: &[&[Push(1), Push(2)], &[Pop, Pop]],
        preemptions: None,
    },
    History {
        name: "full",
        slots: 2,
        passed: 0,
        filled: 2,
        threads: &[&[Push(1), Push(2)], &[Pop, Pop]],
        preemptions: None,
    },
    History {
        name: "full_for_one_of_two",
        slots: 2,
        passed: 3,
        filled: 1,
        threads: &[&[Push(1), Pop], &[Push(2), Pop]],
        preemptions: Some(4),
    },
    History {
        name: "two_pop",
        slots: 3,
        passed: 2,
        filled: 1,
        threads: &[&[Pop, Push(1)], &[Pop, Push(2)]],
        preemptions: Some(4),
    },
    History {
        name: "counted_meanwhile",
        slots: 2,
        passed: 1,
        filled: 1,
        threads: &[&[Push(1), Len, Len], &[Pop, Len]],
        preemptions: None,
    },
];

/// First of the values that fill the queue before the threads start. It is larger than the values
/// that the threads push.
const FILLING: u8 = 100;

impl History {
    /// Creates a queue in the initial state of the test case.
    fn prepared<Q: Queue>(&self) -> Q {
        let queue = Q::with_slots(self.slots);
        for value in 0..self.passed {
            assert_eq!((queue.push(value), queue.pop()), (Ok(()), Some(value)));
        }
        (0..self.filled).for_each(|value| queue.push(FILLING + value).expect("the queue has room"));
        queue
    }

    /// Returns all outcomes that a correct queue can have: whole operations run one after the
    /// other, and the operations of each thread in order. No value is lost, duplicated or
    /// overtaken, and no push is rejected while there is space.
    fn explained(&self) -> BTreeSet<Outcome> {
        let deque = (FILLING..FILLING + self.filled).collect();
        let mut outcomes = BTreeSet::new();
        self.explain(&deque, &vec![Vec::new(); self.threads.len()], &mut outcomes);
        outcomes
    }

    /// Adds to `outcomes` each outcome that begins with the results in `answers`. The remaining
    /// operations of the threads run in every possible order.
    fn explain(&self, deque: &VecDeque<u8>, answers: &Outcome, outcomes: &mut BTreeSet<Outcome>) {
        let mut is_complete = true;
        for (thread, operations) in self.threads.iter().enumerate() {
            if let Some(&next) = operations.get(answers[thread].len()) {
                is_complete = false;
                let (mut deque, mut answers) = (deque.clone(), answers.clone());
                answers[thread].push(expected_answer(&mut deque, self.slots, next));
                self.explain(&deque, &answers, outcomes);
            }
        }
        if is_complete {
            let remaining = deque.iter().copied().map(Some).collect();
            outcomes.insert(answers.iter().cloned().chain([remaining]).collect());
        }
    }
}

/// Pops all remaining values from the queue, and returns them.
fn remaining(queue: &impl Queue) -> Vec<Answer> {
    std::iter::from_fn(|| queue.pop().map(Some)).collect()
}

/// Runs the test case under loom on the queue that replaces `ArrayQueue`, and returns the outcomes
/// of all interleavings. Loom reports a race if a thread that pops a value does not see the writes
/// made before the value was pushed.
fn outcomes_of_the_stand_in(history: &'static History) -> BTreeSet<Outcome> {
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    let found = Arc::clone(&outcomes);
    explore(history.name, history.preemptions, 10, move || {
        let queue = loom::sync::Arc::new(history.prepared::<StandIn<u8>>());
        let written = loom::sync::Arc::new([(); 3].map(|()| UnsafeCell::new(())));
        let run = |thread: usize| {
            let (queue, written) = (queue.clone(), written.clone());
            move || {
                let operate = |&operation: &Operation| {
                    if let Push(value) = operation {
                        written[value as usize].with_mut(|_| ());
                    }
                    let answer = apply(&*queue, operation);
                    if let (Pop, Some(value @ ..FILLING)) = (operation, answer) {
                        written[value as usize].with_mut(|_| ());
                    }
                    answer
                };
                history.threads[thread].iter().map(operate).collect::<Vec<_>>()
            }
        };
        let others = (1..history.threads.len()).map(|thread| loom::thread::spawn(run(thread)));
        let others = others.collect::<Vec<_>>();
        let mut outcome = vec![run(0)()];
        outcome.extend(
            others.into_iter().map(|other| other.join().expect("the thread does not panic")),
        );
        outcome.push(remaining(&*queue));
        found.lock().expect("no thread panics").insert(outcome);
    });
    let outcomes = outcomes.lock().expect("no thread panics");
    outcomes.clone()
}

/// Runs each task on a real thread, all at the same time, and returns the results.
fn run_concurrently<T: Send>(
    tasks: impl ExactSizeIterator<Item = impl FnOnce() -> T + Send>,
) -> Vec<T> {
    let (ready, all) = (&AtomicUsize::new(0), tasks.len());
    thread::scope(|scope| {
        let threads = tasks.map(|task| {
            scope.spawn(move || {
                ready.fetch_add(1, Relaxed);
                while ready.load(Relaxed) < all {
                    thread::yield_now();
                }
                task()
            })
        });
        let threads = threads.collect::<Vec<_>>().into_iter();
        threads.map(|thread| thread.join().expect("the thread does not panic")).collect()
    })
}

/// Runs `run` up to 1,000 times, for about a second at most, and returns the results.
fn repeat<T>(run: impl Fn() -> T) -> impl Iterator<Item = T> {
    let begun = Instant::now();
    let has_time = move |&number: &usize| number == 0 || begun.elapsed() < Duration::from_secs(1);
    (0..1_000).take_while(has_time).map(move |_| run())
}

fn outcomes_of_the_real_queue(history: &'static History) -> BTreeSet<Outcome> {
    repeat(|| {
        let queue = &history.prepared::<ArrayQueue<u8>>();
        let mut outcome = run_concurrently(history.threads.iter().map(|operations| {
            move || operations.iter().map(|&operation| apply(queue, operation)).collect()
        }));
        outcome.push(remaining(queue));
        outcome
    })
    .collect()
}

#[test]
fn both_queues_have_the_same_outcomes() {
    for history in &HISTORIES {
        let explained = history.explained();
        let stand_in = outcomes_of_the_stand_in(history);
        assert_eq!(stand_in, explained, "{}", history.name);
        let real = outcomes_of_the_real_queue(history);
        let unexpected = real.difference(&stand_in).collect::<Vec<_>>();
        assert!(unexpected.is_empty(), "{}: {unexpected:?}", history.name);
        let (real, all) = (real.len(), stand_in.len());
        println!("history {}: {all} outcomes, {real} of them of the real queue", history.name);
    }
}

/// A `pop` from an empty queue is a full fence, both in `ArrayQueue` and in its replacement under
/// loom, and can hide missing orderings. If two threads each write a flag, pop, and read the
/// other's flag, at least one sees the other's write.
#[test]
fn empty_pop_is_a_full_fence_in_both_queues() {
    explore("empty_pop_is_a_full_fence_in_both_queues", None, 10, || {
        let queue = loom::sync::Arc::new(StandIn::<u8>::new(2));
        let flags =
            loom::sync::Arc::new([(); 2].map(|()| loom::sync::atomic::AtomicBool::new(false)));
        let run = |mine: usize| {
            let (queue, flags) = (queue.clone(), flags.clone());
            move || {
                flags[mine].store(true, Relaxed);
                assert_eq!(queue.pop(), None);
                flags[1 - mine].load(Relaxed)
            }
        };
        let other = loom::thread::spawn(run(1));
        let seen = [run(0)(), other.join().expect("the thread does not panic")];
        assert!(seen[0] || seen[1], "neither thread saw the other's write");
    });
    let seen = repeat(|| {
        let (queue, flags) = (&ArrayQueue::<u8>::new(2), &[const { AtomicBool::new(false) }; 2]);
        run_concurrently((0..2).map(|mine| {
            move || {
                flags[mine].store(true, Relaxed);
                assert_eq!(queue.pop(), None);
                flags[1 - mine].load(Relaxed)
            }
        }))
    });
    seen.for_each(|seen| assert!(seen[0] || seen[1], "neither thread saw the other's write"));
}

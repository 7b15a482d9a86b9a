//! Stress tests of the exchange, the queue between producer threads and the consumer. They are
//! larger than the loom models, and use real threads and the real queues.
//!
//! `.ci/sanitize` runs them under tools that check memory accesses. Each scenario is repeated for
//! a fraction of a second, or for `FREEWHEEL_STRESS_SECONDS`. Threads share only the exchange
//! while they emit: any other synchronisation would hide orderings that the exchange lacks.

use crate::{Consumer, Counts, Exchange, Settings, Tally, Wake};
use bytes::{Buf, BufMut};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Barrier};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Duration for which each stress scenario is repeated, unless an environment variable sets
/// another.
const DEFAULT_TIME: Duration = Duration::from_millis(250);
/// Maximum time that the flusher thread may sleep while lines wait for it. A longer sleep fails the
/// test as a lost wake-up.
const WATCHDOG: Duration = Duration::from_secs(sized(10, 600) as u64);

/// Returns `under_miri` if the test runs under Miri, which is about a thousand times slower, and
/// `native` otherwise.
const fn sized(native: u32, under_miri: u32) -> u32 {
    if cfg!(miri) { under_miri } else { native }
}

/// Returns a test line with a thread number, an index, and filler text of 0 to 22 characters.
fn text(thread: u32, index: u32) -> String {
    let fill = &"abcdefghijklmnopqrstuv"[..(index % 23) as usize];
    format!("{thread}.{index}.{fill}\n")
}

fn parse(line: &str) -> (u32, u32) {
    let mut fields = line.split('.').map(str::parse);
    let (Some(Ok(thread)), Some(Ok(index))) = (fields.next(), fields.next()) else {
        panic!("torn: {line:?}");
    };
    assert_eq!(line, text(thread, index), "torn");
    (thread, index)
}

/// Emits the lines of one thread with the given indices, and returns their number and total size.
/// The thread waits at the barrier after line 0, so that all threads emit at the same time.
fn emit(exchange: &Exchange, start: &Barrier, thread: u32, indices: Range<u32>) -> Tally {
    sum(indices.map(|index| {
        let line = text(thread, index);
        exchange.push(1, line.as_bytes());
        if index == 0 {
            start.wait();
        } else if index % 64 == 0 {
            thread::yield_now();
        }
        Tally { records: 1, bytes: line.len() as u64 }
    }))
}

fn sum(tallies: impl IntoIterator<Item = Tally>) -> Tally {
    tallies.into_iter().fold(Tally::default(), |sum, one| sum + one)
}

/// Takes all lines that threads have published. The function `share` then picks how many of the
/// unsent bytes are released and returned. The returned bytes may end within a line.
fn sweep_and_consume(
    consumer: &mut Consumer,
    exchange: &Exchange,
    share: impl FnOnce(usize) -> usize,
) -> Vec<u8> {
    consumer.sweep();
    assert!(consumer.runs().all(|run| run.ends_with(b"\n")), "a run ends within a line");
    let swept = consumer.consumed() + consumer.remaining() as u64;
    assert!(swept <= exchange.counts().accepted.bytes, "published before it was counted");
    let mut received = Vec::new();
    let share = share(consumer.remaining());
    received.put((&mut *consumer).take(share));
    consumer.acknowledge(share);
    received
}

fn all(remaining: usize) -> usize {
    remaining
}

/// Returns a function that picks a random number of bytes, from 0 up to its argument.
fn random_share(random: &mut u64) -> impl FnOnce(usize) -> usize {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    let random = (*random >> 33) as usize;
    move |remaining| random % (remaining + 1)
}

fn lines(received: &[u8]) -> impl Iterator<Item = &str> {
    std::str::from_utf8(received).expect("torn").split_inclusive('\n')
}

/// Checks that the received bytes are whole lines, without duplicates and in order for each thread.
/// Returns the number and total size of the lines.
fn check(received: &[u8]) -> Tally {
    let mut next = HashMap::new();
    sum(lines(received).map(|line| {
        let (thread, index) = parse(line);
        let expected = next.insert(thread, index + 1).unwrap_or(0);
        assert!(index >= expected, "thread {thread}: {index} after {}", expected - 1);
        Tally { records: 1, bytes: line.len() as u64 }
    }))
}

/// Checks the exchange's counts after all lines are consumed: the accepted lines are the received
/// lines, and accepted and dropped lines together are the emitted lines. Returns the counts.
fn check_account(exchange: &Exchange, received: &[u8], emitted: Tally) -> Counts {
    let account = exchange.counts();
    assert_eq!(check(received), account.accepted);
    assert_eq!(account.accepted + account.full + account.oversize, emitted);
    account
}

/// Returns the time for which each stress scenario is repeated: the environment variable
/// `FREEWHEEL_STRESS_SECONDS`, or a default.
fn time() -> Duration {
    let set = std::env::var("FREEWHEEL_STRESS_SECONDS").ok();
    let set = set.map(|seconds| seconds.parse().expect("FREEWHEEL_STRESS_SECONDS is a number"));
    set.map_or(DEFAULT_TIME, Duration::from_secs)
}

/// Runs a scenario again and again, for the duration that `time` returns. Each run gets the next
/// number, from 0 on, which it may use as a random seed.
fn repeat(scenario: impl Fn(u64)) {
    let (begun, time) = (Instant::now(), time());
    (0..).take_while(|&round| round == 0 || begun.elapsed() < time).for_each(scenario);
}

pub(crate) fn exchange(block_size: usize, blocks: usize) -> Arc<Exchange> {
    exchange_with(block_size, blocks, 1, Box::new(|| ()))
}

/// Creates an exchange without spare blocks, or with up to 12 of them in every second round.
fn exchange_in(round: u64, block_size: usize, blocks: usize) -> Arc<Exchange> {
    let ring_at = if round.is_multiple_of(2) { 16 } else { 1 };
    exchange_with(block_size, blocks, ring_at, Box::new(|| ()))
}

pub(crate) fn exchange_with(
    block_size: usize,
    blocks: usize,
    ring_at: usize,
    wake: Wake,
) -> Arc<Exchange> {
    let settings = Settings { block_size, blocks, ring_at, max_record: block_size };
    Arc::new(Exchange::new(&settings, wake, process_barrier()))
}

/// Returns a memory barrier that uses `membarrier(2)`, private and expedited. Without this system
/// call (not on Linux, or under Miri), returns an empty barrier.
fn process_barrier() -> crate::Barrier {
    #[cfg(all(target_os = "linux", not(miri)))]
    return crate::Barrier::new(|| {
        use rustix::thread::{MembarrierCommand, membarrier};
        membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
            && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    });
    #[cfg(not(all(target_os = "linux", not(miri))))]
    return crate::Barrier::none();
}

fn consumer(exchange: &Arc<Exchange>) -> Consumer {
    Consumer::claim(exchange).expect("no consumer exists")
}

/// Consumes random amounts of lines while the producer threads run, and all remaining lines after
/// they end. Returns the received bytes, and the number and size of the emitted lines.
fn consume_until_the_end(
    exchange: &Arc<Exchange>,
    random: &mut u64,
    producers: Vec<ScopedJoinHandle<'_, Tally>>,
) -> (Vec<u8>, Tally) {
    let (mut consumer, mut received) = (consumer(exchange), Vec::new());
    while !producers.iter().all(ScopedJoinHandle::is_finished) {
        received.append(&mut sweep_and_consume(&mut consumer, exchange, random_share(random)));
    }
    let emitted = sum(producers.into_iter().map(|producer| producer.join().expect("no panic")));
    received.append(&mut sweep_and_consume(&mut consumer, exchange, all));
    (received, emitted)
}

/// Runs three threads that emit `lines` lines each, while a consumer consumes random amounts of
/// bytes. Checks the received lines and the counts, and returns the counts.
fn churn(exchange: &Arc<Exchange>, mut random: u64, lines: u32) -> Counts {
    let start = &Barrier::new(3);
    thread::scope(|scope| {
        let producer = |thread| scope.spawn(move || emit(exchange, start, thread, 0..lines));
        let producers = (0..3).map(producer).collect();
        let (received, emitted) = consume_until_the_end(exchange, &mut random, producers);
        check_account(exchange, &received, emitted)
    })
}

#[test]
fn lines_are_swept_while_they_are_written() {
    repeat(|round| {
        let account = churn(&exchange_in(round, 1024, 256), round, sized(2_000, 100));
        assert_eq!(account.full + account.oversize, Tally::default(), "all lines fit");
    });
}

/// Checks that accepted lines arrive and dropped lines are counted, while three threads share so
/// few blocks that blocks are reused and lines dropped all the time. Some lines are longer than a
/// block.
#[test]
fn blocks_are_recycled_while_lines_are_dropped() {
    repeat(|round| {
        let account =
            churn(&exchange_in(round, 28, 1 + round as usize % 4), round, sized(1_000, 150));
        assert!(account.full.records > 0 && account.oversize.records > 0);
    });
}

/// Checks that accepted lines arrive once and in order, while many threads start and exit one after
/// the other. Each thread continues in the slot (per-thread state) and the part-filled block of the
/// previous thread.
#[test]
fn threads_come_and_go_while_they_are_swept() {
    const THREADS: u32 = sized(40, 8);
    const LINES: u32 = sized(30, 10);
    repeat(|mut random| {
        let (exchange, alone) = (&exchange_in(random, 100, 8), &Barrier::new(1));
        thread::scope(|scope| {
            let one = |thread| scope.spawn(move || emit(exchange, alone, thread, 0..LINES));
            let in_turn = move |thread| one(thread).join().expect("no panic");
            let sequence = scope.spawn(move || sum((0..THREADS).map(in_turn)));
            let (received, emitted) = consume_until_the_end(exchange, &mut random, vec![sequence]);
            check_account(exchange, &received, emitted);
        });
    });
}

/// Checks that lines are consumed once and in order, while three threads take turns as the
/// consumer. The count of consumed bytes tells the order in which to join the pieces that they
/// received.
#[test]
fn consumers_move_between_threads() {
    const LINES: u32 = sized(1_000, 60);
    repeat(|round| {
        let (exchange, over) = (&exchange_in(round, 64, 8), &AtomicBool::new(false));
        let start = &Barrier::new(2);
        let consume_in_turn = |mut random: u64| {
            let mut pieces = BTreeMap::new();
            while !over.load(Relaxed) {
                if let Some(mut consumer) = Consumer::claim(exchange) {
                    let before = consumer.consumed();
                    let piece =
                        sweep_and_consume(&mut consumer, exchange, random_share(&mut random));
                    pieces.insert((before, before + piece.len() as u64), piece);
                }
                thread::yield_now();
            }
            pieces
        };
        thread::scope(|scope| {
            let flushers = [1, 2, 3].map(|one| scope.spawn(move || consume_in_turn(round + one)));
            let producers =
                [0, 1].map(|one| scope.spawn(move || emit(exchange, start, one, 0..LINES)));
            let emitted = producers.map(|producer| producer.join().expect("no panic"));
            over.store(true, Relaxed);
            let pieces = flushers.map(|flusher| flusher.join().expect("no panic"));
            let pieces = pieces.into_iter().flatten().collect::<BTreeMap<_, _>>();
            let mut received = Vec::new();
            for ((before, _), piece) in pieces {
                assert_eq!(received.len() as u64, before, "consumed twice, or skipped");
                received.extend(piece);
            }
            received.append(&mut sweep_and_consume(&mut consumer(exchange), exchange, all));
            check_account(exchange, &received, sum(emitted));
        });
    });
}

/// Checks that a sweep (the consumer's pass that takes records) takes every line that was emitted
/// before the sweep began, from part-filled and from full blocks.
#[test]
fn sweep_takes_all_lines_emitted_before_it() {
    const LINES: u32 = sized(500, 40);
    repeat(|_| {
        let (exchange, emitted) = (&exchange(100, 256), &AtomicU32::new(0));
        let start = &Barrier::new(2);
        thread::scope(|scope| {
            let emit_and_count = |thread| {
                (0..LINES).for_each(|index| {
                    emit(exchange, start, thread, index..index + 1);
                    emitted.fetch_add(1, Release);
                });
            };
            let producers = [0, 1].map(|thread| scope.spawn(move || emit_and_count(thread)));
            let (mut consumer, mut received, mut before) = (consumer(exchange), 0, 0);
            while before < 2 * LINES {
                before = emitted.load(Acquire);
                received += check(&sweep_and_consume(&mut consumer, exchange, all)).records;
                assert!(received >= u64::from(before), "a line was left behind");
            }
            producers.into_iter().for_each(|producer| producer.join().expect("no panic"));
        });
    });
}

/// Checks that the exchange is freed if a producer thread drops the last reference to it, while the
/// exchange still holds lines that were never consumed.
#[test]
fn producer_thread_can_drop_the_last_handle() {
    const LINES: u32 = sized(300, 50);
    repeat(|mut random| {
        let token = Arc::new(());
        let held = Arc::clone(&token);
        let wake = Box::new(move || assert!(Arc::strong_count(&held) > 1));
        let exchange = exchange_with(64, 8, 1, wake);
        let start = Arc::new(Barrier::new(3));
        let producers = [0, 1, 2].map(|thread| {
            let (exchange, start) = (Arc::clone(&exchange), Arc::clone(&start));
            thread::spawn(move || _ = emit(&exchange, &start, thread, 0..LINES))
        });
        let (mut consumer, mut received) = (consumer(&exchange), Vec::new());
        for _ in 0..random % 8 {
            received.append(&mut sweep_and_consume(
                &mut consumer,
                &exchange,
                random_share(&mut random),
            ));
        }
        drop((exchange, consumer));
        producers.into_iter().for_each(|producer| producer.join().expect("no panic"));
        assert_eq!(Arc::strong_count(&token), 1, "the exchange was not freed");
        let whole = received.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        check(&received[..whole]);
    });
}

/// Checks that no wake-up is lost if the flusher has no timer and parks whenever it may. Producer
/// threads wait after each burst of lines until the flusher has received the first line of the
/// burst.
#[test]
fn no_wake_up_is_lost() {
    /// Number of lines in a burst that a thread emits. A burst is larger than a block, so the block
    /// with its first line is passed to the flusher before the burst ends.
    const BURST: u32 = 8;
    const BURSTS: u32 = sized(10, 3);
    let emit_in_bursts = |exchange: &Exchange, start: &Barrier, thread, received: &AtomicU32| {
        for first in (0..BURSTS).map(|burst| burst * BURST) {
            emit(exchange, start, thread, first..first + BURST);
            let emitted = Instant::now();
            while received.load(Relaxed) <= first {
                assert!(emitted.elapsed() < WATCHDOG, "a wake-up was lost");
                thread::yield_now();
            }
        }
    };
    repeat(|_| {
        let flusher = thread::current();
        let wake = Box::new(move || flusher.unpark());
        let exchange = &exchange_with(28, 32, 1, wake);
        let start = &Barrier::new(2);
        // One more than the last index received of each thread.
        let received = &[const { AtomicU32::new(0) }; 2];
        thread::scope(|scope| {
            let producers = [0, 1].map(|thread| {
                let received = &received[thread as usize];
                scope.spawn(move || emit_in_bursts(exchange, start, thread, received))
            });
            let mut consumer = consumer(exchange);
            let missing = |count: &AtomicU32| count.load(Relaxed) <= (BURSTS - 1) * BURST;
            while received.iter().any(missing) {
                for (thread, index) in
                    lines(&sweep_and_consume(&mut consumer, exchange, all)).map(parse)
                {
                    received[thread as usize].store(index + 1, Relaxed);
                }
                if received.iter().any(missing) && consumer.prepare_park() {
                    let asleep = Instant::now();
                    thread::park_timeout(WATCHDOG);
                    assert!(asleep.elapsed() < WATCHDOG, "a wake-up was lost");
                }
            }
            producers.into_iter().for_each(|producer| producer.join().expect("no panic"));
        });
    });
}

/// Checks that each line wakes a dormant flusher (asleep without a timer). A producer emits each
/// line at about the moment at which the flusher becomes dormant.
///
/// Without `membarrier` the producer's processor may check for dormancy before others see the
/// line. Then one of some fifty thousand lines did not wake the flusher. In a debug build, two
/// seconds found that in every other run. The test takes two processors that are mostly free: with
/// other work on both, twenty seconds found nothing. `FREEWHEEL_STRESS_SECONDS` sets a longer
/// time.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn every_line_wakes_a_dormant_flusher() {
    const AT_LEAST: Duration = Duration::from_secs(2);
    let time = time().max(AT_LEAST);
    let flusher = thread::current();
    let exchange = &exchange_with(1024, 8, 8, Box::new(move || flusher.unpark()));
    let (received, over) = (&AtomicU32::new(0), &AtomicBool::new(false));
    let emit_one_by_one = move || {
        let begun = Instant::now();
        let mut index = 0;
        while begun.elapsed() < time {
            let line = text(0, index);
            exchange.push(1, line.as_bytes());
            index += 1;
            let emitted = Instant::now();
            while received.load(Relaxed) < index {
                assert!(emitted.elapsed() < WATCHDOG, "line {index} did not wake the flusher");
                std::hint::spin_loop();
            }
            // Roughly until the flusher enters dormancy.
            (0..index % 97 * 5).for_each(|step| _ = std::hint::black_box(step));
        }
        over.store(true, Relaxed);
        exchange.push(1, b"0.0.\n");
    };
    thread::scope(|scope| {
        let producer = scope.spawn(emit_one_by_one);
        let (mut consumer, mut slept) = (consumer(exchange), 0);
        while !over.load(Relaxed) {
            let count = lines(&sweep_and_consume(&mut consumer, exchange, all)).count();
            received.fetch_add(count as u32, Relaxed);
            if count == 0 && consumer.try_enter_dormant() {
                slept += 1;
                let asleep = Instant::now();
                thread::park_timeout(WATCHDOG);
                assert!(asleep.elapsed() < WATCHDOG, "a wake-up was lost");
            }
        }
        // ThreadSanitizer sees a join, but not the end of a scope.
        producer.join().unwrap();
        assert!(slept > 0, "never dormant: is there no membarrier?");
    });
}

#[cfg(all(target_os = "linux", not(miri)))]
mod handlers;

//! The hand-off under real threads: what loom proves of small cases, tried on large ones, and
//! with the real queues. The tool that watches memory meanwhile is `.ci/sanitize`.
//!
//! Each scenario is repeated for a fraction of a second, or for as many seconds as
//! `FREEWHEEL_STRESS_SECONDS` says. Threads share nothing but the exchange while they emit:
//! whatever else they synchronised by would hide what the exchange forgets.

use super::{Consumer, EncodeLine, Exchange, MARGIN, ProducerCounts, Tally, WriteOutcome};
use bytes::{Buf, BufMut};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Barrier};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Without the environment's word.
const USUAL_TIME: Duration = Duration::from_millis(250);
/// A flusher that sleeps this long was forgotten.
const WATCHDOG: Duration = Duration::from_secs(sized(10, 600) as u64);

/// Miri is about a thousand times slower.
const fn sized(usual: u32, under_miri: u32) -> u32 {
    if cfg!(miri) { under_miri } else { usual }
}

/// A line that says whose it is and which, in any of 23 lengths.
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

impl EncodeLine for &str {
    fn lines(&self) -> u64 {
        1
    }

    fn write_fast(&self, room: &mut [u8]) -> usize {
        if self.len() + MARGIN > room.len() {
            return 0;
        }
        room[..self.len()].copy_from_slice(self.as_bytes());
        self.len()
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        match self.write_fast(room) {
            0 => WriteOutcome::NoRoom(self.len()),
            bytes => WriteOutcome::Line { bytes, altered: false },
        }
    }
}

/// Emits lines, and says how much that was. The first waits for the others `together`: so they
/// emit at the same time.
fn emit(exchange: &Exchange, together: &Barrier, thread: u32, indices: Range<u32>) -> Tally {
    sum(indices.map(|index| {
        let line = text(thread, index);
        exchange.emit(|| line.as_str());
        if index == 0 {
            together.wait();
        } else if index % 64 == 0 {
            thread::yield_now();
        }
        Tally { lines: 1, bytes: line.len() as u64 }
    }))
}

fn sum(tallies: impl IntoIterator<Item = Tally>) -> Tally {
    tallies.into_iter().fold(Tally::default(), |sum, one| sum + one)
}

/// Sweeps, and consumes as many bytes as `share` picks from what there is: lines are cut.
fn collect(
    consumer: &mut Consumer,
    exchange: &Exchange,
    share: impl FnOnce(usize) -> usize,
) -> Vec<u8> {
    consumer.sweep();
    assert!(consumer.runs().all(|run| run.ends_with(b"\n")), "a run ends within a line");
    let taken = consumer.consumed() + consumer.remaining() as u64;
    assert!(taken <= exchange.producer_counts().accepted.bytes, "published before it was counted");
    let mut received = Vec::new();
    let share = share(consumer.remaining());
    received.put((&mut *consumer).take(share));
    consumer.acknowledge(share);
    received
}

fn all(remaining: usize) -> usize {
    remaining
}

/// Any number of bytes, none and all included.
fn some(random: &mut u64) -> impl FnOnce(usize) -> usize {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    let random = (*random >> 33) as usize;
    move |remaining| random % (remaining + 1)
}

fn lines(received: &[u8]) -> impl Iterator<Item = &str> {
    std::str::from_utf8(received).expect("torn").split_inclusive('\n')
}

/// Checks what arrived: whole lines, each thread's in order and none twice.
fn check(received: &[u8]) -> Tally {
    let mut next = HashMap::new();
    sum(lines(received).map(|line| {
        let (thread, index) = parse(line);
        let least = next.insert(thread, index + 1).unwrap_or(0);
        assert!(index >= least, "thread {thread}: {index} after {}", least - 1);
        Tally { lines: 1, bytes: line.len() as u64 }
    }))
}

/// Checks the account, when all was collected: what was accepted arrived, and what was not is
/// counted.
fn acknowledge(exchange: &Exchange, received: &[u8], emitted: Tally) -> ProducerCounts {
    let account = exchange.producer_counts();
    assert_eq!(check(received), account.accepted);
    assert_eq!(account.accepted + account.full + account.oversize, emitted);
    account
}

/// How long a scenario is repeated.
fn time() -> Duration {
    let told = std::env::var("FREEWHEEL_STRESS_SECONDS").ok();
    let told = told.map(|seconds| seconds.parse().expect("FREEWHEEL_STRESS_SECONDS: a number"));
    told.map_or(USUAL_TIME, Duration::from_secs)
}

/// Repeats a scenario with other numbers until its time is over.
fn repeat(scenario: impl Fn(u64)) {
    let (begun, time) = (Instant::now(), time());
    (0..).take_while(|&round| round == 0 || begun.elapsed() < time).for_each(scenario);
}

fn exchange(block_size: usize, blocks: usize) -> Arc<Exchange> {
    Arc::new(Exchange::new(block_size, blocks, 1, Box::new(|| ())))
}

fn consumer(exchange: &Arc<Exchange>) -> Consumer {
    Exchange::consumer(exchange).expect("nobody has it")
}

/// Collects part after part while the emitters are at work, and then the rest.
fn collect_until_the_end(
    exchange: &Arc<Exchange>,
    random: &mut u64,
    emitters: Vec<ScopedJoinHandle<'_, Tally>>,
) -> (Vec<u8>, Tally) {
    let (mut consumer, mut received) = (consumer(exchange), Vec::new());
    while !emitters.iter().all(ScopedJoinHandle::is_finished) {
        received.append(&mut collect(&mut consumer, exchange, some(random)));
    }
    let emitted = sum(emitters.into_iter().map(|emitter| emitter.join().expect("no panic")));
    received.append(&mut collect(&mut consumer, exchange, all));
    (received, emitted)
}

/// Three threads emit so many lines each while they are collected part by part.
fn churn(exchange: &Arc<Exchange>, mut random: u64, lines: u32) -> ProducerCounts {
    let together = &Barrier::new(3);
    thread::scope(|scope| {
        let emitter = |thread| scope.spawn(move || emit(exchange, together, thread, 0..lines));
        let emitters = (0..3).map(emitter).collect();
        let (received, emitted) = collect_until_the_end(exchange, &mut random, emitters);
        acknowledge(exchange, &received, emitted)
    })
}

#[test]
fn lines_are_swept_while_they_are_written() {
    repeat(|round| {
        let account = churn(&exchange(1024, 256), round, sized(2_000, 100));
        assert_eq!(account.full + account.oversize, Tally::default(), "there was room for all");
    });
}

/// So little room that blocks are recycled and lines dropped all the time; and some lines are
/// longer than a block.
#[test]
fn blocks_are_recycled_and_lines_dropped_all_the_time() {
    repeat(|round| {
        let account = churn(&exchange(28, 1 + round as usize % 4), round, sized(1_000, 150));
        assert!(account.full.lines > 0 && account.oversize.lines > 0);
    });
}

/// A thread that ends leaves its place, with a part-filled block, to the next.
#[test]
fn threads_come_and_go_while_they_are_swept() {
    const THREADS: u32 = sized(40, 8);
    const LINES: u32 = sized(30, 10);
    repeat(|mut random| {
        let (exchange, alone) = (&exchange(100, 8), &Barrier::new(1));
        thread::scope(|scope| {
            let one = |thread| scope.spawn(move || emit(exchange, alone, thread, 0..LINES));
            let in_turn = move |thread| one(thread).join().expect("no panic");
            let family = scope.spawn(move || sum((0..THREADS).map(in_turn)));
            let (received, emitted) = collect_until_the_end(exchange, &mut random, vec![family]);
            acknowledge(exchange, &received, emitted);
        });
    });
}

/// Threads that each take the consumer when it is there, and give it back. What they got is
/// put in order by what had been consumed before, so that nothing else need order them.
#[test]
fn collectors_pass_from_thread_to_thread() {
    const LINES: u32 = sized(1_000, 60);
    repeat(|round| {
        let (exchange, over) = (&exchange(64, 8), &AtomicBool::new(false));
        let together = &Barrier::new(2);
        let collect_in_turn = |mut random: u64| {
            let mut pieces = BTreeMap::new();
            while !over.load(Relaxed) {
                if let Some(mut consumer) = Exchange::consumer(exchange) {
                    let before = consumer.consumed();
                    let piece = collect(&mut consumer, exchange, some(&mut random));
                    pieces.insert((before, before + piece.len() as u64), piece);
                }
                thread::yield_now();
            }
            pieces
        };
        thread::scope(|scope| {
            let flushers = [1, 2, 3].map(|one| scope.spawn(move || collect_in_turn(round + one)));
            let emitters =
                [0, 1].map(|one| scope.spawn(move || emit(exchange, together, one, 0..LINES)));
            let emitted = emitters.map(|emitter| emitter.join().expect("no panic"));
            over.store(true, Relaxed);
            let pieces = flushers.map(|flusher| flusher.join().expect("no panic"));
            let pieces = pieces.into_iter().flatten().collect::<BTreeMap<_, _>>();
            let mut received = Vec::new();
            for ((before, _), piece) in pieces {
                assert_eq!(received.len() as u64, before, "consumed twice, or by nobody");
                received.extend(piece);
            }
            received.append(&mut collect(&mut consumer(exchange), exchange, all));
            acknowledge(exchange, &received, sum(emitted));
        });
    });
}

/// What a thread emitted before a sweep began is taken by that sweep, wherever it lies.
#[test]
fn a_sweep_takes_all_that_was_emitted_before() {
    const LINES: u32 = sized(500, 40);
    repeat(|_| {
        let (exchange, emitted) = (&exchange(100, 256), &AtomicU32::new(0));
        let together = &Barrier::new(2);
        thread::scope(|scope| {
            let emit_and_tell = |thread| {
                (0..LINES).for_each(|index| {
                    emit(exchange, together, thread, index..index + 1);
                    emitted.fetch_add(1, Release);
                });
            };
            let emitters = [0, 1].map(|thread| scope.spawn(move || emit_and_tell(thread)));
            let (mut consumer, mut received, mut before) = (consumer(exchange), 0, 0);
            while before < 2 * LINES {
                before = emitted.load(Acquire);
                received += check(&collect(&mut consumer, exchange, all)).lines;
                assert!(received >= u64::from(before), "a line was left behind");
            }
            emitters.into_iter().for_each(|emitter| emitter.join().expect("no panic"));
        });
    });
}

/// The last handle goes with a thread that emitted until then: the exchange is freed there,
/// once, with lines that nobody collected.
#[test]
fn the_last_handle_is_dropped_by_an_emitting_thread() {
    const LINES: u32 = sized(300, 50);
    repeat(|mut random| {
        let kept = Arc::new(());
        let keeps = Arc::clone(&kept);
        let wake = Box::new(move || assert!(Arc::strong_count(&keeps) > 1));
        let exchange = Arc::new(Exchange::new(64, 8, 1, wake));
        let together = Arc::new(Barrier::new(3));
        let emitters = [0, 1, 2].map(|thread| {
            let (exchange, together) = (Arc::clone(&exchange), Arc::clone(&together));
            thread::spawn(move || _ = emit(&exchange, &together, thread, 0..LINES))
        });
        let (mut consumer, mut received) = (consumer(&exchange), Vec::new());
        for _ in 0..random % 8 {
            received.append(&mut collect(&mut consumer, &exchange, some(&mut random)));
        }
        drop((exchange, consumer));
        emitters.into_iter().for_each(|emitter| emitter.join().expect("no panic"));
        assert_eq!(Arc::strong_count(&kept), 1, "the exchange was not freed");
        let whole = received.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        check(&received[..whole]);
    });
}

/// A flusher without a tick, which sleeps whenever it may. Threads wait until it has what they
/// sealed: a wake-up that is lost leaves both sides waiting, with nobody to ring again.
#[test]
fn no_wake_up_is_lost() {
    /// More lines than a block holds: the first is sealed when the last is emitted.
    const BURST: u32 = 8;
    const BURSTS: u32 = sized(10, 3);
    let emit_in_bursts = |exchange: &Exchange, together: &Barrier, thread, received: &AtomicU32| {
        for first in (0..BURSTS).map(|burst| burst * BURST) {
            emit(exchange, together, thread, first..first + BURST);
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
        let exchange = &Arc::new(Exchange::new(28, 32, 1, wake));
        let together = &Barrier::new(2);
        // One more than the last index of each.
        let received = &[const { AtomicU32::new(0) }; 2];
        thread::scope(|scope| {
            let emitters = [0, 1].map(|thread| {
                let received = &received[thread as usize];
                scope.spawn(move || emit_in_bursts(exchange, together, thread, received))
            });
            let mut consumer = consumer(exchange);
            let missing = |count: &AtomicU32| count.load(Relaxed) <= (BURSTS - 1) * BURST;
            while received.iter().any(missing) {
                for (thread, index) in lines(&collect(&mut consumer, exchange, all)).map(parse) {
                    received[thread as usize].store(index + 1, Relaxed);
                }
                if received.iter().any(missing) && consumer.prepare_park() {
                    let asleep = Instant::now();
                    thread::park_timeout(WATCHDOG);
                    assert!(asleep.elapsed() < WATCHDOG, "a wake-up was lost");
                }
            }
            emitters.into_iter().for_each(|emitter| emitter.join().expect("no panic"));
        });
    });
}

/// A flusher that lies down as soon as it finds nothing, and a caller whose every line comes at
/// about that moment: each must wake it. Without `membarrier` a caller's processor may look whether
/// the flusher is dormant before others see its line, and one of some fifty thousand lines was
/// slept through: the usual two seconds found that in every other run, in a debug build. It takes two
/// processors that are mostly free: beside work for both, twenty seconds found nothing. For longer:
/// `FREEWHEEL_STRESS_SECONDS`.
#[cfg(all(target_os = "linux", feature = "tokio", not(miri)))]
#[test]
fn every_line_wakes_the_dormant() {
    const AT_LEAST: Duration = Duration::from_secs(2);
    let time = time().max(AT_LEAST);
    let flusher = thread::current();
    let exchange = &Arc::new(Exchange::new(1024, 8, 8, Box::new(move || flusher.unpark())));
    let (received, over) = (&AtomicU32::new(0), &AtomicBool::new(false));
    let emit_one_by_one = move || {
        let begun = Instant::now();
        let mut index = 0;
        while begun.elapsed() < time {
            let line = text(0, index);
            exchange.emit(|| line.as_str());
            index += 1;
            let emitted = Instant::now();
            while received.load(Relaxed) < index {
                assert!(emitted.elapsed() < WATCHDOG, "line {index} did not wake the flusher");
                std::hint::spin_loop();
            }
            // Until the flusher is about to lie down, more or less.
            (0..index % 97 * 5).for_each(|step| _ = std::hint::black_box(step));
        }
        over.store(true, Relaxed);
        exchange.emit(|| "0.0.\n");
    };
    thread::scope(|scope| {
        scope.spawn(emit_one_by_one);
        let (mut consumer, mut slept) = (consumer(exchange), 0);
        while !over.load(Relaxed) {
            let count = lines(&collect(&mut consumer, exchange, all)).count();
            received.fetch_add(count as u32, Relaxed);
            if count == 0 && consumer.try_enter_dormant() {
                slept += 1;
                let asleep = Instant::now();
                thread::park_timeout(WATCHDOG);
                assert!(asleep.elapsed() < WATCHDOG, "a wake-up was lost");
            }
        }
        assert!(slept > 0, "it never lay down: is there no membarrier?");
    });
}

#[cfg(all(target_os = "linux", not(miri)))]
mod handlers {
    #![allow(unsafe_code)]

    use super::*;
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicU64;

    static EXCHANGE: OnceLock<Arc<Exchange>> = OnceLock::new();
    static HANDLED: AtomicU64 = AtomicU64::new(0);

    extern "C" fn emit_both(_signal: libc::c_int) {
        if let Some(exchange) = EXCHANGE.get() {
            exchange.emit(|| "0.0.\n");
            exchange.emit_ordered(|| "0.0.\n");
            HANDLED.fetch_add(2, Relaxed);
        }
    }

    fn handed_over(exchange: &Exchange) -> u64 {
        let ProducerCounts { accepted, full, reentrant, .. } = exchange.producer_counts();
        accepted.lines + full.lines + reentrant.lines
    }

    /// Signals interrupt the flusher all the time, and their handler emits on its thread: while that is
    /// in the midst of a queue, the handler waits for nothing there.
    #[test]
    fn a_handler_on_the_flushers_thread_waits_for_nothing() {
        const TIME: Duration = Duration::from_secs(2);
        // BlockPool of one line.
        let exchange = EXCHANGE.get_or_init(|| super::exchange(8, 4));
        // SAFETY: tells of this thread, which outlives the one that asks.
        let flusher = unsafe { libc::pthread_self() };
        // SAFETY: the handler lives as long as the process; nobody else has this signal.
        unsafe { libc::signal(libc::SIGUSR2, emit_both as *const () as libc::sighandler_t) };
        emit_both(0);
        let (sweeps, over) = (&AtomicU64::new(0), &AtomicBool::new(false));
        thread::scope(|scope| {
            let signals = scope.spawn(move || {
                let mut last = (0, Instant::now());
                while !over.load(Relaxed) {
                    // SAFETY: that thread waits for this one.
                    unsafe { libc::pthread_kill(flusher, libc::SIGUSR2) };
                    (0..200).for_each(|step| _ = std::hint::black_box(step));
                    let now = sweeps.load(Relaxed);
                    if now != last.0 {
                        last = (now, Instant::now());
                    } else if last.1.elapsed() > WATCHDOG {
                        eprintln!("the flusher waits for itself");
                        std::process::abort();
                    }
                }
            });
            let (mut consumer, mut received) = (consumer(exchange), 0);
            let begun = Instant::now();
            // On a busy machine it takes longer until one comes in the midst of a queue.
            let is_over = |emitted: ProducerCounts| {
                begun.elapsed() > WATCHDOG || emitted.reentrant.lines > 0 && begun.elapsed() > TIME
            };
            while !is_over(exchange.producer_counts()) {
                received += lines(&collect(&mut consumer, exchange, all)).count() as u64;
                sweeps.fetch_add(1, Relaxed);
            }
            over.store(true, Relaxed);
            signals.join().expect("no panic");
            // The last one has come by now: it was sent to this thread.
            assert_eq!(HANDLED.load(Relaxed), handed_over(exchange));
            // Records wait for blocks, which are given back by what was collected before.
            loop {
                let more = lines(&collect(&mut consumer, exchange, all)).count() as u64;
                received += more;
                if more == 0 {
                    break;
                }
            }
            let emitted = exchange.producer_counts();
            assert!(emitted.reentrant.lines > 0, "it never came in the midst of a queue");
            assert_eq!(received, emitted.accepted.lines);
        });
    }
}

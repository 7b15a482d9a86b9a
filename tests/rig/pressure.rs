//! Tests of servers that are slower than the producers: memory stays within its bound, dropped
//! lines are counted, and no line is dropped once the server keeps up.

use crate::process::in_own_process;
use crate::support::{
    Arrivals, Listener, TcpReceiver, assert_balanced, emit_all, eventually, flush, numbered,
    numbered_name, started, tcp,
};
use freewheel::Connector;
use std::fs;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Default capacity of a connector's queue in bytes.
const CAPACITY: u64 = 4 << 20;

/// Default capacity in bytes of the ordered queue (which holds gauges), in addition to `CAPACITY`.
const ORDERED_CAPACITY: u64 = 1 << 20;

/// Memory in bytes that each producer thread can use beyond the queue capacity: a block of lines
/// and its counters.
const BLOCK_BYTES: u64 = (16 << 10) + 256;

/// Memory in bytes that the tests allow for threads, the test harness and the received lines.
const SLACK_BYTES: u64 = 2 << 20;

/// Returns the resident memory of this process in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// Memory stays within the queue capacity while a server reads nothing and producers emit fifty
/// times the capacity. Once the server reads, no further line is dropped.
#[test]
fn stalled_server_keeps_memory_within_the_capacity() {
    in_own_process(|| {
        let server = TcpReceiver::start();
        server.stall();
        let statsd = started(tcp(server.port()));
        eventually("the client connects", || statsd.connected());
        let before = resident();
        thread::scope(|scope| {
            for thread in 0..4 {
                let statsd = &statsd;
                scope.spawn(move || emit_all(statsd, thread, 0..250_000));
            }
        });
        let growth = resident() - before;
        assert!(
            growth <= CAPACITY + ORDERED_CAPACITY + 4 * BLOCK_BYTES + SLACK_BYTES,
            "memory grew by {growth} bytes"
        );
        let stats = statsd.stats();
        assert!(stats.drops.full.bytes > 40 * CAPACITY, "{stats}");
        assert!(stats.buffered.bytes > CAPACITY / 2, "{stats}");
        assert_balanced(&stats);

        server.resume_reading();
        flush(&statsd);
        emit_all(&statsd, 4, 0..1_000);
        flush(&statsd);
        let stats = statsd.stats();
        server.wait_for_lines(stats.sent.lines);
        let arrivals = Arrivals::of(&server.lines());
        arrivals.assert_agree_with(&stats);
        assert_eq!(arrivals.numbers(4), Vec::from_iter(0..1_000));
        assert_eq!(stats.emitted, stats.sent + stats.drops.full);
    });
}

/// A server reads all the time, but more slowly than the producer emits. The lines that it receives
/// arrive in order, and the others are counted as dropped.
#[test]
fn slow_server_gets_lines_in_order_and_drops_are_counted() {
    let server = Listener::tcp(0);
    let statsd = started(tcp(server.port()).queue_capacity(64 << 10));
    let mut peer = server.accept();
    let reading = thread::spawn(move || {
        let mut text = peer.read_slowly(200 << 10, Duration::from_millis(1));
        text.append(&mut peer.read_to_end());
        text
    });
    for round in 0..200 {
        emit_all(&statsd, 0, round * 100..(round + 1) * 100);
        thread::sleep(Duration::from_millis(1));
    }
    flush(&statsd);
    let dropped = statsd.stats().drops.full;
    for round in 0..100 {
        emit_all(&statsd, 1, round * 10..(round + 1) * 10);
        flush(&statsd);
    }
    let stats = statsd.blocking_stop().stats;
    let arrivals = Arrivals::of_stream(&reading.join().unwrap());
    arrivals.assert_agree_with(&stats);
    assert!(dropped.lines > 1_000, "{stats}");
    // The last 1,000 lines were not dropped.
    assert_eq!((stats.drops.full, arrivals.numbers(1).len()), (dropped, 1_000));
}

/// Emits bursts of 1,000 numbered lines with a rest of 14 ms after each, for `time`: some 45,000
/// lines a second without optimisation, which the server can read. The line numbers begin with `next`.
///
/// Measures the duration of a call and the resident memory at each burst.
///
/// Returns the nanoseconds that a call took, as the median of the bursts, and the minimum and
/// maximum resident memory.
fn emit_steadily(statsd: &Connector, next: &mut u64, time: Duration) -> (u128, (u64, u64)) {
    let (mut costs, mut memory) = (Vec::new(), (u64::MAX, 0));
    let end = Instant::now() + time;
    while Instant::now() < end {
        let names = Vec::from_iter((*next..*next + 1_000).map(|number| numbered_name(0, number)));
        *next += 1_000;
        let start = Instant::now();
        names.iter().for_each(|name| statsd.incr(name));
        costs.push(start.elapsed().as_nanos() / 1_000);
        let now = resident();
        memory = (memory.0.min(now), memory.1.max(now));
        thread::sleep(Duration::from_millis(14));
    }
    costs.sort_unstable();
    (costs[costs.len() / 2], memory)
}

/// A server is slower than the producer for `FREEWHEEL_PRESSURE_SECONDS` seconds. Memory does not
/// grow, and lines that find no room are counted as dropped. Dropping ends once the server is fast
/// again.
#[test]
fn long_back_pressure_does_not_grow_memory() {
    let seconds =
        std::env::var("FREEWHEEL_PRESSURE_SECONDS").map_or(3, |text| text.parse().unwrap());
    in_own_process(|| {
        let server = Listener::tcp(0);
        let statsd = started(tcp(server.port()));
        let mut peer = server.accept();
        let slow = AtomicBool::new(false);
        thread::scope(|scope| {
            // The server keeps no bytes, so that memory growth is due to the connector.
            let reading = scope.spawn(|| {
                let (mut rest, mut lines, mut latest) = (Vec::new(), 0, None);
                loop {
                    let slow = slow.load(Ordering::Relaxed);
                    let bytes = peer.read_some(if slow { 1 << 10 } else { 64 << 10 });
                    if bytes.is_empty() {
                        assert!(rest.is_empty(), "the last line is torn");
                        return lines;
                    }
                    rest.extend(bytes);
                    let whole = rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
                    for line in std::str::from_utf8(&rest[..whole]).unwrap().lines() {
                        let number = Some(numbered(line).1);
                        assert!(number > latest, "{number:?} after {latest:?}");
                        (lines, latest) = (lines + 1, number);
                    }
                    rest.drain(..whole);
                    if slow {
                        thread::sleep(Duration::from_millis(5));
                    }
                }
            });
            let mut next = 0;
            let (flowing, _) = emit_steadily(&statsd, &mut next, Duration::from_secs(1));
            assert_eq!(statsd.stats().drops.full.lines, 0);

            slow.store(true, Ordering::Relaxed);
            eventually("the queue is full", || {
                emit_steadily(&statsd, &mut next, Duration::from_millis(100));
                statsd.stats().drops.full.lines > 0
            });
            let before = resident();
            let (full, (min, max)) =
                emit_steadily(&statsd, &mut next, Duration::from_secs(seconds));
            let stats = statsd.stats();
            println!("a call: {flowing} ns while lines flow, {full} ns while they find no room");
            println!("resident for {seconds} s: {min} to {max} bytes; {stats}");
            assert!(max <= before + (1 << 20), "{before} bytes, then {max}");
            // The server reads some 200 kB a second of the 10 MB emitted.
            assert!(stats.drops.full.lines > seconds * 10_000, "{stats}");
            assert_balanced(&stats);

            slow.store(false, Ordering::Relaxed);
            flush(&statsd);
            let dropped = statsd.stats().drops;
            emit_steadily(&statsd, &mut next, Duration::from_secs(1));
            flush(&statsd);
            let stats = statsd.blocking_stop().stats;
            assert_eq!((stats.drops, stats.emitted.lines), (dropped, next));
            assert_eq!(reading.join().unwrap(), stats.sent.lines);
        });
    });
}

/// A thousand idle threads that emitted one line each leave the whole queue capacity to a busy
/// thread.
#[test]
fn idle_threads_do_not_starve_a_busy_one() {
    const IDLE: u64 = 1_000;
    in_own_process(|| {
        let server = Listener::tcp(0);
        let statsd = tcp(server.port()).build().unwrap();
        let before = resident();
        let (emitted, finished) =
            (Barrier::new(IDLE as usize + 1), Barrier::new(IDLE as usize + 1));
        let mut measured = (statsd.stats(), 0);
        thread::scope(|scope| {
            for thread in 1..=IDLE {
                let (statsd, emitted, finished) = (&statsd, &emitted, &finished);
                let idle = move || {
                    emit_all(statsd, thread, 0..1);
                    emitted.wait();
                    finished.wait();
                };
                thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, idle).unwrap();
            }
            emitted.wait();
            emit_all(&statsd, 0, 0..100_000);
            measured = (statsd.stats(), resident() - before);
            finished.wait();
        });
        let (stats, growth) = measured;
        // Lines are not split across blocks, so the end of each block stays unused.
        assert!(stats.buffered.bytes > CAPACITY - CAPACITY / 32, "{stats:?}");
        // The allowance for each thread is for its stack and the allocator. A second block for each
        // thread would exceed it.
        assert!(
            growth <= CAPACITY + ORDERED_CAPACITY + IDLE * (BLOCK_BYTES + (48 << 10)) + SLACK_BYTES,
            "memory grew by {growth} bytes"
        );
        statsd.start_on_thread().unwrap();
        let peer = server.accept();
        let reading = thread::spawn(|| peer.read_to_end());
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        let arrivals = Arrivals::of_stream(&reading.join().unwrap());
        arrivals.assert_agree_with(&stats);
        assert!((1..=IDLE).all(|thread| arrivals.missing(thread, 1) == 0));
    });
}

/// Thousands of threads start, emit and exit. All their lines arrive, and later threads reuse the
/// memory of earlier ones.
#[test]
fn short_lived_threads_leak_no_memory() {
    const AT_ONCE: u64 = 20;
    in_own_process(|| {
        let server = Listener::tcp(0);
        let statsd = started(tcp(server.port()));
        let peer = server.accept();
        let reading = thread::spawn(|| peer.read_to_end());
        let mut before = None;
        for wave in 0..250 {
            thread::scope(|scope| {
                for thread in 0..AT_ONCE {
                    let statsd = &statsd;
                    // This process keeps the bytes that arrive, so each thread emits only a few.
                    scope.spawn(move || emit_all(statsd, wave * AT_ONCE + thread, 0..2));
                }
            });
            flush(&statsd);
            if wave == 10 {
                before = Some(resident());
            }
        }
        let growth = resident().saturating_sub(before.unwrap());
        // 5,000 leaked blocks would be 80 MiB.
        assert!(growth <= 8 << 20, "memory grew by {growth} bytes");
        let stats = statsd.blocking_stop().stats;
        let arrivals = Arrivals::of_stream(&reading.join().unwrap());
        arrivals.assert_agree_with(&stats);
        assert_eq!(stats.sent.lines, 250 * AT_ONCE * 2);
    });
}

/// Hundreds of connections that end and are replaced leak neither memory nor file descriptors.
#[test]
fn reconnects_leak_no_memory_or_descriptors() {
    let sockets = || fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    in_own_process(move || {
        let server = Listener::tcp(0);
        let statsd = started(tcp(server.port()).reconnect_sleep(Duration::from_millis(1)));
        let mut before = (0, 0);
        for connection in 0..300 {
            let peer = server.accept();
            if connection == 50 {
                before = (resident(), sockets());
            }
            emit_all(&statsd, 0, connection * 10..(connection + 1) * 10);
            peer.reset();
        }
        let (_last, growth) = (server.accept(), resident().saturating_sub(before.0));
        assert!(growth <= SLACK_BYTES, "memory grew by {growth} bytes");
        assert!(sockets() <= before.1 + 3, "{} descriptors, then {}", before.1, sockets());
    });
}

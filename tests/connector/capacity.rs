//! Tests of a full queue: new lines are dropped or old ones are evicted, and all of these are
//! counted.

#[cfg(target_os = "linux")]
use crate::support::Listener;
use crate::support::{
    Close, TcpReceiver, assert_balanced, assert_whole_and_in_order, emit_numbered, eventually,
    flush, numbers_by_thread, started, tcp, udp, unused_port,
};
use freewheel::{Tally, WhenFull};
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

const LINES: u64 = 20_000;

/// Emits 20,000 lines that carry the number `thread` and a line number, slowly enough for the
/// flusher to evict old lines from a full queue. Returns the number of emitted lines and bytes.
fn emit(statsd: &freewheel::Connector, thread: u64) -> Tally {
    let mut emitted = Tally::default();
    for number in 0..LINES {
        if number % 50 == 0 {
            thread::sleep(Duration::from_micros(500));
        }
        emitted += emit_numbered(statsd, thread, number);
    }
    emitted
}

/// A connector drops the newest or the oldest lines, as configured, when its queue is full because
/// no server listens. It counts them, and sends the remaining lines in order to a later server.
#[test]
fn the_newest_or_the_oldest_are_dropped() {
    for when_full in [WhenFull::DropNewest, WhenFull::DropOldest] {
        let port = unused_port();
        let statsd = started(tcp(port).queue_capacity(256 << 10).when_full(when_full));
        let emitted = emit(&statsd, 0);
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        assert_eq!(stats.emitted, emitted);
        assert_balanced(&stats);
        receiver.wait_for_end();
        let received = receiver.kill();
        assert_eq!(received.len() as u64, stats.sent.lines);
        assert_whole_and_in_order(&received);
        let numbers = &numbers_by_thread(&received)[&0];
        let (first, last) = (numbers[0], *numbers.last().unwrap());
        let (full, evicted) = (stats.drops.full.lines, stats.losses.evicted.lines);
        match when_full {
            WhenFull::DropOldest => {
                assert_eq!(last, LINES - 1, "{stats:?}");
                assert!(first > LINES / 2 && evicted > LINES / 2, "{stats:?}");
            }
            _ => {
                assert_eq!((first, evicted), (0, 0), "{stats:?}");
                assert!(full > LINES / 2, "{stats:?}");
            }
        }
    }
}

/// A connector with a queue capacity of 2 to 4 KiB evicts no line before it has used 70 % of this
/// capacity.
#[test]
fn little_room_is_used_before_the_oldest_go() {
    for capacity in [2 << 10, 3 << 10, 4 << 10] {
        let settings = tcp(unused_port()).queue_capacity(capacity).when_full(WhenFull::DropOldest);
        let statsd = started(settings);
        while statsd.stats().losses.evicted.lines == 0 {
            emit_numbered(&statsd, 0, 0);
            // Lets the flusher sweep and evict.
            thread::sleep(Duration::from_millis(1));
        }
        let stats = statsd.stats();
        assert!(stats.emitted.bytes * 10 > capacity as u64 * 7, "{capacity}: {stats:?}");
        assert_eq!(stats.drops.full.lines, 0);
    }
}

/// A TCP server stalls while written lines are unacknowledged. The full queue evicts later lines
/// but not these. Once the server reads again, it receives these and the newest lines.
#[test]
fn lines_in_flight_are_not_evicted() {
    let receiver = TcpReceiver::start();
    receiver.stall();
    let settings = tcp(receiver.port()).queue_capacity(8 << 20);
    let statsd = started(settings.when_full(WhenFull::DropOldest));
    let mut emitted = emit(&statsd, 0);
    for thread in 1..4 {
        emitted += emit(&statsd, thread);
    }
    assert!(statsd.stats().losses.evicted.lines > LINES / 2, "{:?}", statsd.stats());
    receiver.resume_reading();
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.emitted, emitted);
    assert_balanced(&stats);
    receiver.wait_for_end();
    let received = receiver.kill();
    assert_eq!(received.len() as u64, stats.sent.lines);
    assert_whole_and_in_order(&received);
    let threads = numbers_by_thread(&received);
    assert_eq!((threads[&0][0], *threads[&3].last().unwrap()), (0, LINES - 1));
}

/// The flusher evicts old lines from a queue that was full before the flusher started, while a
/// server reads nothing or refuses datagrams. Producer threads do not wake the flusher, because
/// they find no free block of memory to fill.
#[test]
fn full_capacity_before_a_start_is_evicted() {
    let receiver = TcpReceiver::start();
    receiver.stall();
    // This exceeds what the operating system buffers for a server that does not read.
    let stalled = tcp(receiver.port()).queue_capacity(16 << 20);
    let refused = udp(unused_port()).queue_capacity(64 << 10);
    for settings in [stalled, refused] {
        let settings = settings.when_full(WhenFull::DropOldest);
        let statsd = settings.stop_timeout(Duration::from_millis(10)).build().unwrap();
        let name = "old".repeat(100);
        while statsd.stats().drops.full.lines == 0 {
            statsd.incr(&name);
        }
        statsd.start_on_thread().unwrap();
        eventually("lines are evicted", || {
            statsd.incr("new");
            statsd.stats().losses.evicted.lines > 0
        });
        assert_balanced(&statsd.blocking_stop().stats);
    }
}

/// A server resets the connection while unacknowledged lines use the whole queue capacity, and no
/// longer listens. The connector requeues these lines, and evicts the oldest of them before the
/// next connection attempt.
#[test]
#[cfg(target_os = "linux")]
fn requeued_lines_are_evicted_when_the_server_goes() {
    let server = Listener::tcp(0);
    // This is less than the operating system buffers for a server that does not read.
    let settings = tcp(server.port()).queue_capacity(128 << 10).when_full(WhenFull::DropOldest);
    let settings = settings.reconnect_sleep(Duration::from_secs(24 * 60 * 60));
    let statsd = started(settings.stop_timeout(Duration::from_millis(10)));
    let peer = server.accept();
    eventually("the whole capacity is in flight", || {
        for number in 0..1_000 {
            emit_numbered(&statsd, 0, number);
        }
        let before = statsd.stats();
        thread::sleep(Duration::from_millis(50));
        statsd.incr("new");
        let stats = statsd.stats();
        let dropped = stats.drops.full.lines == before.drops.full.lines + 1;
        dropped && (stats.sent, stats.losses) == (before.sent, before.losses)
    });
    drop(server);
    let before = statsd.stats();
    peer.reset();
    eventually("lines are evicted", || statsd.stats().losses.evicted != before.losses.evicted);
    statsd.incr("new");
    let stats = statsd.blocking_stop().stats;
    assert_eq!((stats.drops, stats.connections), (before.drops, 1));
    assert_balanced(&stats);
}

/// Four threads emit to a small queue while no server listens. Old lines of any thread are evicted,
/// and a later server receives the other lines in order.
#[test]
fn threads_of_all_sorts_make_room_for_each_other() {
    for capacity in [1 << 10, 64 << 10] {
        let port = unused_port();
        let settings = udp(port).queue_capacity(capacity).when_full(WhenFull::DropOldest);
        let statsd = started(settings);
        let emitted = thread::scope(|scope| {
            let emit = |thread| {
                scope.spawn({
                    let statsd = &statsd;
                    move || emit(statsd, thread)
                })
            };
            let threads: Vec<_> = (0..4).map(emit).collect();
            threads.into_iter().fold(Tally::default(), |sum, each| sum + each.join().unwrap())
        });
        let stats = statsd.stats();
        assert_eq!(stats.emitted, emitted);
        assert!(stats.losses.evicted.lines > 1_000, "{stats:?}");
        let receiver = crate::support::UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        assert_balanced(&stats);
        assert_eq!(stats.buffered, Tally::default());
        assert_whole_and_in_order(&receiver.lines(stats.sent.lines));
    }
}

/// Gauge lines that are too long for a slot of the ordered queue (which keeps gauges in order
/// across threads) are stored on the heap. They count against the queue capacity.
#[test]
fn long_gauges_are_within_the_capacity() {
    for capacity in [1 << 10, 64 << 10, 1 << 20] {
        let receiver = crate::support::UdpReceiver::start();
        let statsd = udp(receiver.port()).queue_capacity(capacity).build().unwrap();
        let long = (capacity / 5).clamp(1 << 10, 16 << 10) - 100;
        let name = "n".repeat(long.min(8_000));
        for level in 0..2_000 {
            statsd.gauge(&name, level);
        }
        let stats = statsd.stats();
        assert_balanced(&stats);
        // Beyond the capacity there are at most the first block of this thread, the first block of
        // the ordered queue, and one long line.
        let most = capacity + 3 * (capacity / 5).clamp(1 << 10, 16 << 10);
        assert!(stats.buffered.bytes <= most as u64, "{stats:?} of {capacity}");
        assert!(stats.drops.full.lines > 0, "{stats:?}");
        statsd.start_on_thread().unwrap();
        flush(&statsd);
        statsd.gauge(&name, 1);
        assert_eq!(
            statsd.blocking_stop().stats.drops,
            stats.drops,
            "a gauge was dropped after the flush"
        );
    }
}

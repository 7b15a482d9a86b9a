//! Merged lines of a connector that is flushed, stopped and started, and whose server goes.

use super::total;
use crate::support::{
    Close, Listener, Load, TcpReceiver, UdpReceiver, assert_balanced, eventually, flush, started,
    tcp, udp, unused_port,
};
use freewheel::{Builder, Connector, Framing, Tally, WhenFull};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

fn coalescing(settings: Builder) -> Connector {
    started(settings.coalesce(100))
}

/// Flushes and stops a connector again and again, on both protocols. Each must wait for all lines that
/// were emitted before.
#[test]
fn a_flush_and_a_stop_wait_for_merged_lines() {
    let (tcp_server, udp_server) = (TcpReceiver::start(), UdpReceiver::start());
    for (settings, is_tcp) in [(tcp(tcp_server.port()), true), (udp(udp_server.port()), false)] {
        let statsd = coalescing(settings);
        let (mut arrived, mut expected) = (Vec::new(), 0);
        for round in 1..40 {
            for amount in 0..round * 50 {
                statsd.incr_by("hits", amount);
                expected += amount;
            }
            if round % 3 == 0 {
                let report = statsd.blocking_stop();
                assert_eq!((report.kept, report.stats.buffered), Default::default());
                statsd.start_on_thread().unwrap();
            } else {
                flush(&statsd);
            }
            let stats = statsd.stats();
            if is_tcp {
                tcp_server.wait_for_lines(stats.sent.lines);
                arrived = tcp_server.lines();
            } else {
                arrived.append(&mut udp_server.lines_so_far());
            }
            assert_eq!(total(&arrived, "hits"), expected, "{stats:?}");
            assert_balanced(&stats);
        }
        assert!(statsd.stats().merged.lines > 10_000, "{:?}", statsd.stats());
    }
}

/// A flush must end while other threads emit without a pause, so that there are always merged lines
/// that are not acknowledged.
#[test]
fn a_flush_ends_under_load() {
    let receiver = TcpReceiver::start();
    let statsd = coalescing(tcp(receiver.port()));
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                (0..1_000).for_each(|_| statsd.incr("load"));
                thread::sleep(Duration::from_micros(200));
            }
        });
        for _ in 0..50 {
            statsd.incr("hits");
            flush(&statsd);
        }
        end.store(true, Ordering::Relaxed);
    });
    flush(&statsd);
    receiver.wait_for_lines(statsd.stats().sent.lines);
    assert_eq!(total(&receiver.lines(), "hits"), 50);
}

/// Lines that were merged and not sent when a flusher ended are sent by the next one.
#[test]
fn merged_lines_outlive_their_flusher() {
    let port = unused_port();
    // A server that accepts no lines at first: what is written waits in socket buffers, and the rest is
    // merged and unsent.
    let server = Listener::tcp(port);
    let settings = tcp(port).coalesce(1_000_000).queue_capacity(32 << 20);
    let statsd = settings.stop_timeout(Duration::from_millis(100)).build().unwrap();
    let runtime = crate::support::runtime();
    runtime.block_on(statsd.start()).unwrap();
    let peer = server.accept();
    let mut expected = 0;
    eventually("lines wait", || {
        for number in 0..10_000 {
            statsd.incr(&format!("counter.{number}.{}", "x".repeat(50)));
            statsd.incr("hits");
            expected += 1;
        }
        thread::sleep(Duration::from_millis(10));
        let stats = statsd.stats();
        stats.buffered.lines > 60_000 && stats.merged.lines > 0
    });
    drop(runtime);
    eventually("the flusher has ended", || !statsd.connected());
    peer.reset();
    statsd.start_on_thread().unwrap();
    let reading = thread::spawn(move || server.accept().read_to_end());
    eventually("all lines are sent", || statsd.stats().buffered == Tally::default());
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.dropped() + stats.lost(), Tally::default());
    assert_balanced(&stats);
    let bytes = reading.join().unwrap();
    // Lines that the first flusher had written and handed over are gone with its connection.
    let lines: Vec<_> = String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect();
    let received = total(lines.iter().filter(|line| !line.is_empty()), "hits");
    assert!(received <= expected && received > expected / 4, "{received} of {expected}");
}

/// A server is killed again and again after it has read all lines that count as sent, and lines are
/// emitted meanwhile. No count is lost, and none arrives twice.
#[test]
fn a_restarted_server_receives_exact_totals() {
    let port = unused_port();
    let statsd = coalescing(tcp(port));
    let (mut received, mut expected) = (Vec::new(), 0);
    for death in 0..6 {
        let emit = |expected: &mut i64| {
            for amount in 0..5_000 {
                statsd.incr_by("hits", amount % 3);
                statsd.gauge("depth", amount);
                *expected += amount % 3;
                if amount % 500 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        };
        emit(&mut expected);
        let close = if death % 2 == 0 { Close::Abrupt } else { Close::Orderly };
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, close);
        emit(&mut expected);
        let sent_before = received.len() as u64;
        flush(&statsd);
        receiver.wait_for_lines(statsd.stats().sent.lines - sent_before);
        received.append(&mut receiver.kill());
        assert_eq!(total(&received, "hits"), expected);
    }
    let stats = statsd.stats();
    assert!(stats.connections >= 6 && stats.dropped() + stats.lost() == Tally::default());
    let last = received.iter().rfind(|line| line.starts_with("depth:"));
    assert_eq!(last.unwrap(), "depth:4999|g");
    assert_balanced(&stats);
}

/// A server dies while threads emit. What counts as sent, lost or merged must add up, and nothing may
/// arrive twice.
#[test]
fn a_server_that_dies_under_load_receives_nothing_twice() {
    let port = unused_port();
    let statsd = coalescing(tcp(port).queue_capacity(256 << 10));
    let load = Load::begin(&statsd, 3);
    let mut received = Vec::new();
    for death in 0..6 {
        let close = if death % 2 == 0 { Close::Abrupt } else { Close::Orderly };
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, close);
        receiver.wait_for_lines(300);
        if death % 3 == 0 {
            receiver.stall();
            thread::sleep(Duration::from_millis(20));
        }
        received.append(&mut receiver.kill());
    }
    let emitted = load.end();
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    receiver.wait_for_end();
    received.append(&mut receiver.kill());
    assert_eq!((stats.emitted, stats.buffered), (emitted, Tally::default()));
    assert_balanced(&stats);
    crate::support::assert_whole_and_in_order(&received);
    assert!(received.len() as u64 <= stats.sent.lines);
}

/// More lines are emitted than the capacity holds, while no server listens. They are dropped as without
/// merging, and the account of the others is exact.
#[test]
fn a_full_queue_drops_and_counts() {
    for when_full in [WhenFull::DropNewest, WhenFull::DropOldest] {
        let port = unused_port();
        let statsd = coalescing(tcp(port).queue_capacity(64 << 10).when_full(when_full));
        for number in 0..100_000 {
            if number % 100 == 0 {
                thread::sleep(Duration::from_micros(500));
            }
            statsd.incr("hits");
        }
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
        flush(&statsd);
        let stats = statsd.blocking_stop().stats;
        receiver.wait_for_end();
        let received = receiver.kill();
        assert_balanced(&stats);
        let gone = match when_full {
            WhenFull::DropOldest => stats.dropped().lines + stats.losses.evicted.lines,
            _ => stats.drops.full.lines,
        };
        assert!(gone > 50_000, "{stats:?}");
        assert_eq!(total(&received, "hits") as u64, 100_000 - gone, "{stats:?}");
        assert_eq!(received.len() as u64, stats.sent.lines);
        assert!(stats.merged.lines > 1_000, "{stats:?}");
    }
}

/// With `DropOldest` and no server, the newest lines must be kept, and not those that came first.
#[test]
fn the_oldest_lines_are_evicted_before_they_are_merged() {
    let port = unused_port();
    let settings = tcp(port).queue_capacity(64 << 10).when_full(WhenFull::DropOldest);
    let statsd = coalescing(settings);
    for number in 0..40_000 {
        if number % 50 == 0 {
            thread::sleep(Duration::from_micros(500));
        }
        statsd.incr(if number < 20_000 { "old" } else { "new" });
    }
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    flush(&statsd);
    receiver.wait_for_lines(statsd.stats().sent.lines);
    let received = receiver.lines();
    assert_eq!(total(&received, "old"), 0, "{:?}", statsd.stats());
    assert!(total(&received, "new") > 2_000);
}

#[test]
fn merged_lines_are_framed() {
    let server = Listener::tcp(0);
    let settings = tcp(server.port()).framing(Framing::LengthPrefixed).max_datagram_payload(100);
    let statsd = settings.coalesce(100).build().unwrap();
    for number in 0..3_000_u32 {
        statsd.incr_by(&format!("counter.{}", number % 30), 1);
        statsd.gauge("depth", number);
        statsd.gauge("low", -5);
    }
    statsd.start_on_thread().unwrap();
    let peer = server.accept();
    let reading = thread::spawn(|| peer.read_to_end());
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    let bytes = reading.join().unwrap();
    let (mut rest, mut lines) = (&bytes[..], Vec::new());
    while let Some((header, after)) = rest.split_first_chunk() {
        let (frame, after) = after.split_at(u32::from_le_bytes(*header) as usize);
        assert!(frame.len() <= 100);
        let text = std::str::from_utf8(frame).unwrap();
        assert!(!text.ends_with("low:0|g\n"), "a negative gauge is torn");
        lines.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        rest = after;
    }
    assert_eq!(lines.len() as u64, stats.sent.lines);
    assert_eq!(total(&lines, "counter.7"), 100);
    let depth: Vec<_> = lines.iter().filter(|line| line.starts_with("depth:")).collect();
    assert_eq!(depth.last().unwrap().as_str(), "depth:2999|g");
    assert_balanced(&stats);
}

/// A server disconnects on a sum. It must be discarded as any line, and the others must arrive. The last
/// lines wait in the exchange of the threads when the flusher looks for a line after the sum.
#[cfg(target_os = "linux")]
#[test]
fn a_poisonous_sum_is_rejected() {
    use crate::poison::Server;
    use crate::support::SocketPath;
    use freewheel::Protocol;
    for framing in [Framing::Newlines, Framing::LengthPrefixed] {
        for others in [1, 1_000] {
            let socket_path = SocketPath::new(&format!("merged-poison-{framing:?}-{others}"));
            let settings = socket_path.settings(Protocol::UnixStream).framing(framing);
            let statsd = settings.coalesce(100).build().unwrap();
            let poisonous = |text: &str| text.lines().any(|line| line.starts_with("poison"));
            let server = Server::start(&socket_path, framing, poisonous);
            statsd.start_on_thread().unwrap();
            (0..10).for_each(|_| statsd.incr("poison"));
            thread::sleep(Duration::from_millis(100));
            for _ in 0..others {
                statsd.incr("hits");
                statsd.timing("time", Duration::ZERO);
            }
            flush(&statsd);
            let stats = statsd.stats();
            assert!(stats.losses.rejected.lines > 0, "{stats:?}");
            assert_eq!((stats.lost(), stats.buffered), (stats.losses.rejected, Tally::default()));
            assert_balanced(&stats);
            assert!(server.distinct().iter().any(|line| line.starts_with("hits:")));
            assert!(!server.distinct().iter().any(|line| line.starts_with("poison")));
        }
    }
}

//! Servers that go away and come back, break lines, or are not there at all.

// In a test, that is an assertion.
#![allow(clippy::unwrap_used)]

mod support;

use freewheel::{Connector, FlushOutcome, Protocol, Tally};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;
use support::{
    Close, Load, TcpReceiver, UdpReceiver, assert_balanced, assert_whole_and_in_order,
    emit_numbered, eventually, flush, lines_of, numbered_line, numbers_by_thread, quiet_port,
    started, tally, tcp, udp,
};
use tokio::runtime::Builder as RuntimeBuilder;

/// What a server took down with it is lost, and nothing else: no line is torn, doubled or out
/// of order, and once the server is back for good everything arrives.
#[test]
fn a_server_that_dies_ten_times_under_load() {
    let port = quiet_port();
    let statsd = started(tcp(port).queue_capacity(256 << 10));
    let load = Load::begin(&statsd, 3);
    let mut received = Vec::new();
    for death in 0..10 {
        let close = if death % 2 == 0 { Close::Abrupt } else { Close::Orderly };
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, close);
        receiver.wait_for_lines(300);
        if death % 3 == 0 {
            receiver.stall();
            thread::sleep(Duration::from_millis(20));
        }
        received.append(&mut receiver.kill());
    }
    let mut emitted = load.end();

    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    flush(&statsd);
    let sent_before = statsd.stats().sent;
    emitted = (0..1_000).fold(emitted, |sum, number| sum + emit_numbered(&statsd, 3, number));
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!((stats.emitted, stats.buffered), (emitted, Tally::default()));
    assert_eq!(stats.lost(), Tally::default());
    assert!(stats.connections >= 11, "{stats:?}");
    assert_balanced(&stats);
    let _report = statsd.blocking_stop();
    receiver.wait_for_end();
    received.append(&mut receiver.kill());

    assert_eq!(stats.sent.lines - sent_before.lines, 1_000);
    assert_eq!(numbers_by_thread(&received)[&3], Vec::from_iter(0..1_000));
    assert_whole_and_in_order(&received);
    assert!(received.len() as u64 <= stats.sent.lines);
}

/// Emits lines until the server's socket takes no more, so that one is likely to be half
/// written. Returns the number of the next.
fn emit_until_stalled(statsd: &Connector, mut number: u64) -> u64 {
    eventually("the server takes no more", || {
        let before = statsd.stats().sent;
        for _ in 0..500 {
            emit_numbered(statsd, 0, number);
            number += 1;
        }
        thread::sleep(Duration::from_millis(5));
        let stats = statsd.stats();
        stats.sent == before && stats.buffered.lines > 1_000
    });
    number
}

/// A server that reads some bytes and breaks off gets the line that it broke off in once more,
/// from its start, at its next connection. What was sent and not read is lost with the
/// connection; not a line before or after that is left out or comes twice.
#[test]
fn a_connection_that_breaks_within_a_line_is_followed_from_its_start() {
    let port = quiet_port();
    let statsd = started(tcp(port).queue_capacity(64 << 20));
    let mut next = 0;
    for length in [1, 7, 1_000, 65_536, 100_001] {
        let first = statsd.stats().sent.lines;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let (mut connection, _) = listener.accept().unwrap();
        drop(listener);
        next = emit_until_stalled(&statsd, next);
        let mut text = vec![0; length];
        connection.read_exact(&mut text).unwrap();
        drop(connection);
        eventually("the break is noticed", || !statsd.connected());

        let lines = (first..next).map(|number| numbered_line(0, number) + "\n");
        let expected = lines.collect::<String>().into_bytes();
        assert_eq!(text.utf8_chunks().next(), expected[..length].utf8_chunks().next());
    }
    let first = statsd.stats().sent.lines;
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    flush(&statsd);
    receiver.wait_for_lines(next - first);
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(first..next));
    assert_eq!(statsd.stats().dropped(), Tally::default());
}

/// The end of a connection is looked for before anything is written: a write to a server that
/// has gone succeeds once, and is lost.
#[test]
fn nothing_is_lost_to_a_server_that_hung_up_while_all_was_quiet() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    for number in 0..20 {
        emit_numbered(&statsd, 0, number);
        flush(&statsd);
        receiver.wait_for_lines(number + 1);
        receiver.hang_up();
    }
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(0..20));
}

/// As above, where the runtime was not asked meanwhile what became of its sockets: only the
/// operating system can say that the server has gone.
#[test]
fn nothing_is_lost_to_a_server_that_hung_up_while_the_runtime_rested() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    for number in 0..5 {
        emit_numbered(&statsd, 0, number);
        assert_eq!(runtime.block_on(statsd.flush()), FlushOutcome::Done);
        receiver.wait_for_lines(number + 1);
        receiver.hang_up();
    }
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(0..5));
}

/// Bytes left unread would turn the end of the connection into a reset, which takes with it
/// what the server has not read yet, and for some servers is fatal.
#[test]
fn a_server_that_talks_back_sees_an_orderly_end() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let statsd = tcp(listener.local_addr().unwrap().port()).build().unwrap();
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    emit_numbered(&statsd, 0, 0);
    assert_eq!(runtime.block_on(statsd.flush()), FlushOutcome::Done);
    let (mut connection, _) = listener.accept().unwrap();
    // More than is read at once, and before a runtime that rests can read any of it.
    connection.write_all(&[b'x'; 40_000]).unwrap();
    emit_numbered(&statsd, 0, 1);
    assert_eq!(runtime.block_on(statsd.stop()).kept, Tally::default());
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    assert_eq!(numbers_by_thread(&lines)[&0], [0, 1]);
    assert!(connection.take_error().unwrap().is_none(), "the connection was reset");
}

#[test]
fn a_server_that_talks_back_loses_nothing() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let statsd = started(tcp(listener.local_addr().unwrap().port()));
    let (mut connection, _) = listener.accept().unwrap();
    for number in 0..100 {
        connection.write_all(&[b'x'; 2_000]).unwrap();
        emit_numbered(&statsd, 0, number);
        flush(&statsd);
    }
    assert_eq!(statsd.blocking_stop().kept, Tally::default());
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    assert_eq!(numbers_by_thread(&lines)[&0], Vec::from_iter(0..100));
}

/// Over UDP a refusal tells of the datagram before it. That one too is held until somebody
/// listens, on the same machine, where it comes at once.
#[test]
fn datagrams_that_nobody_listens_for_are_held() {
    let port = quiet_port();
    let statsd = started(udp(port));
    let emitted =
        (0..200).fold(Tally::default(), |sum, number| sum + emit_numbered(&statsd, 0, number));
    eventually("several attempts", || statsd.stats().connections > 3);
    let stats = statsd.stats();
    assert_eq!((stats.sent, stats.lost()), (Tally::default(), Tally::default()));
    assert!(!statsd.connected());

    let receiver = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!((stats.emitted, stats.sent), (emitted, emitted));
    assert_balanced(&stats);
    let received = receiver.lines(stats.sent.lines);
    assert_eq!(tally(&received), stats.sent);
    assert_whole_and_in_order(&received);
    assert!(statsd.connected());
}

/// With holding turned off, nothing waits for a server: it all goes, and is counted.
#[test]
fn datagrams_that_nobody_listens_for_are_not_held_where_that_is_not_wanted() {
    let port = quiet_port();
    // A hold would take longer than the test.
    let settings = udp(port).hold_when_refused(false).reconnect_sleep(Duration::from_secs(3600));
    let statsd = started(settings);
    for number in 0..1_000 {
        emit_numbered(&statsd, 0, number);
    }
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!(stats.buffered, Tally::default());
    assert!(stats.losses.refused.lines > 500, "{stats}");
    assert_balanced(&stats);

    let receiver = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    let before = statsd.stats().sent.lines;
    eventually("a line arrives", || {
        statsd.incr("somebody");
        receiver.has_line()
    });
    assert!(statsd.stats().sent.lines > before);
    assert_balanced(&statsd.blocking_stop().stats);
}

/// A server that goes away and comes back at its port gets all that is emitted meanwhile.
#[test]
fn a_udp_server_that_comes_back_is_found_again() {
    let port = quiet_port();
    let statsd = started(udp(port));
    for round in 0..5 {
        let receiver = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
        emit_numbered(&statsd, round, 1);
        flush(&statsd);
        drop(receiver);
        emit_numbered(&statsd, round, 2);
        eventually("nobody is there", || !statsd.connected());
        emit_numbered(&statsd, round, 3);
        let receiver = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
        flush(&statsd);
        assert_eq!(receiver.lines(2), [numbered_line(round, 2), numbered_line(round, 3)]);
    }
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.sent, stats.emitted);
    assert_balanced(&stats);
}

/// Emits what `emit` does and returns it as datagrams of this maximum payload.
fn datagrams(max: usize, emit: impl Fn(&Connector)) -> Vec<String> {
    let receiver = UdpReceiver::start();
    let statsd = udp(receiver.port()).max_datagram_payload(max).build().unwrap();
    emit(&statsd);
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    receiver.datagrams(statsd.stats().sent.lines)
}

#[test]
fn a_datagram_is_never_longer_than_its_maximum_unless_a_line_is() {
    for max in [1, 50, 99, 100, 101, 256, 512, 1_432, 8_192, 65_507] {
        let datagrams = datagrams(max, |statsd| {
            for number in 0..150 {
                emit_numbered(statsd, 0, number);
            }
        });
        for datagram in &datagrams {
            let lines = lines_of(datagram).count();
            assert!(datagram.len() <= max || lines == 1, "{} bytes of {max}", datagram.len());
        }
        let lines: Vec<_> =
            datagrams.iter().flat_map(|text| lines_of(text)).map(str::to_owned).collect();
        assert_eq!(numbers_by_thread(&lines)[&0], Vec::from_iter(0..150));
    }
}

/// Without its reset to 0, a gauge's value below zero would be taken for a delta.
#[test]
fn a_gauge_below_zero_and_its_reset_share_a_datagram() {
    for max in 1..60 {
        let datagrams = datagrams(max, |statsd| {
            for value in [-1_i64, -22, -333, -4_444] {
                statsd.incr("before");
                statsd.gauge("depth", value);
                statsd.gauge("other", 0);
            }
        });
        for value in ["-1", "-22", "-333", "-4444"] {
            let pair = format!("depth:0|g\ndepth:{value}|g");
            let together = datagrams.iter().any(|datagram| datagram.contains(&pair));
            assert!(together, "parted at {max}: {datagrams:?}");
        }
    }
}

/// Nor are the two parted by the end of a block.
#[test]
fn a_gauge_below_zero_and_its_reset_share_a_block() {
    let receiver = UdpReceiver::start();
    let statsd = started(udp(receiver.port()).queue_capacity(1 << 10));
    let mut pairs = 0;
    for _ in 0..50 {
        for value in -8_i64..0 {
            statsd.gauge("depth", value);
        }
        flush(&statsd);
        for datagram in receiver.datagrams(16) {
            let lines: Vec<_> = lines_of(&datagram).collect();
            for pair in lines.chunks(2) {
                assert!(pair[0] == "depth:0|g" && pair[1].starts_with("depth:-"), "{datagram:?}");
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 400);
}

/// Connects to a server at its host by both protocols.
fn reaches(host: &str, tcp_receiver: &TcpReceiver, udp_receiver: &UdpReceiver) {
    let both = [(Protocol::Tcp, tcp_receiver.port()), (Protocol::Udp, udp_receiver.port())];
    for (protocol, port) in both {
        let statsd = started(Connector::builder(host).port(port).protocol(protocol));
        statsd.incr("a");
        flush(&statsd);
    }
    tcp_receiver.wait_for_lines(1);
    assert_eq!(tcp_receiver.lines(), ["counters.a:1|c"]);
    assert_eq!(udp_receiver.lines(1), ["counters.a:1|c"]);
}

#[test]
fn an_ipv6_address_is_reached() {
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("skipped: this machine has no ::1");
        return;
    }
    for host in ["::1", "[::1]"] {
        let tcp = TcpReceiver::listen(Ipv6Addr::LOCALHOST, 0, Close::Orderly);
        reaches(host, &tcp, &UdpReceiver::listen(Ipv6Addr::LOCALHOST, 0));
    }
}

#[test]
fn a_host_name_is_looked_up() {
    let address = ("localhost", 0).to_socket_addrs().unwrap().next().unwrap().ip();
    let tcp = TcpReceiver::listen(address, 0, Close::Orderly);
    reaches("localhost", &tcp, &UdpReceiver::listen(address, 0));
}

/// A socket that is gone answers what the server sends by a reset, which discards what the
/// server has not read yet. So a stop waits for the server's own end.
#[test]
fn a_slow_server_that_talks_back_gets_what_was_stopped_with() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let statsd = started(tcp(listener.local_addr().unwrap().port()));
    let (mut connection, _) = listener.accept().unwrap();
    let server = thread::spawn(move || {
        let (mut text, mut buffer) = (Vec::new(), [0; 16 << 10]);
        loop {
            match connection.read(&mut buffer).unwrap() {
                0 => break text,
                read => text.extend_from_slice(&buffer[..read]),
            }
            connection.write_all(b"x").unwrap();
            thread::sleep(Duration::from_millis(2));
        }
    });
    (0..60_000).for_each(|_| statsd.incr("a"));
    assert_eq!(statsd.blocking_stop().stats.sent.lines, 60_000);
    let text = server.join().unwrap();
    assert_eq!(text.len(), 60_000 * "a:1|c\n".len());
}

#[test]
fn lines_of_many_threads_share_full_datagrams() {
    let receiver = UdpReceiver::start();
    let statsd = udp(receiver.port()).flush_interval(Duration::from_secs(60)).build().unwrap();
    thread::scope(|scope| {
        // All alive at once: each has a place of its own.
        let together = Arc::new(Barrier::new(300));
        for _ in 0..300 {
            let (statsd, together) = (&statsd, Arc::clone(&together));
            scope.spawn(move || {
                statsd.incr("a");
                together.wait();
            });
        }
    });
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    // 238 lines of 6 bytes fit into 1432.
    let sizes: Vec<_> = receiver.datagrams(300).iter().map(|datagram| datagram.len()).collect();
    assert_eq!(sizes, [1428, 372]);
}

/// Over UDP the first address of a name always takes a "connection"; a refusal moves on.
#[test]
fn another_address_of_the_name_is_tried() {
    let is_v6 = |address: &SocketAddr| address.is_ipv6();
    let found: Vec<_> = ("localhost", 0).to_socket_addrs().unwrap().collect();
    if found.iter().all(is_v6) || !found.iter().any(is_v6) {
        eprintln!("skipped: localhost has one kind of address here: {found:?}");
        return;
    }
    let receiver = UdpReceiver::listen(found[1].ip(), 0);
    let statsd = Connector::builder("localhost").port(receiver.port()).protocol(Protocol::Udp);
    let statsd = started(statsd.reconnect_sleep(Duration::from_millis(10)));
    eventually("a line on the second address", || {
        statsd.incr("a");
        statsd.stats().sent.lines > 0
    });
    assert_eq!(receiver.lines(1), ["counters.a:1|c"]);
}

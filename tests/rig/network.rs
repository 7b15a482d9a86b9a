//! Tests of networks that are partitioned or lose packets, and of host names that begin to resolve
//! to another host.

use crate::namespace::{
    Host, black_hole, make_lookups_fail, make_lookups_hang, resolve_server_to, with_a_network,
};
use crate::process::skip;
use crate::support::{
    Arrivals, Close, Discrepancies, Listener, TcpReceiver, UdpReceiver, WAIT_TIMEOUT,
    assert_balanced, emit_all, eventually, flush, promptly, started,
};
use freewheel::{Builder, Connector, Protocol, Tally};
use std::fs;
use std::thread;
use std::time::Duration;

/// Port at which the servers of these tests listen.
const PORT: u16 = 8125;

/// Returns a connector builder for a server at this host, with short flush and reconnect intervals.
pub(crate) fn settings(host: &str) -> Builder {
    Connector::builder(host)
        .port(PORT)
        .type_prefixes(false)
        .flush_interval(Duration::from_millis(5))
        .reconnect_sleep(Duration::from_millis(20))
        .connect_timeout(Duration::from_millis(500))
        .stop_timeout(WAIT_TIMEOUT)
}

/// Starts a TCP server on this simulated host.
pub(crate) fn receiver(host: &Host) -> TcpReceiver {
    let address = host.address();
    host.run(move || TcpReceiver::listen(address, PORT, Close::Orderly))
}

#[test]
fn connection_survives_a_partition() {
    with_a_network(|| {
        let host = Host::start(1);
        let server = receiver(&host);
        let statsd = started(settings(&host.address().to_string()));
        emit_all(&statsd, 0, 0..100);
        flush(&statsd);
        host.unplug();
        emit_all(&statsd, 0, 100..2_000);
        thread::sleep(Duration::from_millis(700));
        host.plug_in();
        flush(&statsd);
        server.wait_for_lines(2_000);
        let stats = statsd.stats();
        Arrivals::of(&server.lines()).assert_agree_with(&stats);
        assert_eq!((stats.sent.lines, stats.connections), (2_000, 1));
    });
}

/// A TCP server receives every line although its network cable is unplugged half of the time.
#[test]
fn flapping_cable_loses_no_line_over_tcp() {
    with_a_network(|| {
        let host = Host::start(1);
        let server = receiver(&host);
        let statsd = started(settings(&host.address().to_string()));
        for round in 0..20 {
            host.unplug();
            emit_all(&statsd, 0, round * 1_000..round * 1_000 + 500);
            thread::sleep(Duration::from_millis(10));
            host.plug_in();
            emit_all(&statsd, 0, round * 1_000 + 500..(round + 1) * 1_000);
            thread::sleep(Duration::from_millis(10));
        }
        flush(&statsd);
        server.wait_for_lines(20_000);
        assert_eq!(statsd.stats().connections, 1);
        assert_no_loss_with_the_server(&host, server, &statsd);
    });
}

/// Asserts that lines in lost TCP packets arrive at the next server, if the current server stops
/// before the kernel sends the packets again.
///
/// The kernel retransmits only while the connection lasts. Three times, the cable is unplugged,
/// lines are written, and the server stops before a retransmission.
fn assert_no_loss_with_the_server(host: &Host, mut server: TcpReceiver, statsd: &Connector) {
    let mut arrivals = Arrivals::default();
    for round in 0..3 {
        host.unplug();
        let before = statsd.stats().sent;
        emit_all(statsd, 1, round * 500..(round + 1) * 500);
        // The pause lets the client write the lines.
        thread::sleep(Duration::from_millis(50));
        arrivals.count_all(&server.kill());
        assert_eq!(statsd.stats().sent, before, "lines are acknowledged without a network");
        host.plug_in();
        server = receiver(host);
        flush(statsd);
        server.wait_for_lines(500);
    }
    arrivals.count_all(&server.lines());
    arrivals.assert_agree_with(&statsd.stats());
    assert!(statsd.stats().connections >= 4, "{:?}", statsd.stats());
}

/// The network loses packets at random, in both directions. No line is lost over TCP.
#[test]
fn random_packet_loss_loses_no_line_over_tcp() {
    with_a_network(|| {
        let host = Host::start(1);
        if let Err(error) = host.lose_packets() {
            return skip("random_packet_loss_loses_no_line_over_tcp", error);
        }
        let server = receiver(&host);
        let statsd = started(settings(&host.address().to_string()).queue_capacity(16 << 20));
        for round in 0..50 {
            emit_all(&statsd, 0, round * 200..(round + 1) * 200);
            thread::sleep(Duration::from_millis(10));
        }
        flush(&statsd);
        server.wait_for_lines(10_000);
        assert_eq!(statsd.stats().connections, 1);
        assert!(retransmitted() > 0, "the network lost no packet");
        assert_no_loss_with_the_server(&host, server, &statsd);
    });
}

/// Returns the number of TCP segments that this network namespace has retransmitted.
fn retransmitted() -> u64 {
    let text = fs::read_to_string("/proc/self/net/snmp").unwrap();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, counts) = (lines.next().unwrap(), lines.next().unwrap());
    let mut fields = names.split(' ').zip(counts.split(' '));
    fields.find(|(name, _)| *name == "RetransSegs").unwrap().1.parse().unwrap()
}

/// The network loses UDP datagrams at random. Lines are lost only by whole datagrams, and these
/// lines count as sent.
#[test]
fn random_packet_loss_loses_whole_datagrams_over_udp() {
    with_a_network(|| {
        let host = Host::start(1);
        if let Err(error) = host.lose_packets() {
            return skip("random_packet_loss_loses_whole_datagrams_over_udp", error);
        }
        let address = host.address();
        let server = host.run(move || UdpReceiver::listen(address, PORT));
        let statsd = started(settings(&address.to_string()).protocol(Protocol::Udp));
        let mut arrivals = Arrivals::default();
        // 25 of 500 datagrams are lost on average; fewer than 5 or more than 60 hardly ever.
        for number in 0..500 {
            emit_all(&statsd, 0, number..number + 1);
            flush(&statsd);
            arrivals.count_all(&server.lines_so_far());
        }
        let stats = statsd.stats();
        let lost = arrivals.compare_with(&stats).lost;
        assert!((5..60).contains(&lost), "{lost} of 500");
        assert_eq!(
            arrivals.compare_with(&stats),
            Discrepancies { lost, ..Discrepancies::default() }
        );
        assert_eq!((stats.sent.lines, stats.connections), (500, 1));
        assert_balanced(&stats);
    });
}

/// A network device is slower than the producer, so that its queue is full and UDP sends fail with
/// `EAGAIN` for a while. Lines wait meanwhile, and none is lost.
#[test]
fn slow_device_loses_no_line_over_udp() {
    with_a_network(|| {
        let host = Host::start(1);
        if let Err(error) = host.slow_down(16_000) {
            return skip("slow_device_loses_no_line_over_udp", error);
        }
        let address = host.address();
        let server = host.run(move || UdpReceiver::listen(address, PORT));
        let statsd = started(settings(&address.to_string()).protocol(Protocol::Udp));
        let reading = thread::spawn(move || server.lines(10_000));
        emit_all(&statsd, 0, 0..10_000);
        thread::sleep(Duration::from_millis(100));
        // Two megabytes take a second.
        assert!(statsd.stats().buffered.lines > 1_000, "{}", statsd.stats());
        flush(&statsd);
        let arrivals = Arrivals::of(&reading.join().unwrap());
        arrivals.assert_agree_with(&statsd.stats());
        assert_eq!((arrivals.tally().lines, statsd.stats().connections), (10_000, 1));
    });
}

/// The first address of a host name loses all packets. The client tries the next address after one
/// connect timeout.
#[test]
fn black_hole_address_is_skipped_after_one_timeout() {
    with_a_network(|| {
        let host = Host::start(1);
        let server = receiver(&host);
        resolve_server_to(&[black_hole(&host), host.address()]);
        let statsd = started(settings("server"));
        emit_all(&statsd, 0, 0..100);
        flush(&statsd);
        server.wait_for_lines(100);
        assert_eq!(statsd.stats().connections, 1);
    });
}

/// The client moves to the next address of a host name when a UDP datagram is refused. Connecting a
/// UDP socket always succeeds, so only the refusal shows that no server listens.
#[test]
fn refusal_moves_to_the_next_address_of_the_name() {
    with_a_network(|| {
        let hosts = [Host::start(1), Host::start(2)];
        resolve_server_to(&[hosts[0].address(), hosts[1].address()]);
        for host in &hosts {
            let address = host.address();
            let server = host.run(move || UdpReceiver::listen(address, PORT));
            let statsd = started(settings("server").protocol(Protocol::Udp));
            emit_all(&statsd, 0, 0..100);
            flush(&statsd);
            Arrivals::of(&server.lines(100)).assert_agree_with(&statsd.stats());
        }
    });
}

/// The client moves to the next address of a host name when a UDP datagram is refused, even if
/// `hold_when_refused` is off. The statistics count no reconnect.
#[test]
fn refusal_without_hold_moves_to_the_next_address() {
    with_a_network(|| {
        let hosts = [Host::start(1), Host::start(2)];
        resolve_server_to(&[hosts[0].address(), hosts[1].address()]);
        for host in &hosts {
            let address = host.address();
            let server = host.run(move || UdpReceiver::listen(address, PORT));
            let settings = settings("server").protocol(Protocol::Udp).hold_when_refused(false);
            let statsd = started(settings);
            let mut number = 0;
            eventually("a line at the other address", || {
                emit_all(&statsd, 0, number..number + 1);
                flush(&statsd);
                number += 1;
                server.has_datagram()
            });
            // The link stays at that address.
            let refused = statsd.stats().losses.refused;
            emit_all(&statsd, 0, number..number + 100);
            flush(&statsd);
            thread::sleep(Duration::from_millis(50));
            flush(&statsd);
            let stats = statsd.stats();
            assert!(server.lines_so_far().len() >= 100);
            assert!(stats.losses.refused.lines <= refused.lines + 1, "{stats}");
            assert_eq!(stats.connections, 1);
            assert_balanced(&stats);
        }
    });
}

/// One address of a host name accepts connections and closes them, like a load balancer without a
/// server. The client still connects to the other address.
#[test]
fn closing_address_does_not_hide_the_next_one() {
    with_a_network(|| {
        let hosts = [Host::start(1), Host::start(2)];
        let addresses = [hosts[0].address(), hosts[1].address()];
        resolve_server_to(&addresses);
        for closing in 0..2 {
            let address = addresses[closing];
            let balancer = hosts[closing].run(move || Listener::tcp_at(address, PORT));
            let server = receiver(&hosts[1 - closing]);
            let statsd = started(settings("server"));
            let mut number = 0;
            eventually("a line at the other address", || {
                let _closed = balancer.drop_pending_connection();
                emit_all(&statsd, 0, number..number + 1);
                number += 1;
                !server.lines().is_empty()
            });
            flush(&statsd);
            assert!(statsd.stats().connections <= 3, "{:?}", statsd.stats());
        }
    });
}

#[test]
fn stop_keeps_its_deadline_at_a_black_hole() {
    with_a_network(|| {
        let host = Host::start(1);
        let address = black_hole(&host).to_string();
        let day = Duration::from_secs(24 * 60 * 60);
        let settings = settings(&address).connect_timeout(day);
        let statsd = started(settings.stop_timeout(Duration::from_millis(200)));
        let emitted = emit_all(&statsd, 0, 0..100);
        let stopping = statsd.clone();
        let report = promptly(move || stopping.blocking_stop());
        assert_eq!((report.sent, report.kept), (Tally::default(), emitted));
        // No line was lost: all are still buffered.
        assert_eq!(report.stats.buffered, emitted);
    });
}

/// Lines over UDP wait while the client's kernel reports that the network is unreachable, and none
/// is lost.
#[test]
fn unreachable_network_loses_no_line_over_udp() {
    with_a_network(|| {
        let host = Host::start(1);
        let address = host.address();
        let server = host.run(move || UdpReceiver::listen(address, PORT));
        let statsd = started(settings(&address.to_string()).protocol(Protocol::Udp));
        emit_all(&statsd, 0, 0..100);
        flush(&statsd);
        let mut received = server.lines(100);
        for round in 1..5 {
            host.unplug_here();
            emit_all(&statsd, 0, round * 100..(round + 1) * 100);
            eventually("the client notices the failure", || !statsd.connected());
            assert_eq!(statsd.stats().buffered.lines, 100);
            host.plug_in_here();
            flush(&statsd);
            received.append(&mut server.lines(100));
        }
        Arrivals::of(&received).assert_agree_with(&statsd.stats());
    });
}

/// UDP datagrams sent while the server's cable is unplugged are lost and counted as sent, because
/// the client does not notice. No line before or after them is lost.
#[test]
fn partition_loses_only_lines_sent_into_it_over_udp() {
    with_a_network(|| {
        let host = Host::start(1);
        let address = host.address();
        let server = host.run(move || UdpReceiver::listen(address, PORT));
        let statsd = started(settings(&address.to_string()).protocol(Protocol::Udp));
        emit_all(&statsd, 0, 0..100);
        flush(&statsd);
        let mut received = server.lines(100);
        host.unplug();
        emit_all(&statsd, 0, 100..200);
        flush(&statsd);
        host.plug_in();
        emit_all(&statsd, 0, 200..300);
        flush(&statsd);
        received.append(&mut server.lines(100));
        let stats = statsd.stats();
        let arrivals = Arrivals::of(&received);
        assert_eq!(
            arrivals.compare_with(&stats),
            Discrepancies { lost: 100, ..Discrepancies::default() }
        );
        assert_eq!(arrivals.numbers(0), Vec::from_iter((0..100).chain(200..300)));
        assert_balanced(&stats);
    });
}

/// The client looks the host name up again for each connection, and so finds a server that restarts
/// on another host.
#[test]
fn name_is_resolved_again_for_each_connection() {
    with_a_network(|| {
        let hosts = [Host::start(1), Host::start(2)];
        resolve_server_to(&[hosts[0].address()]);
        let statsd = started(settings("server"));
        let mut received = Vec::new();
        for round in 0..6 {
            let host = &hosts[round % 2];
            resolve_server_to(&[host.address()]);
            let server = receiver(host);
            let first = round as u64 * 100;
            emit_all(&statsd, 0, first..first + 100);
            flush(&statsd);
            server.wait_for_lines(100);
            received.append(&mut server.kill());
            eventually("the client notices the end", || !statsd.connected());
        }
        Arrivals::of(&received).assert_agree_with(&statsd.stats());
    });
}

/// A refused UDP datagram makes the client look the host name up again, so that it finds a server
/// that has moved. The refused lines go to the new host too.
#[test]
fn moved_udp_server_is_found_after_a_refusal() {
    with_a_network(|| {
        let hosts = [Host::start(1), Host::start(2)];
        let listen = |host: &Host| {
            let address = host.address();
            host.run(move || UdpReceiver::listen(address, PORT))
        };
        let mut server = listen(&hosts[0]);
        resolve_server_to(&[hosts[0].address()]);
        let statsd = started(settings("server").protocol(Protocol::Udp));
        let mut arrivals = Arrivals::default();
        for round in 1..7 {
            emit_all(&statsd, round, 0..100);
            flush(&statsd);
            arrivals.count_all(&server.lines_so_far());
            drop(server);
            emit_all(&statsd, round, 100..200);
            eventually("the client notices the failure", || !statsd.connected());
            let host = &hosts[round as usize % 2];
            server = listen(host);
            resolve_server_to(&[host.address()]);
            flush(&statsd);
            arrivals.count_all(&server.lines_so_far());
        }
        arrivals.assert_agree_with(&statsd.stats());
        assert_eq!(statsd.stats().sent.lines, 1_200);
    });
}

/// A host name that cannot be resolved at first is looked up again until the client finds the
/// server, for instance if servers and clients start together.
#[test]
fn unknown_name_is_resolved_again() {
    with_a_network(|| {
        make_lookups_fail();
        let host = Host::start(1);
        let address = host.address();
        let tcp = receiver(&host);
        let udp = host.run(move || UdpReceiver::listen(address, PORT));
        let statsds = [Protocol::Tcp, Protocol::Udp]
            .map(|protocol| started(settings("server").protocol(protocol)));
        for statsd in &statsds {
            emit_all(statsd, 0, 0..100);
        }
        thread::sleep(Duration::from_millis(100));
        assert!(statsds.iter().all(|statsd| statsd.stats().buffered.lines == 100));
        resolve_server_to(&[address]);
        statsds.iter().for_each(flush);
        tcp.wait_for_lines(100);
        Arrivals::of(&tcp.lines()).assert_agree_with(&statsds[0].stats());
        Arrivals::of(&udp.lines(100)).assert_agree_with(&statsds[1].stats());
    });
}

/// A UDP server moves to another address, and the old address refuses no datagram. The client finds
/// the new address at the next periodic lookup of the host name, and sends later lines there.
#[test]
fn moved_udp_server_is_found_at_the_next_lookup() {
    with_a_network(|| {
        let hosts = [Host::start(1), Host::start(2)];
        let addresses = [hosts[0].address(), hosts[1].address()];
        let servers = addresses.map(|address| {
            let host = &hosts[usize::from(address == addresses[1])];
            host.run(move || UdpReceiver::listen(address, PORT))
        });
        resolve_server_to(&addresses[..1]);
        let settings = settings("server").protocol(Protocol::Udp);
        let statsd = started(settings.lookup_interval(Duration::from_millis(50)));
        let mut arrivals = Arrivals::default();
        for round in 0..6 {
            let (old, new) = (&servers[round % 2], &servers[(round + 1) % 2]);
            resolve_server_to(&addresses[(round + 1) % 2..][..1]);
            let mut number = round as u64 * 1_000_000;
            eventually("a line at the new address", || {
                emit_all(&statsd, 0, number..number + 1);
                flush(&statsd);
                number += 1;
                new.has_datagram()
            });
            arrivals.count_all(&old.lines_so_far());
            arrivals.count_all(&new.lines_so_far());
        }
        arrivals.assert_agree_with(&statsd.stats());
        assert_eq!(statsd.stats().connections, 1);
    });
}

/// A DNS server that does not answer a periodic lookup delays no flush, and lines still arrive at
/// the address found before.
#[test]
fn hanging_lookup_delays_no_flush() {
    with_a_network(|| {
        let host = Host::start(1);
        let address = host.address();
        let server = host.run(move || UdpReceiver::listen(address, PORT));
        resolve_server_to(&[address]);
        let settings = settings("server").protocol(Protocol::Udp);
        let settings = settings.lookup_interval(Duration::from_millis(50));
        let statsd = started(settings.stop_timeout(Duration::from_secs(3)));
        eventually("the client connects", || statsd.connected());
        make_lookups_hang(black_hole(&host));
        let mut received = Vec::new();
        // Each round emits more than one burst, so that the flush waits for the next burst.
        for round in 0..20 {
            thread::sleep(Duration::from_millis(20));
            emit_all(&statsd, 0, round * 300..(round + 1) * 300);
            flush(&statsd);
            received.append(&mut server.lines(300));
        }
        let stats = promptly(move || statsd.blocking_stop()).stats;
        Arrivals::of(&received).assert_agree_with(&stats);
    });
}

/// A stop keeps its deadline while the client waits for a hanging name lookup, without which it
/// cannot connect.
#[test]
fn stop_keeps_its_deadline_during_a_lookup() {
    with_a_network(|| {
        let host = Host::start(1);
        make_lookups_hang(black_hole(&host));
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let day = Duration::from_secs(24 * 60 * 60);
            let settings = settings("server").protocol(protocol).connect_timeout(day);
            let statsd = started(settings.stop_timeout(Duration::from_millis(200)));
            let emitted = emit_all(&statsd, 0, 0..100);
            let report = promptly(move || statsd.blocking_stop());
            assert_eq!((report.sent, report.kept), (Tally::default(), emitted));
        }
    });
}

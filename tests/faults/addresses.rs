//! Servers' addresses, and names that have several.

use crate::support::{Close, TcpReceiver, UdpReceiver, eventually, flush, started};
use freewheel::{Connector, Protocol};
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

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

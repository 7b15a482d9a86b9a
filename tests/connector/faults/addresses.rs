//! Tests of connectors that reach their server by an IPv6 address or by a host name.

use crate::support::{Close, TcpReceiver, UdpReceiver, flush, started};
use freewheel::{Connector, Protocol};
use std::net::{Ipv6Addr, ToSocketAddrs, UdpSocket};

/// Asserts that one line reaches the server at this host over TCP, and another line over UDP.
fn assert_reaches(host: &str, tcp_receiver: &TcpReceiver, udp_receiver: &UdpReceiver) {
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
fn ipv6_address_is_reached() {
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("skipped: this machine has no ::1");
        return;
    }
    for host in ["::1", "[::1]"] {
        let tcp = TcpReceiver::listen(Ipv6Addr::LOCALHOST, 0, Close::Orderly);
        assert_reaches(host, &tcp, &UdpReceiver::listen(Ipv6Addr::LOCALHOST, 0));
    }
}

#[test]
fn host_name_is_looked_up() {
    let address = ("localhost", 0).to_socket_addrs().unwrap().next().unwrap().ip();
    let tcp = TcpReceiver::listen(address, 0, Close::Orderly);
    assert_reaches("localhost", &tcp, &UdpReceiver::listen(address, 0));
}

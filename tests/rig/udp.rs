//! UDP servers that vanish with datagrams unread, and come back.

use crate::support::{
    Census, Findings, UdpReceiver, emit_all, eventually, flush, quiet_port, started, udp,
};
use std::net::Ipv4Addr;

/// What had arrived and was not read is lost with the server. What comes after waits for its
/// successor, the very datagram included that was refused.
#[test]
fn a_server_that_vanishes_loses_what_it_has_not_read() {
    let port = quiet_port();
    let statsd = started(udp(port));
    let mut census = Census::default();
    for round in 0..10 {
        let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
        let before = statsd.stats().sent.lines;
        emit_all(&statsd, 0, round * 300..round * 300 + 100);
        flush(&statsd);
        census.count_all(&server.lines(statsd.stats().sent.lines - before));
        emit_all(&statsd, 0, round * 300 + 100..round * 300 + 200);
        flush(&statsd);
        drop(server);
        emit_all(&statsd, 0, round * 300 + 200..(round + 1) * 300);
        eventually("it is noticed", || !statsd.connected());
    }
    let server = UdpReceiver::listen(Ipv4Addr::LOCALHOST, port);
    let before = statsd.stats().sent.lines;
    flush(&statsd);
    let stats = statsd.stats();
    census.count_all(&server.lines(stats.sent.lines - before));
    assert_eq!(stats.sent, stats.emitted);
    assert_eq!(census.against(&stats), Findings { lost: 10 * 100, ..Findings::default() });
}

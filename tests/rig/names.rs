//! Tests of lookups of the server's name that fail or hang after the client has once connected.

use crate::namespace::{
    Host, black_hole, make_lookups_fail, make_lookups_hang, resolve_server_to, with_a_network,
};
use crate::network::{receiver, settings};
use crate::support::{Arrivals, UdpReceiver, emit_all, eventually, flush, started};
use freewheel::Protocol;
use std::ops::Range;
use std::time::Duration;

/// Port at which the servers of these tests listen.
const PORT: u16 = 8125;

/// The server restarts while lookups of its name fail, and then while they hang. The client
/// reconnects to the address that it found before.
#[test]
fn restarted_server_is_found_without_a_name_server() {
    with_a_network(|| {
        let host = Host::start(1);
        let (address, silent) = (host.address(), black_hole(&host));
        resolve_server_to(&[address]);
        let statsds = [Protocol::Tcp, Protocol::Udp].map(|protocol| {
            let settings = settings("server").protocol(protocol);
            started(settings.connect_timeout(Duration::from_millis(200)))
        });
        let emit = |numbers: Range<u64>| {
            statsds.iter().for_each(|statsd| _ = emit_all(statsd, 0, numbers.clone()));
        };
        let mut first = 0;
        for round in 0..3 {
            let servers = (receiver(&host), host.run(move || UdpReceiver::listen(address, PORT)));
            emit(first + 1..first + 100);
            statsds.iter().for_each(flush);
            servers.0.wait_for_lines(100 - u64::from(round == 0));
            let expected = Vec::from_iter(first + u64::from(round == 0)..first + 100);
            assert_eq!(Arrivals::of(&servers.0.lines()).numbers(0), expected);
            // The refusal of the first datagram may have come too late.
            let lines = servers.1.lines(99);
            assert!(Arrivals::of(&lines).numbers(0).ends_with(&expected[expected.len() - 99..]));
            match round {
                0 => make_lookups_fail(),
                _ => make_lookups_hang(silent),
            }
            drop(servers);
            first += 100;
            emit(first..first + 1);
            for statsd in &statsds {
                eventually("the client misses the server", || !statsd.connected());
            }
        }
    });
}

//! Tests of the contents of UDP datagrams. Each holds as many whole lines as fit, and a gauge's
//! negative value stays together with its reset to 0.

use crate::support::{
    UdpReceiver, emit_numbered, flush, lines_of, numbers_by_thread, started, udp,
};
use freewheel::Connector;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

/// Emits with `emit` through a connector with a maximum datagram payload of `max` bytes. Returns
/// the datagrams that arrive.
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

/// A gauge's negative value arrives in the same datagram as the reset to 0 before it, at any
/// maximum payload. Without the reset, servers would read the value as a change.
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
            assert!(together, "separated at {max}: {datagrams:?}");
        }
    }
}

/// The end of a block (a buffer of lines) does not separate a gauge's negative value from the reset
/// to 0 before it.
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

#[test]
fn lines_of_many_threads_share_full_datagrams() {
    let receiver = UdpReceiver::start();
    let statsd = udp(receiver.port()).flush_interval(Duration::from_secs(60)).build().unwrap();
    thread::scope(|scope| {
        // All threads are alive at once, so each has a separate slot.
        let barrier = Arc::new(Barrier::new(300));
        for _ in 0..300 {
            let (statsd, barrier) = (&statsd, Arc::clone(&barrier));
            scope.spawn(move || {
                statsd.incr("a");
                barrier.wait();
            });
        }
    });
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    // The default payload of 1432 bytes holds 238 lines of 6 bytes.
    let sizes: Vec<_> = receiver.datagrams(300).iter().map(|datagram| datagram.len()).collect();
    assert_eq!(sizes, [1428, 372]);
}

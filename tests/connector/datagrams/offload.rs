//! Tests of UDP segmentation offload: batches of datagrams in one system call, on real sockets.

use crate::support::{UdpReceiver, assert_balanced, flush, lines_of, started, udp};

/// Emits lines of several lengths, with or without segmentation offload, and asserts that all
/// arrive in order. Returns the datagrams, with a maximum payload of 1432 bytes.
fn datagrams(offload: bool) -> Vec<String> {
    let receiver = UdpReceiver::start();
    let statsd = started(udp(receiver.port()).segmentation_offload(offload));
    let mut datagrams = Vec::new();
    let mut expected = Vec::new();
    for round in 0..20 {
        for number in 0..300 {
            let name = format!("r{round}.n{number}{}", "x".repeat(number * 7 % 23));
            statsd.incr(&name);
            expected.push(format!("{name}:1|c"));
        }
        flush(&statsd);
        datagrams.extend(receiver.datagrams(300));
    }
    let lines: Vec<_> = datagrams.iter().flat_map(|datagram| lines_of(datagram)).collect();
    assert_eq!(lines, expected);
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.sent, stats.emitted);
    assert_balanced(&stats);
    datagrams
}

/// Returns true if newlines pad the datagram to the segment size of its batch.
fn is_padded(datagram: impl AsRef<str>) -> bool {
    datagram.as_ref().ends_with("\n\n")
}

#[test]
fn batched_datagrams_hold_whole_lines_within_the_payload() {
    let datagrams = datagrams(true);
    assert!(datagrams.iter().all(|datagram| datagram.len() <= 1_432));
    if cfg!(target_os = "linux") {
        assert!(datagrams.iter().any(is_padded), "no batch was sent");
    }
}

#[test]
fn without_offload_no_datagram_is_filled_up() {
    assert!(!datagrams(false).iter().any(is_padded));
}

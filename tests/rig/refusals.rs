//! Tests of datagrams that the operating system refuses because of their content, like a packet
//! filter or a security module.

use crate::operating_system::{Plan, calls, receiver_with};
use crate::support::{
    UdpReceiver, assert_balanced, emit_all, eventually, flush, numbered_line, started, udp,
};
use freewheel::{Connector, Tally};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// Errors that filters of a datagram's content cause.
const PLANS: [Plan; 3] = [
    |data, _| is_poison(data).then_some(libc::EPERM),
    |data, _| is_poison(data).then_some(libc::EACCES),
    |data, _| is_poison(data).then_some(libc::EINVAL),
];

fn is_poison(data: &[u8]) -> bool {
    data.windows(6).any(|text| text == b"poison")
}

fn client(receiver: &UdpReceiver) -> Connector {
    started(udp(receiver.port()).reconnect_sleep(Duration::from_millis(20)))
}

/// Asserts that the lines with these numbers arrived in order, and that `rejected` others count as
/// rejected.
#[track_caller]
fn assert_all_but(statsd: &Connector, rejected: u64, receiver: &UdpReceiver, count: u64) {
    flush(statsd);
    let stats = statsd.stats();
    let rejected_bytes = rejected * "poison:1|c\n".len() as u64;
    let rejected = Tally { lines: rejected, bytes: rejected_bytes };
    assert_eq!((stats.losses.rejected, stats.lost()), (rejected, rejected));
    assert_eq!((stats.sent.lines, stats.buffered), (count, Tally::default()));
    assert_balanced(&stats);
    // Some lines may arrive twice. The last time counts: then all are in order.
    let (mut received, mut lines) = (Vec::new(), Vec::new());
    eventually("all lines arrive", || {
        received.append(&mut receiver.lines_so_far());
        let mut seen = std::collections::HashSet::new();
        lines = received.iter().rev().filter(|line| seen.insert(*line)).cloned().collect();
        lines.len() as u64 >= count
    });
    lines.reverse();
    assert_eq!(lines, Vec::from_iter((0..count).map(|number| numbered_line(0, number))));
    assert!(received.len() as u64 <= 2 * count, "{}", received.len());
}

/// The operating system refuses each datagram with a certain line. The client gives up this line
/// after some attempts, and sends all others.
#[test]
fn refused_line_does_not_stop_the_others() {
    for plan in PLANS {
        let receiver = receiver_with(plan);
        let statsd = client(&receiver);
        emit_all(&statsd, 0, 0..100);
        statsd.incr("poison");
        emit_all(&statsd, 0, 100..200);
        assert_all_but(&statsd, 1, &receiver, 200);
    }
}

/// The same, for many such lines: in a row, and between others. After the first, the client needs no
/// new link to find the next.
#[test]
fn many_refused_lines_do_not_stop_the_others() {
    let receiver = receiver_with(PLANS[0]);
    let statsd = client(&receiver);
    for round in 0..20 {
        (0..round).for_each(|_| statsd.incr("poison"));
        emit_all(&statsd, 0, round * 10..(round + 1) * 10);
    }
    assert_all_but(&statsd, 190, &receiver, 200);
    assert!(statsd.stats().connections < 10, "{:?}", statsd.stats());
}

/// More lines in a row are refused than one link tries. Later links try more.
#[test]
fn long_row_of_refused_lines_ends() {
    let receiver = receiver_with(PLANS[0]);
    let statsd = client(&receiver);
    (0..300).for_each(|_| statsd.incr("poison"));
    emit_all(&statsd, 0, 0..10);
    assert_all_but(&statsd, 300, &receiver, 10);
}

/// A firewall refuses everything for many attempts. No line is lost, and few calls are made. All
/// lines arrive once the firewall accepts them.
#[test]
fn firewall_that_refuses_everything_costs_no_line() {
    static IS_CLOSED: AtomicBool = AtomicBool::new(true);
    let receiver = receiver_with(|_, _| IS_CLOSED.load(Relaxed).then_some(libc::EPERM));
    let statsd = client(&receiver);
    let emitted = emit_all(&statsd, 0, 0..300);
    // The fourth, the eighth and the sixteenth attempt try single lines, and the next is the 32nd.
    eventually("many attempts", || statsd.stats().connections >= 18);
    let stats = statsd.stats();
    assert!(stats.connections < 30, "{stats}");
    assert_eq!((stats.buffered, stats.lost()), (emitted, Tally::default()));
    assert!(calls(&receiver) <= stats.connections + 2 + 64 + 128 + 256);
    IS_CLOSED.store(false, Relaxed);
    assert_all_but(&statsd, 0, &receiver, 300);
}

/// A firewall refuses everything, and begins to accept lines while the client tries single ones. No
/// line is given up.
#[test]
fn firewall_that_opens_meanwhile_costs_no_line() {
    for plan in [
        (|_, call| (call < 5).then_some(libc::EPERM)) as Plan,
        |_, call| (call < 6).then_some(libc::EPERM),
        |_, call| (call < 10).then_some(libc::EPERM),
        |_, call| (call < 40).then_some(libc::EPERM),
        |_, call| (call < 68).then_some(libc::EPERM),
        |_, call| (call < 100).then_some(libc::EPERM),
        |data, call| (call < 30 || is_poison(data)).then_some(libc::EPERM),
    ] {
        let receiver = receiver_with(plan);
        let statsd = client(&receiver);
        let has_poison = plan(b"poison", 999).is_some();
        (0..u64::from(has_poison)).for_each(|_| statsd.incr("poison"));
        emit_all(&statsd, 0, 0..100);
        assert_all_but(&statsd, has_poison.into(), &receiver, 100);
    }
}

/// The only line is refused. It is kept, since no other line shows that it is at fault. The next line
/// shows it.
#[test]
fn refused_line_is_kept_until_another_is_accepted() {
    let receiver = receiver_with(PLANS[0]);
    let statsd = client(&receiver);
    statsd.incr("poison");
    eventually("many attempts", || statsd.stats().connections >= 10);
    assert_eq!(statsd.stats().buffered.lines, 1);
    emit_all(&statsd, 0, 0..1);
    assert_all_but(&statsd, 1, &receiver, 1);
}

/// A stop keeps its deadline and the lines while everything is refused.
#[test]
fn stop_keeps_refused_lines() {
    let receiver = receiver_with(|_, _| Some(libc::EPERM));
    let settings = udp(receiver.port()).reconnect_sleep(Duration::from_millis(20));
    let statsd = started(settings.stop_timeout(Duration::from_millis(200)));
    let emitted = emit_all(&statsd, 0, 0..100);
    thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    let report = statsd.blocking_stop();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!((report.kept, report.stats.lost()), (emitted, Tally::default()));
}

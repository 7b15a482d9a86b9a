//! Errors that the operating system seldom makes, made at will: this program has a `send`
//! and a `sendmsg` of its own, which answer for the ports that a test has plans for.

use crate::process::alone;
use crate::support::{
    Arrivals, Listener, Place, UdpReceiver, assert_balanced, emit_all, eventually, flush, started,
    tcp, udp,
};
use freewheel::{Protocol, Tally};
use libc::{c_int, c_void, size_t, sockaddr_in, ssize_t};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// From a datagram's length, and how many were to be sent before it, to an error or none.
type Plan = fn(size_t, u64) -> Option<c_int>;

/// By the port at the other end, with the number of calls so far.
static PLANS: Mutex<BTreeMap<u16, (Plan, u64)>> = Mutex::new(BTreeMap::new());

fn planned(port: u16, length: size_t) -> Option<c_int> {
    let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
    let (plan, calls) = plans.get_mut(&port)?;
    *calls += 1;
    plan(length, *calls - 1)
}

/// The port at the other end; 0 where there is none.
fn peer_port(socket: c_int) -> u16 {
    // SAFETY: all zeros is an address; the call writes no more than the size it is given.
    unsafe {
        let mut address: sockaddr_in = std::mem::zeroed();
        let mut size = size_of::<sockaddr_in>() as libc::socklen_t;
        let is_known = libc::getpeername(socket, (&raw mut address).cast(), &raw mut size) == 0;
        if is_known && address.sin_family == libc::AF_INET as u16 { address.sin_port } else { 0 }
    }
    .to_be()
}

/// By the port at the other end: the flags that calls were made with.
static FLAGS: Mutex<BTreeMap<u16, Vec<c_int>>> = Mutex::new(BTreeMap::new());

fn seen(port: u16, flags: c_int) {
    let mut seen = FLAGS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(seen) = seen.get_mut(&port) {
        seen.push(flags);
    }
}

/// The flags of each call from now on that is to send something to this port.
pub(crate) fn watch_flags_to(port: u16) {
    FLAGS.lock().unwrap_or_else(PoisonError::into_inner).insert(port, Vec::new());
}

/// What was seen since.
pub(crate) fn flags_to(port: u16) -> Vec<c_int> {
    let mut seen = FLAGS.lock().unwrap_or_else(PoisonError::into_inner);
    seen.remove(&port).unwrap_or_default()
}

/// Stands in the place of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn send(
    socket: c_int,
    bytes: *const c_void,
    length: size_t,
    flags: c_int,
) -> ssize_t {
    let port = peer_port(socket);
    seen(port, flags);
    if let Some(error) = planned(port, length) {
        // SAFETY: this thread's own.
        unsafe { *libc::__errno_location() = error };
        return -1;
    }
    // SAFETY: as the caller promised; the C library's does the same.
    unsafe { libc::sendto(socket, bytes, length, flags, std::ptr::null(), 0) }
}

/// The same for batches, by the length of all their datagrams.
#[unsafe(no_mangle)]
unsafe extern "C" fn sendmsg(socket: c_int, batch: *const libc::msghdr, flags: c_int) -> ssize_t {
    // SAFETY: as the caller promised.
    let pieces = unsafe { std::slice::from_raw_parts((*batch).msg_iov, (*batch).msg_iovlen) };
    let length = pieces.iter().map(|piece| piece.iov_len).sum();
    let port = peer_port(socket);
    seen(port, flags);
    if let Some(error) = planned(port, length) {
        // SAFETY: this thread's own.
        unsafe { *libc::__errno_location() = error };
        return -1;
    }
    // SAFETY: as the caller promised; the C library's does the same.
    unsafe { libc::syscall(libc::SYS_sendmsg, socket, batch, flags) as ssize_t }
}

/// A receiver, and errors on the way to it.
fn receiver_with(plan: Plan) -> UdpReceiver {
    let receiver = UdpReceiver::start();
    PLANS.lock().unwrap().insert(receiver.port(), (plan, 0));
    receiver
}

fn calls(receiver: &UdpReceiver) -> u64 {
    PLANS.lock().unwrap()[&receiver.port()].1
}

/// A network may take less than what is set: then datagrams are made smaller, as long as they
/// hold several lines. The line that alone is too long is given up, and counted.
#[test]
fn oversized_datagram_is_split() {
    let receiver = receiver_with(|length, _| (length > 500).then_some(libc::EMSGSIZE));
    let statsd = started(udp(receiver.port()));
    let mut arrivals = Arrivals::default();
    for round in 0..3 {
        emit_all(&statsd, 0, round * 100..(round + 1) * 100);
        statsd.incr(&"n".repeat(600));
        flush(&statsd);
        for datagram in receiver.datagrams(100) {
            assert!(datagram.len() <= 500);
            arrivals.count_datagram(datagram.as_bytes());
        }
    }
    let stats = statsd.stats();
    assert_eq!(stats.losses.too_long, Tally { lines: 3, bytes: 3 * 605 });
    assert_eq!(stats.lost(), stats.losses.too_long);
    arrivals.assert_faultless(&stats);
    assert_eq!(arrivals.numbers(0), Vec::from_iter(0..300));
}

/// Nothing is lost where the operating system is out of memory for a moment.
#[test]
fn datagram_without_kernel_memory_is_sent_again() {
    for plan in [(|_, call| (call % 3 < 2).then_some(libc::ENOBUFS)) as Plan, |_, call| {
        (call % 3 < 2).then_some(libc::ENOMEM)
    }] {
        let receiver = receiver_with(plan);
        let statsd = started(udp(receiver.port()));
        emit_all(&statsd, 0, 0..200);
        flush(&statsd);
        Arrivals::of(&receiver.lines(200)).assert_faultless(&statsd.stats());
        // It takes no new socket for that.
        assert_eq!(statsd.stats().connections, 1);
    }
}

/// What a firewall, a route or an interface that is gone answers: lines wait.
#[test]
fn unroutable_datagram_is_sent_later() {
    const CALLS: u64 = 10;
    for plan in [
        (|_, call| (call < CALLS).then_some(libc::ENETUNREACH)) as Plan,
        |_, call| (call < CALLS).then_some(libc::EHOSTUNREACH),
        |_, call| (call < CALLS).then_some(libc::ENETDOWN),
        |_, call| (call < CALLS).then_some(libc::EPERM),
        |_, call| (call < CALLS).then_some(libc::EINTR),
    ] {
        let receiver = receiver_with(plan);
        let statsd = started(udp(receiver.port()));
        emit_all(&statsd, 0, 0..100);
        flush(&statsd);
        emit_all(&statsd, 0, 100..200);
        flush(&statsd);
        let stats = statsd.stats();
        assert_balanced(&stats);
        Arrivals::of(&receiver.lines(200)).assert_faultless(&stats);
    }
}

/// What takes no batches, whatever it says, gets the same lines by single datagrams. (A filter of system
/// calls, a kernel or a device without offload, a security module.)
#[test]
fn refused_batch_is_sent_as_single_datagrams() {
    for plan in [
        (|length, _| (length > 1_432).then_some(libc::EPERM)) as Plan,
        |length, _| (length > 1_432).then_some(libc::EACCES),
        |length, _| (length > 1_432).then_some(libc::ENOPROTOOPT),
        |length, _| (length > 1_432).then_some(libc::EIO),
        |length, _| (length > 1_432).then_some(libc::EINVAL),
        |length, _| (length > 1_432).then_some(libc::EMSGSIZE),
        |length, _| (length > 1_432).then_some(libc::ENOSYS),
    ] {
        let receiver = receiver_with(plan);
        let statsd = started(udp(receiver.port()));
        let mut arrivals = Arrivals::default();
        for round in 0..20 {
            emit_all(&statsd, 0, round * 100..(round + 1) * 100);
            flush(&statsd);
            arrivals.count_all(&receiver.lines(100));
        }
        let stats = statsd.stats();
        arrivals.assert_faultless(&stats);
        assert_eq!((stats.sent.lines, stats.connections), (2_000, 1));
    }
}

/// It is not asked again and again meanwhile.
#[test]
fn failing_send_is_retried_only_at_reconnects() {
    let receiver = receiver_with(|_, _| Some(libc::EPERM));
    let statsd = started(udp(receiver.port()).reconnect_sleep(Duration::from_millis(20)));
    let emitted = emit_all(&statsd, 0, 0..1_000);
    eventually("several attempts", || statsd.stats().connections > 5);
    // One call for each, and at the first one more: its batch went singly too.
    assert!(calls(&receiver) <= statsd.stats().connections + 1);
    assert_eq!(statsd.stats().buffered, emitted);
}

/// A process that is out of descriptors makes no connection, and keeps what it has until it can.
#[test]
fn lines_wait_while_descriptors_are_exhausted() {
    alone(|| {
        let place = Place::new("descriptors");
        let at_port = Listener::tcp(0);
        let by_tcp = tcp(at_port.port());
        let at_path = Listener::unix(place.path());
        let by_path = place.settings(Protocol::UnixStream);
        for (server, settings) in [(at_port, by_tcp), (at_path, by_path)] {
            let statsd = started(settings);
            let mut peer = server.accept();
            let emitted = emit_all(&statsd, 0, 0..100);
            let mut arrivals = Arrivals::of_stream(&peer.read(emitted.bytes as usize));
            flush(&statsd);
            limit_descriptors(0);
            drop(peer);
            eventually("its end is noticed", || !statsd.connected());
            let emitted = emit_all(&statsd, 0, 100..200);
            thread::sleep(Duration::from_millis(100));
            assert_eq!(statsd.stats().buffered, emitted);
            assert_eq!(statsd.stats().connections, 1);
            limit_descriptors(1_000);
            let mut peer = server.accept();
            arrivals.count_stream(&peer.read(emitted.bytes as usize));
            flush(&statsd);
            arrivals.assert_faultless(&statsd.stats());
        }
    });
}

/// How many this process may have; those that it has stay.
fn limit_descriptors(most: libc::rlim_t) {
    // SAFETY: all zeros is a limit; the calls write one, and read one.
    let result = unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = most.min(limit.rlim_max);
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

//! Tests with injected errors of system calls: this program overrides `send`, `sendmsg`,
//! `getsockopt` and `setsockopt` of the C library.
//!
//! The overrides return errors for the ports that a test has a [`Plan`] for, or that a test has put
//! into [`OLD_KERNEL_PORTS`].

use crate::process::in_own_process;
use crate::support::{
    Arrivals, Listener, SocketPath, UdpReceiver, assert_balanced, emit_all, eventually, flush,
    started, tcp, udp,
};
use freewheel::{Protocol, Tally};
use libc::{c_int, c_void, size_t, sockaddr_in, ssize_t};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Function that chooses the error of a send call, from the data and the number of earlier calls.
/// `None` lets the call through to the kernel.
pub(crate) type Plan = fn(&[u8], u64) -> Option<c_int>;

/// Plan of injected errors for each server's port, and the number of send calls to the port so far.
static PLANS: Mutex<BTreeMap<u16, (Plan, u64)>> = Mutex::new(BTreeMap::new());

/// Counts a send call to this port, and returns the error that the port's plan injects, if any.
fn planned_error(port: u16, data: impl FnOnce() -> Vec<u8>) -> Option<c_int> {
    let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
    let (plan, calls) = plans.get_mut(&port)?;
    *calls += 1;
    plan(&data(), *calls - 1)
}

/// Returns the port of the socket's peer, or 0 if the peer has no IPv4 address.
fn peer_port(socket: c_int) -> u16 {
    // SAFETY: an all-zero address is valid; the call writes at most the given size.
    unsafe {
        let mut address: sockaddr_in = std::mem::zeroed();
        let mut size = size_of::<sockaddr_in>() as libc::socklen_t;
        let is_known = libc::getpeername(socket, (&raw mut address).cast(), &raw mut size) == 0;
        if is_known && address.sin_family == libc::AF_INET as u16 { address.sin_port } else { 0 }
    }
    .to_be()
}

/// Flags of the send calls so far, by the server's port, for the ports that a test watches.
static FLAGS: Mutex<BTreeMap<u16, Vec<c_int>>> = Mutex::new(BTreeMap::new());

fn record_flags(port: u16, flags: c_int) {
    let mut recorded = FLAGS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(recorded) = recorded.get_mut(&port) {
        recorded.push(flags);
    }
}

/// Starts to record the flags of each send call to this port.
pub(crate) fn watch_flags_to(port: u16) {
    FLAGS.lock().unwrap_or_else(PoisonError::into_inner).insert(port, Vec::new());
}

/// Stops the recording of the flags of send calls to this port, and returns the recorded flags.
pub(crate) fn flags_to(port: u16) -> Vec<c_int> {
    let mut recorded = FLAGS.lock().unwrap_or_else(PoisonError::into_inner);
    recorded.remove(&port).unwrap_or_default()
}

/// Overrides the C library's `send`: records the flags, and returns an injected error or sends the
/// data.
#[unsafe(no_mangle)]
unsafe extern "C" fn send(
    socket: c_int,
    bytes: *const c_void,
    length: size_t,
    flags: c_int,
) -> ssize_t {
    let port = peer_port(socket);
    record_flags(port, flags);
    // SAFETY: the caller passes valid data.
    let data = || unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) }.to_vec();
    if let Some(error) = planned_error(port, data) {
        // SAFETY: the pointer is to the calling thread's `errno`.
        unsafe { *libc::__errno_location() = error };
        return -1;
    }
    // SAFETY: the caller keeps the contract of the C library's function, which makes this call.
    unsafe { libc::sendto(socket, bytes, length, flags, std::ptr::null(), 0) }
}

/// Overrides the C library's `sendmsg`: records the flags, and returns an injected error or sends
/// the batch of datagrams. The plan of errors gets the data of the whole batch.
#[unsafe(no_mangle)]
unsafe extern "C" fn sendmsg(socket: c_int, batch: *const libc::msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the caller passes a valid header and valid pieces.
    let pieces = unsafe { std::slice::from_raw_parts((*batch).msg_iov, (*batch).msg_iovlen) };
    // SAFETY: as above.
    let data = |piece: &libc::iovec| unsafe {
        std::slice::from_raw_parts(piece.iov_base.cast::<u8>(), piece.iov_len)
    };
    let data = || pieces.iter().flat_map(data).copied().collect();
    let port = peer_port(socket);
    record_flags(port, flags);
    if let Some(error) = planned_error(port, data) {
        // SAFETY: the pointer is to the calling thread's `errno`.
        unsafe { *libc::__errno_location() = error };
        return -1;
    }
    // SAFETY: the caller passes a valid header.
    let mut batch = unsafe { *batch };
    if has_old_kernel(port) {
        batch.msg_controllen = 0;
    }
    // SAFETY: the caller keeps the contract of the C library's function, which makes this call.
    unsafe { libc::syscall(libc::SYS_sendmsg, socket, &raw const batch, flags) as ssize_t }
}

/// Ports of servers to which this process behaves as with an old kernel, which knows neither UDP
/// segmentation offload nor the options of TCP connections.
static OLD_KERNEL_PORTS: Mutex<Vec<u16>> = Mutex::new(Vec::new());

fn has_old_kernel(port: u16) -> bool {
    OLD_KERNEL_PORTS.lock().unwrap_or_else(PoisonError::into_inner).contains(&port)
}

/// Overrides the C library's `getsockopt`, so that UDP segmentation offload looks unsupported for
/// the ports in `OLD_KERNEL_PORTS`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockopt(
    socket: c_int,
    level: c_int,
    option: c_int,
    value: *mut c_void,
    size: *mut libc::socklen_t,
) -> c_int {
    if (level, option) == (libc::SOL_UDP, libc::UDP_SEGMENT) && has_old_kernel(peer_port(socket)) {
        // SAFETY: the pointer is to the calling thread's `errno`.
        unsafe { *libc::__errno_location() = libc::ENOPROTOOPT };
        return -1;
    }
    // SAFETY: the caller keeps the contract of the C library's function, which makes this call.
    unsafe { libc::syscall(libc::SYS_getsockopt, socket, level, option, value, size) as c_int }
}

/// Overrides the C library's `setsockopt`, so that options of TCP connections are refused for the
/// ports in `OLD_KERNEL_PORTS`.
#[unsafe(no_mangle)]
unsafe extern "C" fn setsockopt(
    socket: c_int,
    level: c_int,
    option: c_int,
    value: *const c_void,
    size: libc::socklen_t,
) -> c_int {
    if level == libc::IPPROTO_TCP && has_old_kernel(peer_port(socket)) {
        // SAFETY: the pointer is to the calling thread's `errno`.
        unsafe { *libc::__errno_location() = libc::ENOPROTOOPT };
        return -1;
    }
    // SAFETY: the caller keeps the contract of the C library's function, which makes this call.
    unsafe { libc::syscall(libc::SYS_setsockopt, socket, level, option, value, size) as c_int }
}

/// The client sends single datagrams if the kernel has no segmentation offload. Linux before 4.18
/// ignores the request to cut a batch, and would send the batch as one datagram.
#[test]
fn kernel_without_offload_gets_single_datagrams() {
    let receiver = UdpReceiver::start();
    OLD_KERNEL_PORTS.lock().unwrap().push(receiver.port());
    let statsd = started(udp(receiver.port()));
    let mut arrivals = Arrivals::default();
    // Fits into the receiver's buffer.
    for round in 0..5 {
        emit_all(&statsd, 0, round * 100..(round + 1) * 100);
        flush(&statsd);
        for datagram in receiver.datagrams(100) {
            assert!(datagram.len() <= 1432, "{} bytes", datagram.len());
            arrivals.count_datagram(datagram.as_bytes());
        }
    }
    assert_eq!(arrivals.tally(), statsd.stats().sent);
}

/// A TCP connection works although the operating system refuses its socket options. WSL 1, for
/// instance, has no `TCP_USER_TIMEOUT`.
#[test]
fn refused_options_do_not_cost_the_connection() {
    let server = Listener::tcp(0);
    OLD_KERNEL_PORTS.lock().unwrap().push(server.port());
    let statsd = started(tcp(server.port()));
    let peer = server.accept();
    let reading = thread::spawn(|| peer.read_to_end());
    emit_all(&statsd, 0, 0..1_000);
    flush(&statsd);
    let stats = statsd.blocking_stop().stats;
    assert_eq!(stats.connections, 1);
    Arrivals::of_stream(&reading.join().unwrap()).assert_agree_with(&stats);
}

/// Starts a UDP server, and injects the errors of `plan` into send calls to it.
pub(crate) fn receiver_with(plan: Plan) -> UdpReceiver {
    let receiver = UdpReceiver::start();
    PLANS.lock().unwrap().insert(receiver.port(), (plan, 0));
    receiver
}

/// Returns the number of send calls to this server, including failed ones.
pub(crate) fn calls(receiver: &UdpReceiver) -> u64 {
    PLANS.lock().unwrap()[&receiver.port()].1
}

/// The network accepts less than the configured datagram payload. The client then sends smaller
/// datagrams, and it discards and counts a single line that is too long.
#[test]
fn oversized_datagram_is_split() {
    let receiver = receiver_with(|data, _| (data.len() > 500).then_some(libc::EMSGSIZE));
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
    arrivals.assert_agree_with(&stats);
    assert_eq!(arrivals.numbers(0), Vec::from_iter(0..300));
}

/// The client sends a datagram again if the kernel lacks memory for it (`ENOBUFS` or `ENOMEM`), so
/// that no line is lost.
#[test]
fn datagram_without_kernel_memory_is_sent_again() {
    for plan in [(|_, call| (call % 3 < 2).then_some(libc::ENOBUFS)) as Plan, |_, call| {
        (call % 3 < 2).then_some(libc::ENOMEM)
    }] {
        let receiver = receiver_with(plan);
        let statsd = started(udp(receiver.port()));
        emit_all(&statsd, 0, 0..200);
        flush(&statsd);
        Arrivals::of(&receiver.lines(200)).assert_agree_with(&statsd.stats());
        // The client keeps its socket.
        assert_eq!(statsd.stats().connections, 1);
    }
}

/// Lines wait while a missing route or a missing interface makes sends fail, and are
/// sent later.
#[test]
fn unroutable_datagram_is_sent_later() {
    const CALLS: u64 = 10;
    for plan in [
        (|_, call| (call < CALLS).then_some(libc::ENETUNREACH)) as Plan,
        |_, call| (call < CALLS).then_some(libc::EHOSTUNREACH),
        |_, call| (call < CALLS).then_some(libc::ENETDOWN),
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
        Arrivals::of(&receiver.lines(200)).assert_agree_with(&stats);
    }
}

/// A batch of datagrams that the operating system refuses is sent again as single datagrams,
/// regardless of the error. (Causes are a filter of system calls, a kernel or device without
/// offload, or a security module.)
#[test]
fn refused_batch_is_sent_as_single_datagrams() {
    for plan in [
        (|data, _| (data.len() > 1_432).then_some(libc::EPERM)) as Plan,
        |data, _| (data.len() > 1_432).then_some(libc::EACCES),
        |data, _| (data.len() > 1_432).then_some(libc::ENOPROTOOPT),
        |data, _| (data.len() > 1_432).then_some(libc::EIO),
        |data, _| (data.len() > 1_432).then_some(libc::EINVAL),
        |data, _| (data.len() > 1_432).then_some(libc::EMSGSIZE),
        |data, _| (data.len() > 1_432).then_some(libc::ENOSYS),
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
        arrivals.assert_agree_with(&stats);
        assert_eq!((stats.sent.lines, stats.connections), (2_000, 1));
    }
}

/// The client repeats a failing `send` only when it reconnects, and not in between.
#[test]
fn failing_send_is_retried_only_at_reconnects() {
    let receiver = receiver_with(|_, _| Some(libc::ENETUNREACH));
    let statsd = started(udp(receiver.port()).reconnect_sleep(Duration::from_millis(20)));
    let emitted = emit_all(&statsd, 0, 0..1_000);
    eventually("several attempts", || statsd.stats().connections > 5);
    // Each attempt makes one call. The first attempt makes two, because it repeats its batch as a
    // single datagram.
    assert!(calls(&receiver) <= statsd.stats().connections + 1);
    assert_eq!(statsd.stats().buffered, emitted);
}

/// A process without free file descriptors cannot reconnect. The client keeps its lines until
/// descriptors are free.
#[test]
fn lines_wait_while_descriptors_are_exhausted() {
    in_own_process(|| {
        let socket_path = SocketPath::new("descriptors");
        let tcp_server = Listener::tcp(0);
        let tcp_settings = tcp(tcp_server.port());
        let unix_server = Listener::unix(socket_path.path());
        let unix_settings = socket_path.settings(Protocol::UnixStream);
        for (server, settings) in [(tcp_server, tcp_settings), (unix_server, unix_settings)] {
            let statsd = started(settings);
            let mut peer = server.accept();
            let emitted = emit_all(&statsd, 0, 0..100);
            let mut arrivals = Arrivals::of_stream(&peer.read(emitted.bytes as usize));
            flush(&statsd);
            limit_descriptors(0);
            drop(peer);
            eventually("the client notices the end", || !statsd.connected());
            let emitted = emit_all(&statsd, 0, 100..200);
            thread::sleep(Duration::from_millis(100));
            assert_eq!(statsd.stats().buffered, emitted);
            assert_eq!(statsd.stats().connections, 1);
            limit_descriptors(1_000);
            let mut peer = server.accept();
            arrivals.count_stream(&peer.read_lines(emitted.bytes as usize));
            flush(&statsd);
            arrivals.assert_agree_with(&statsd.stats());
        }
    });
}

/// Limits the number of file descriptors that this process can open. Open descriptors stay open.
fn limit_descriptors(max: libc::rlim_t) {
    // SAFETY: an all-zero limit is valid; the first call writes it and the second reads it.
    let result = unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = max.min(limit.rlim_max);
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

//! Tests of the acknowledgement of lines over TCP, and of the lines that are lost when a connection
//! breaks.

#![cfg(target_os = "linux")]

use crate::support::{
    Close, TcpReceiver, assert_balanced, assert_whole_and_in_order, emit_numbered, eventually,
    flush, numbered, numbers_by_thread, started, tcp, udp, unused_port,
};
use freewheel::{Connector, Delivery, StopReport};
use std::io::Read;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// Emits more lines than the TCP socket buffers of client and server hold, while the server does
/// not read. Returns the number of lines.
fn emit_until_stalled(statsd: &Connector) -> u64 {
    const LINES: u64 = 40_000;
    for number in 0..LINES {
        if number % 500 == 0 {
            thread::sleep(Duration::from_millis(2));
        }
        emit_numbered(statsd, 0, number);
    }
    eventually("no more lines can be written", || {
        let before = statsd.stats();
        thread::sleep(Duration::from_millis(100));
        statsd.stats() == before && before.connections > 0
    });
    LINES
}

/// Asserts that the numbers are exactly the expected range, in order.
#[track_caller]
fn assert_equals_range(numbers: impl IntoIterator<Item = u64>, expected: std::ops::Range<u64>) {
    let mut next = expected.start;
    for number in numbers {
        assert_eq!(number, next, "of {expected:?}");
        next += 1;
    }
    assert_eq!(next, expected.end, "of {expected:?}");
}

/// Outcome of a run of the function [`reset`]: the lines that were emitted, that counted as sent,
/// and that the second server received.
struct Reset {
    emitted: u64,
    /// Number of lines that counted as sent just before the server that read nothing reset the
    /// connection.
    sent: u64,
    second: Vec<String>,
    report: StopReport,
}

/// Runs a connector against a server that reads nothing and then resets the connection, and then
/// against a second server at the same port.
fn reset(delivery: Delivery) -> Reset {
    let listener = TcpReceiver::listen(Ipv4Addr::LOCALHOST, 0, Close::Abrupt);
    let port = listener.port();
    listener.stall();
    let statsd = started(tcp(port).queue_capacity(32 << 20).delivery(delivery));
    let emitted = emit_until_stalled(&statsd);
    let sent = statsd.stats().sent.lines;
    assert!(listener.kill().is_empty(), "the stalled server has read lines");
    let second = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    flush(&statsd);
    let report = statsd.blocking_stop();
    assert_balanced(&report.stats);
    assert_eq!(report.stats.sent, report.stats.emitted);
    second.wait_for_end();
    let second = second.kill();
    assert_whole_and_in_order(&second);
    Reset { emitted, sent, second, report }
}

/// A server stops reading and then resets the connection. The next server gets exactly the lines
/// that the first server had not acknowledged.
#[test]
fn reset_loses_only_acknowledged_lines() {
    let Reset { emitted, sent, second, report } = reset(Delivery::Acknowledged);
    // The acknowledged lines fit into the receive buffer of the first server.
    assert!(sent < 2_000, "{sent} of {emitted} lines were acknowledged");
    assert_equals_range(numbers_by_thread(&second)[&0].iter().copied(), sent..emitted);
    assert_eq!(report.unacknowledged.lines, 0);
}

/// Lines count as sent once they are written, with `Delivery::Written`. A reset loses the written
/// lines that the server has not read, and here the server has read none.
#[test]
fn reset_loses_written_lines_with_delivery_written() {
    let Reset { emitted, sent, second, .. } = reset(Delivery::Written);
    // The bound is below the number of written lines, which TCP_NOTSENT_LOWAT limits.
    assert!(sent > 1_000, "{sent} of {emitted} lines were written");
    assert_equals_range(numbers_by_thread(&second)[&0].iter().copied(), sent..emitted);
}

/// A server that shuts down its sending side but continues to read gets each unacknowledged line
/// once. The flusher waits for the acknowledgements before it reconnects.
#[test]
fn half_closed_server_gets_no_line_twice() {
    let port = unused_port();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let statsd = started(tcp(port).queue_capacity(32 << 20));
    let (first, _) = listener.accept().unwrap();
    let emitted = emit_until_stalled(&statsd);
    first.shutdown(Shutdown::Write).unwrap();
    // The flusher notices the half-close before the server acknowledges more.
    thread::sleep(Duration::from_millis(100));
    let read = |mut stream: TcpStream| {
        thread::spawn(move || {
            let mut text = Vec::new();
            stream.read_to_end(&mut text).map(|_| text).unwrap()
        })
    };
    let first = read(first);
    let second = read(listener.accept().unwrap().0);
    flush(&statsd);
    drop(statsd);
    let mut text = first.join().unwrap();
    // The next connection begins with the line that was cut.
    text.truncate(text.iter().rposition(|&byte| byte == b'\n').unwrap() + 1);
    text.extend(second.join().unwrap());
    let text = String::from_utf8(text).unwrap();
    // An empty line probes the second server.
    let numbers: Vec<_> =
        text.lines().filter(|line| !line.is_empty()).map(|line| numbered(line).1).collect();
    assert_equals_range(numbers, 0..emitted);
}

/// A stop that times out leaves unacknowledged lines to the operating system, and reports their
/// number. The system delivers them, and the next start does not send them again.
#[test]
fn expired_stop_leaves_lines_in_flight_to_the_kernel() {
    let receiver = TcpReceiver::start();
    receiver.stall();
    let settings = tcp(receiver.port()).queue_capacity(32 << 20);
    let statsd = started(settings.stop_timeout(Duration::from_millis(500)));
    let emitted = emit_until_stalled(&statsd);
    let report = statsd.blocking_stop();
    assert_balanced(&report.stats);
    assert!(report.unacknowledged.lines > 1_000, "{report:?}");
    assert!(report.kept.lines > 0, "{report:?}");
    receiver.resume_reading();
    eventually("the connector can be started again", || statsd.start_on_thread().is_ok());
    receiver.wait_for_lines(emitted);
    eventually("all lines are acknowledged", || statsd.stats().buffered.lines == 0);
    let mut numbers = receiver.lines().iter().map(|line| numbered(line).1).collect::<Vec<_>>();
    numbers.sort_unstable();
    assert_equals_range(numbers, 0..emitted);
}

/// A tokio runtime that shuts down leaves the flusher's unacknowledged lines to the operating
/// system, which delivers them. The next start does not send them again.
#[test]
fn ended_runtime_leaves_lines_in_flight_to_the_kernel() {
    let receiver = TcpReceiver::start();
    receiver.stall();
    let statsd = tcp(receiver.port()).queue_capacity(32 << 20).build().unwrap();
    let runtime = crate::support::runtime();
    runtime.block_on(statsd.start()).unwrap();
    let emitted = emit_until_stalled(&statsd);
    drop(runtime);
    receiver.resume_reading();
    statsd.start_on_thread().unwrap();
    receiver.wait_for_lines(emitted);
    eventually("all lines are acknowledged", || statsd.stats().buffered.lines == 0);
    let mut numbers = receiver.lines().iter().map(|line| numbered(line).1).collect::<Vec<_>>();
    numbers.sort_unstable();
    assert_equals_range(numbers, 0..emitted);
}

/// A UDP server comes back and receives the first datagram after a refusal. The flusher ends at
/// once: by a stop in the first round, and with its runtime in the second. The datagram arrives
/// once, also after the next start.
#[test]
fn the_datagram_after_a_refusal_is_left_to_the_kernel() {
    for is_stopped in [true, false] {
        let port = unused_port();
        let settings = udp(port).reconnect_sleep(Duration::from_millis(20));
        let statsd = settings.stop_timeout(Duration::from_millis(1)).build().unwrap();
        let runtime = crate::support::runtime();
        runtime.block_on(statsd.start()).unwrap();
        statsd.incr("once");
        thread::sleep(Duration::from_millis(200));
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        server.recv(&mut [0; 100]).unwrap();
        if is_stopped {
            let report = statsd.blocking_stop();
            assert_eq!((report.sent, report.kept.lines), (report.unacknowledged, 0), "{report:?}");
        }
        drop(runtime);
        statsd.start_on_thread().unwrap();
        // The stop timeout is also that of a flush.
        eventually("a flush ends in time", || statsd.blocking_flush().is_ok());
        assert_balanced(&statsd.stats());
        assert_eq!(statsd.stats().sent.lines, 1);
        server.set_nonblocking(true).unwrap();
        assert!(server.recv(&mut [0; 100]).is_err(), "the line arrived twice");
    }
}

/// A live server acknowledges no data for the peer timeout. The flusher reconnects, and each line
/// arrives exactly once in the end.
#[test]
fn unacknowledging_server_is_abandoned_in_time() {
    let receiver = TcpReceiver::start();
    receiver.stall();
    let settings = tcp(receiver.port()).queue_capacity(32 << 20);
    let statsd = started(settings.peer_timeout(Duration::from_millis(500)));
    let emitted = emit_until_stalled(&statsd);
    eventually("the flusher reconnects twice", || statsd.stats().connections >= 3);
    receiver.resume_reading();
    flush(&statsd);
    assert_eq!(statsd.stats().sent.lines, emitted);
    receiver.wait_for_lines(emitted);
    let mut numbers = receiver.lines().iter().map(|line| numbered(line).1).collect::<Vec<_>>();
    numbers.sort_unstable();
    assert_equals_range(numbers, 0..emitted);
}

//! Tests of stopping a connector: the lines that a stop sends, its report, and its deadline.

#[cfg(target_os = "linux")]
use crate::support::{Arrivals, Listener, emit_all};
use crate::support::{
    Close, FullAcceptQueue, TcpReceiver, WAIT_TIMEOUT, assert_balanced, emit_numbered, eventually,
    flush, numbers_by_thread, park_on, promptly, started, tally, tcp, unused_port,
};
use freewheel::{Connector, FlushError, StartError, StopReport, Tally};
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder as RuntimeBuilder;
use tokio::time::timeout;

/// Stop timeout of connectors that cannot send all their lines. The tests wait longer than this for
/// a stop to return.
const STOP_TIMEOUT: Duration = Duration::from_millis(300);

/// Number of lines that a test emits so that their bytes exceed the receive buffer of a
/// [`Listener`] many times.
#[cfg(target_os = "linux")]
const LINES_IN_FLIGHT: u64 = 6_000;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn unstarted_connector_flushes_and_stops_at_once() {
    let statsd = tcp(unused_port()).stop_timeout(DAY).build().unwrap();
    let emitted = emit_numbered(&statsd, 0, 0);
    let (outcome, report) = promptly(move || (statsd.blocking_flush(), statsd.blocking_stop()));
    assert_eq!(outcome, Err(FlushError::NotRunning));
    assert_eq!((report.sent, report.kept), (Tally::default(), emitted));
}

#[test]
fn stop_report_matches_the_account() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    // This runtime runs tasks only during `block_on`: nothing is sent before the stop.
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    let emitted = emit_numbered(&statsd, 0, 0);
    let report = runtime.block_on(statsd.stop());
    assert_eq!((report.sent, report.kept), (emitted, Tally::default()));
    assert_eq!(report.stats, statsd.stats());
    receiver.wait_for_lines(1);
}

#[test]
fn stop_report_has_only_its_own_lines() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()).flush_interval(DAY));
    emit_numbered(&statsd, 0, 0);
    flush(&statsd);
    let emitted = emit_numbered(&statsd, 0, 1) + emit_numbered(&statsd, 0, 2);
    let report = statsd.blocking_stop();
    assert_eq!((report.sent, report.kept), (emitted, Tally::default()));
    receiver.wait_for_lines(3);
}

#[test]
fn a_second_stop_finds_nothing_to_do() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    emit_numbered(&statsd, 0, 0);
    let first = statsd.blocking_stop();
    let second = statsd.blocking_stop();
    assert_eq!((second.sent, second.kept), (Tally::default(), Tally::default()));
    assert_eq!(first.stats, second.stats);
}

#[test]
fn stops_at_the_same_time_are_all_answered() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    let emitted = emit_numbered(&statsd, 0, 0);
    let stops = [(); 8].map(|()| {
        let statsd = statsd.clone();
        thread::spawn(move || promptly(move || statsd.blocking_stop()))
    });
    for stop in stops {
        let report = stop.join().unwrap();
        assert_eq!((report.kept, report.stats.sent), (Tally::default(), emitted));
    }
    statsd.start_on_thread().unwrap();
}

/// Two threads stop the same connector while the server does not read. Each stop reports
/// unacknowledged lines, or that the flusher did not reply in time.
#[test]
#[cfg(target_os = "linux")]
fn simultaneous_stops_each_report() {
    let server = Listener::tcp(0);
    let statsd = started(tcp(server.port()).stop_timeout(STOP_TIMEOUT));
    let _stalled = server.accept();
    emit_all(&statsd, 0, 0..LINES_IN_FLIGHT);
    let stops = [(); 2].map(|()| {
        let statsd = statsd.clone();
        thread::spawn(move || promptly(move || statsd.blocking_stop()))
    });
    for report in stops.map(|stop| stop.join().unwrap()) {
        assert!(report.unfinished || report.unacknowledged.lines > 0, "{report:?}");
    }
}

/// A stop does not return as soon as all lines are written. It also waits for the acknowledgements
/// of the server's operating system, at most until its deadline.
#[test]
#[cfg(target_os = "linux")]
fn stop_waits_for_lines_in_flight() {
    let server = Listener::tcp(0);
    let statsd = started(tcp(server.port()));
    let peer = server.accept();
    emit_all(&statsd, 0, 0..LINES_IN_FLIGHT);
    let reading = thread::spawn(|| {
        thread::sleep(STOP_TIMEOUT);
        peer.read_to_end()
    });
    let report = statsd.blocking_stop();
    assert_eq!((report.unacknowledged, report.kept), (Tally::default(), Tally::default()));
    let arrivals = Arrivals::of_stream(&reading.join().unwrap());
    arrivals.assert_agree_with(&report.stats);
    assert_eq!(arrivals.tally().lines, LINES_IN_FLIGHT);
}

#[test]
fn cancelled_stop_still_stops() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    emit_numbered(&statsd, 0, 0);
    {
        let stop = pin!(statsd.stop());
        let _ = stop.poll(&mut Context::from_waker(Waker::noop()));
    }
    eventually("the connector can be started again", || statsd.start_on_thread().is_ok());
    emit_numbered(&statsd, 0, 1);
    flush(&statsd);
    receiver.wait_for_lines(2);
    assert_eq!(receiver.lines_by_connection().len(), 2);
}

#[test]
fn start_succeeds_after_a_stop_has_replied() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    for _ in 0..200 {
        statsd.incr("a");
        assert_eq!(statsd.blocking_stop().kept.lines, 0);
        statsd.start_on_thread().unwrap();
    }
    assert_balanced(&statsd.blocking_stop().stats);
}

/// Calls [`stop_at_deadline`], and then starts the connector again, which shows that the flusher
/// has ended.
fn stop_and_restart(statsd: &Connector) -> StopReport {
    let report = stop_at_deadline(statsd);
    eventually("the connector can be started again", || statsd.start_on_thread().is_ok());
    report
}

/// Stops a connector that cannot send all its lines. Asserts that the stop lasts until its
/// deadline, and that the connector keeps the unsent lines.
fn stop_at_deadline(statsd: &Connector) -> StopReport {
    let stopping = statsd.clone();
    let start = Instant::now();
    let report = promptly(move || stopping.blocking_stop());
    assert!(start.elapsed() >= STOP_TIMEOUT, "the stop ended before its deadline");
    assert!(report.kept.lines > 0, "nothing was kept: {report:?}");
    assert_eq!(report.kept, report.stats.buffered);
    assert_balanced(&report.stats);
    report
}

#[test]
fn stop_keeps_its_deadline_without_a_server() {
    let port = unused_port();
    let statsd = started(tcp(port).stop_timeout(STOP_TIMEOUT));
    let emitted = emit_numbered(&statsd, 0, 0);
    assert_eq!(stop_and_restart(&statsd).kept, emitted);
}

#[test]
fn a_stop_keeps_its_deadline_between_attempts_to_connect() {
    let port = unused_port();
    let statsd = started(tcp(port).reconnect_sleep(DAY).stop_timeout(STOP_TIMEOUT));
    let emitted = emit_numbered(&statsd, 0, 0);
    assert_eq!(stop_and_restart(&statsd).kept, emitted);
}

#[test]
fn a_stop_keeps_its_deadline_while_it_connects() {
    let hole = FullAcceptQueue::open();
    let statsd = started(tcp(hole.port()).connect_timeout(DAY).stop_timeout(STOP_TIMEOUT));
    let emitted = emit_numbered(&statsd, 0, 0);
    assert_eq!(stop_and_restart(&statsd).kept, emitted);
    assert!(!statsd.connected());
}

#[test]
fn stop_keeps_its_deadline_on_a_blocked_runtime() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    let emitted = emit_numbered(&statsd, 0, 0);
    let flushing = statsd.clone();
    assert_eq!(promptly(move || flushing.blocking_flush()), Err(FlushError::TimedOut));
    let report = stop_at_deadline(&statsd);
    assert!(report.unfinished);
    assert_eq!((report.sent, report.kept), (Tally::default(), emitted));
    // The flusher stops once its runtime runs it.
    assert!(matches!(statsd.start_on_thread(), Err(StartError::AlreadyRunning)));
    runtime.block_on(async { timeout(WAIT_TIMEOUT, restart(&statsd)).await }).unwrap();
    assert_eq!(statsd.stats().sent, emitted);
    receiver.wait_for_lines(1);
}

/// Waits until the flusher of a stopped connector has ended, and starts the connector again.
async fn restart(statsd: &Connector) {
    while statsd.start().await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_stop_does_not_wait_for_the_next_attempt_to_connect() {
    let port = unused_port();
    let statsd = started(tcp(port).reconnect_sleep(DAY));
    let emitted = emit_numbered(&statsd, 0, 0);
    // Long enough for the first attempt to fail. Otherwise the stop would find it still running.
    thread::sleep(Duration::from_millis(100));
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    assert_eq!(statsd.blocking_stop().sent, emitted);
    receiver.wait_for_lines(1);
}

/// Lines that a stop could not write by its deadline, because the server did not read, arrive after
/// the next start. No line is lost or sent twice.
#[test]
fn restart_delivers_exactly_the_kept_lines() {
    let receiver = TcpReceiver::start();
    receiver.stall();
    let builder = tcp(receiver.port()).queue_capacity(16 << 20);
    let statsd = started(builder.stop_timeout(STOP_TIMEOUT));
    // This exceeds what the operating system buffers for a server that does not read.
    let emitted: Vec<_> = (0..40_000).map(|number| emit_numbered(&statsd, 0, number)).collect();
    let report = stop_at_deadline(&statsd);
    assert_eq!(report.stats.dropped(), Tally::default());

    receiver.resume_reading();
    receiver.wait_for_end();
    // The flusher closes its connection after its last change of the account. So these counts are
    // final, even if the stop returned before the flusher ended.
    let stats = statsd.stats();
    assert!(report.unfinished || report.stats == stats, "{report:?}, and then {stats:?}");
    assert_eq!(tally(&receiver.lines()), stats.sent);

    eventually("the connector can be started again", || statsd.start_on_thread().is_ok());
    eventually("all lines are sent", || statsd.blocking_flush() == Ok(()));
    receiver.wait_for_lines(emitted.len() as u64);
    let [_, delivered] = &receiver.lines_by_connection()[..] else {
        panic!("the number of connections is not two")
    };
    assert_eq!(tally(delivered), stats.buffered);
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(0..40_000));
}

#[test]
fn a_flush_in_any_executor_gives_up_in_time() {
    let statsd = started(tcp(unused_port()).stop_timeout(STOP_TIMEOUT));
    statsd.incr("a");
    let flushing = statsd.clone();
    assert_eq!(promptly(move || park_on(flushing.flush())), Err(FlushError::TimedOut));
    assert_eq!(statsd.stats().buffered.lines, 1);
}

/// A flush that begins during a stop waits until the stop has ended. It then fails with
/// `NotRunning`, or with `TimedOut` if the flusher ends late.
#[test]
fn flush_during_an_unfinished_stop_returns_an_error() {
    let statsd = started(tcp(unused_port()).stop_timeout(STOP_TIMEOUT));
    emit_numbered(&statsd, 0, 0);
    let stopping = statsd.clone();
    let stop = thread::spawn(move || stopping.blocking_stop());
    // The flush begins later, so its deadline is after the deadline of the stop.
    thread::sleep(STOP_TIMEOUT / 2);
    let outcome = statsd.blocking_flush();
    // On a busy machine, the flusher may end after both deadlines.
    assert!(matches!(outcome, Err(FlushError::NotRunning | FlushError::TimedOut)), "{outcome:?}");
    assert_eq!(stop.join().unwrap().kept.lines, 1);
    eventually("the flusher has ended", || statsd.blocking_flush() == Err(FlushError::NotRunning));
}

//! Tests of a connector's lifecycle: start, flush, stop, restart, and the drop of its handles.

use crate::support::{
    Close, TcpReceiver, UdpReceiver, WAIT_TIMEOUT, assert_balanced, emit_numbered, eventually,
    flush, numbers_by_thread, park_on, promptly, runtime, started, tally, tcp, udp, unused_port,
};
use freewheel::{Connector, Delivery, FlushError, StartError, Tally};
use std::future::Future;
use std::net::Ipv4Addr;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder as RuntimeBuilder;

/// Stop timeout of a connector after its server has shut down.
const STOP_TIMEOUT: Duration = Duration::from_millis(300);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the lines that one increment of each named counter emits.
fn counters(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{name}:1|c")).collect()
}

#[test]
fn a_start_outside_a_runtime_is_an_error_and_changes_nothing() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    assert!(matches!(park_on(statsd.start()), Err(StartError::NoRuntime)));
    statsd.start_on_thread().unwrap();
    statsd.incr("a");
    flush(&statsd);
    receiver.wait_for_lines(1);
}

#[test]
fn a_second_start_is_an_error_and_the_first_goes_on() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let runtime = runtime();
    runtime.block_on(statsd.start()).unwrap();
    statsd.incr("a");
    assert!(matches!(runtime.block_on(statsd.start()), Err(StartError::AlreadyRunning)));
    assert!(matches!(statsd.clone().start_on_thread(), Err(StartError::AlreadyRunning)));
    statsd.incr("b");
    flush(&statsd);
    receiver.wait_for_lines(2);
    assert_eq!(receiver.lines_by_connection(), [counters(&["a", "b"])]);
}

#[test]
fn a_second_start_is_an_error_within_a_runtime_too() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    runtime().block_on(async {
        assert!(matches!(statsd.start().await, Err(StartError::AlreadyRunning)));
        assert!(matches!(statsd.start_on_thread(), Err(StartError::AlreadyRunning)));
    });
    assert_eq!(statsd.blocking_stop().kept, Tally::default());
}

#[test]
fn lines_emitted_while_stopped_are_delivered_in_order() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let mut numbers = 0..;
    for round in 1..=3 {
        for number in numbers.by_ref().take(100) {
            emit_numbered(&statsd, 0, number);
        }
        assert_eq!(statsd.stats().buffered.lines, 100);
        statsd.start_on_thread().unwrap();
        for number in numbers.by_ref().take(100) {
            emit_numbered(&statsd, 0, number);
        }
        let report = statsd.blocking_stop();
        assert_eq!(report.kept, Tally::default());
        receiver.wait_for_lines(200 * round);
    }
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(0..600));
}

#[test]
fn connected_is_true_from_connection_to_stop() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    assert!(!statsd.connected());
    statsd.start_on_thread().unwrap();
    eventually("the connector is connected", || statsd.connected());
    let _report = statsd.blocking_stop();
    assert!(!statsd.connected());
    assert_eq!(statsd.stats().connections, 1);
}

#[test]
fn connected_is_false_after_the_server_went() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()).reconnect_sleep(DAY).stop_timeout(STOP_TIMEOUT));
    eventually("the connector is connected", || statsd.connected());
    drop(receiver);
    eventually("the connector is disconnected", || !statsd.connected());
}

#[test]
fn cancelled_start_still_starts() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let runtime = runtime();
    runtime.block_on(async {
        let start = pin!(statsd.start());
        let _ = start.poll(&mut Context::from_waker(Waker::noop()));
    });
    emit_numbered(&statsd, 0, 0);
    flush(&statsd);
    receiver.wait_for_lines(1);
}

#[test]
fn runtime_end_leaves_unsent_lines_to_the_next_start() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let first = runtime();
    first.block_on(statsd.start()).unwrap();
    emit_numbered(&statsd, 0, 0);
    flush(&statsd);
    assert!(statsd.connected());
    drop(first);
    assert!(!statsd.connected());
    assert_eq!(statsd.blocking_flush(), Err(FlushError::NotRunning));
    emit_numbered(&statsd, 0, 1);

    let second = runtime();
    second.block_on(statsd.start()).unwrap();
    flush(&statsd);
    receiver.wait_for_lines(2);
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], [0, 1]);
}

#[test]
fn connected_is_false_after_a_runtime_ended_and_a_restart() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let first = runtime();
    first.block_on(statsd.start()).unwrap();
    eventually("the connector is connected", || statsd.connected());
    drop(first);

    // This runtime runs tasks only during `block_on`. At the first check the flusher has not run
    // yet, and at the second check it has not connected yet.
    let second = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    second.block_on(async {
        let mut start = pin!(statsd.start());
        let _ = start.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(!statsd.connected());
        start.await.unwrap();
        assert!(!statsd.connected());
    });
}

#[test]
fn a_dropped_clone_does_not_stop_the_others() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let clone = statsd.clone();
    clone.start_on_thread().unwrap();
    clone.incr("a");
    drop(clone);
    statsd.incr("b");
    flush(&statsd);
    receiver.wait_for_lines(2);
    assert_eq!(receiver.lines_by_connection(), [counters(&["a", "b"])]);
}

#[test]
fn dropping_the_last_handle_sends_buffered_lines() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()).flush_interval(DAY));
    for number in 0..1_000 {
        emit_numbered(&statsd, 0, number);
    }
    drop(statsd);
    receiver.wait_for_lines(1_000);
    receiver.wait_for_end();
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(0..1_000));
}

#[test]
fn the_last_handle_is_dropped_before_the_server_is_there() {
    let port = unused_port();
    let statsd = started(tcp(port));
    let emitted = emit_numbered(&statsd, 0, 0);
    drop(statsd);
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    receiver.wait_for_lines(1);
    assert_eq!(tally(&receiver.lines()), emitted);
}

#[test]
fn dropping_the_last_handle_sends_over_udp() {
    let receiver = UdpReceiver::start();
    let statsd = started(udp(receiver.port()).flush_interval(DAY));
    for number in 0..100 {
        emit_numbered(&statsd, 0, number);
    }
    drop(statsd);
    assert_eq!(numbers_by_thread(&receiver.lines(100))[&0], Vec::from_iter(0..100));
}

#[test]
fn a_disabled_connector_does_nothing() {
    let statsd = Connector::disabled();
    park_on(statsd.start()).unwrap();
    statsd.start_on_thread().unwrap();
    statsd.incr("a");
    statsd.gauge("a", -1.5);
    statsd.inject_metric("a", "1", "c");
    drop(statsd.timer("a"));
    assert_eq!(statsd.blocking_flush(), Ok(()));
    assert!(!statsd.connected());
    let report = statsd.blocking_stop();
    assert_eq!((report.sent, report.kept), (Tally::default(), Tally::default()));
    assert_eq!(statsd.stats(), Default::default());
}

/// Asserts that a start is refused in a tokio runtime that lacks a driver, and that the connector
/// can then be started on a thread. `configure` enables the runtime's drivers.
fn assert_unfit(configure: fn(&mut RuntimeBuilder) -> &mut RuntimeBuilder) {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let starting = statsd.clone();
    let result = promptly(move || {
        let mut runtime = RuntimeBuilder::new_current_thread();
        configure(&mut runtime).build().unwrap().block_on(starting.start())
    });
    assert!(matches!(result, Err(StartError::UnsuitableRuntime)), "{result:?}");
    statsd.start_on_thread().unwrap();
    statsd.incr("a");
    flush(&statsd);
    receiver.wait_for_lines(1);
}

#[test]
fn a_runtime_without_drivers_is_unfit() {
    assert_unfit(|runtime| runtime);
}

#[test]
fn a_runtime_without_its_time_driver_is_unfit() {
    assert_unfit(|runtime| runtime.enable_io());
}

#[test]
fn a_runtime_without_its_io_driver_is_unfit() {
    assert_unfit(|runtime| runtime.enable_time());
}

#[test]
fn any_executor_will_do_for_a_flush_and_a_stop() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    statsd.incr("a");
    assert_eq!(park_on(statsd.flush()), Ok(()));
    statsd.incr("b");
    assert_eq!(park_on(statsd.stop()).kept, Tally::default());
    receiver.wait_for_lines(2);
    assert_eq!(receiver.lines(), counters(&["a", "b"]));
}

#[test]
fn lines_queued_before_a_connection_need_no_tick() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).flush_interval(DAY).build().unwrap();
    statsd.incr("a");
    statsd.start_on_thread().unwrap();
    receiver.wait_for_lines(1);
}

#[test]
fn a_flush_needs_no_tick() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()).flush_interval(DAY));
    for lines in 1..=3 {
        statsd.incr("a");
        flush(&statsd);
        receiver.wait_for_lines(lines);
    }
}

#[test]
fn a_disabled_connector_blocks_nowhere() {
    runtime().block_on(async {
        assert_eq!(Connector::disabled().blocking_flush(), Ok(()));
        assert_eq!(Connector::disabled().blocking_stop().kept, Tally::default());
    });
    assert_eq!(Connector::disabled().timer("a").elapsed(), Duration::ZERO);
}

/// The type `Connector` has the traits that spawned tasks and unwinding code require.
#[test]
fn a_connector_is_send_sync_and_unwind_safe() {
    fn assert_implements<T: Clone + Send + Sync + UnwindSafe + RefUnwindSafe + 'static>() {}
    assert_implements::<Connector>();
}

/// A producer thread that fills a block of lines rings: it wakes the flusher, which then sends
/// lines. The flush interval is an hour, so that nothing else wakes the flusher.
#[test]
fn a_ring_is_heard_without_a_tick() {
    let receiver = TcpReceiver::start();
    let settings = tcp(receiver.port()).queue_capacity(64 << 10);
    let statsd = started(settings.flush_interval(Duration::from_secs(3600)));
    eventually("connected", || statsd.connected());
    let mut sent = 0;
    for round in 0..200 {
        // These lines fill several blocks. After a lost ring, none of them would be sent.
        for number in 0..400 {
            emit_numbered(&statsd, round, number);
        }
        eventually("lines are sent after a ring", || statsd.stats().sent.lines > sent);
        sent = statsd.stats().sent.lines;
    }
    assert_balanced(&statsd.blocking_stop().stats);
}

/// A ring, by which a producer thread wakes the flusher, is not lost if it comes just before the
/// flusher goes to sleep.
#[test]
fn a_ring_while_the_flusher_falls_asleep_is_heard() {
    let receiver = TcpReceiver::start();
    // `Delivery::Written`, because polling for acknowledgements would wake the flusher like a tick.
    let settings = tcp(receiver.port()).queue_capacity(4 << 10).delivery(Delivery::Written);
    let statsd = started(settings.flush_interval(Duration::from_secs(3600)));
    eventually("connected", || statsd.connected());
    // Each line takes more than half a block, so each line seals the previous block and rings.
    let name = "x".repeat(600);
    for lines in 0..60_000 {
        statsd.incr(&name);
        let rung = Instant::now();
        while statsd.stats().sent.lines < lines {
            assert!(rung.elapsed() < WAIT_TIMEOUT, "a ring was lost");
            thread::yield_now();
        }
        // The flusher is about to park. The next ring comes a little later each time, so that some
        // rings come at that moment.
        (0..lines % 100).for_each(|_| std::hint::spin_loop());
    }
    assert_balanced(&statsd.blocking_stop().stats);
}

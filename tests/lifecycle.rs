//! Settings, starting, stopping, and all that can come between.

// In a test, that is an assertion.
#![allow(clippy::unwrap_used)]

mod support;

use freewheel::{Builder, Connector, Delivery, FlushOutcome, StartError, Stats, StopReport, Tally};
use std::cell::RefCell;
use std::future::Future;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc::{self, Sender};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};
use support::{
    BlackHole, Close, PATIENCE, TcpReceiver, UdpReceiver, assert_balanced, emit_numbered,
    eventually, flush, numbers_by_thread, park_on, promptly, quiet_port, runtime, started, tally,
    tcp, udp,
};
use thread_local::ThreadLocal;
use tokio::runtime::Builder as RuntimeBuilder;

/// What the tests of deadlines stop by; the tests themselves are more patient.
const STOP_TIMEOUT: Duration = Duration::from_millis(300);

/// When so much time has passed beyond it, the account may have answered in the flusher's place.
const LATE: Duration = Duration::from_millis(250);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn counters(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{name}:1|c")).collect()
}

#[test]
fn bad_settings_are_refused_by_name_and_value() {
    let given = || Connector::builder("127.0.0.1");
    let label = "l".repeat(64);
    let name = ["l".repeat(63).as_str(); 4].join(".");
    let long_prefix = "p".repeat(257);
    let longer_than_a_day = DAY + Duration::from_nanos(1);
    let refused: Vec<(Builder, &str, &str)> = vec![
        (Connector::builder(""), "host", ""),
        (Connector::builder("two words"), "host", "two words"),
        (Connector::builder("statsd.example:8125"), "host", "statsd.example:8125"),
        (Connector::builder("http://statsd.example"), "host", "http://statsd.example"),
        (Connector::builder("[::1]:8125"), "host", "[::1]:8125"),
        (Connector::builder("[127.0.0.1]"), "host", "[127.0.0.1]"),
        (Connector::builder("[::1"), "host", "[::1"),
        (Connector::builder("1::2::3"), "host", "1::2::3"),
        (Connector::builder("a..b"), "host", "a..b"),
        (Connector::builder("."), "host", "."),
        (Connector::builder("999.999.999.999"), "host", "999.999.999.999"),
        (Connector::builder("1.2.3"), "host", "1.2.3"),
        (Connector::builder("-statsd"), "host", "-statsd"),
        (Connector::builder("statsd.example\n"), "host", r"statsd.example\n"),
        (Connector::builder(&label), "host", &label),
        (Connector::builder(&name), "host", &name),
        (given().port(0), "port", "0"),
        (given().prefix("a:b"), "prefix", "a:b"),
        (given().prefix("a|b"), "prefix", "a|b"),
        (given().prefix("a\nb"), "prefix", r"a\nb"),
        (given().prefix("a\u{85}b"), "prefix", r"a\u{85}b"),
        (given().prefix(&long_prefix), "prefix", &long_prefix),
        (given().queue_capacity(1023), "queue_capacity", "1023"),
        (given().queue_capacity((1 << 30) + 1), "queue_capacity", "1073741825"),
        (given().max_datagram_payload(0), "max_datagram_payload", "0"),
        (given().max_datagram_payload(65_508), "max_datagram_payload", "65508"),
        (given().flush_interval(Duration::ZERO), "flush_interval", "0ns"),
        (given().flush_interval(longer_than_a_day), "flush_interval", "86400.000000001s"),
        (given().reconnect_sleep(Duration::ZERO), "reconnect_sleep", "0ns"),
        (given().reconnect_sleep(longer_than_a_day), "reconnect_sleep", "86400.000000001s"),
        (given().connect_timeout(Duration::ZERO), "connect_timeout", "0ns"),
        (given().connect_timeout(longer_than_a_day), "connect_timeout", "86400.000000001s"),
        (given().stop_timeout(Duration::ZERO), "stop_timeout", "0ns"),
        (given().stop_timeout(longer_than_a_day), "stop_timeout", "86400.000000001s"),
    ];
    for (builder, setting, value) in refused {
        let error = builder.build().expect_err(value);
        assert_eq!(error.setting(), setting);
        assert!(error.value().contains(value), "{error}");
        assert!(error.to_string().starts_with(&format!("{setting}: ")), "{error}");
        assert!(error.to_string().contains(value), "{error}");
    }
}

#[test]
fn settings_at_their_bounds_are_accepted() {
    let given = || Connector::builder("127.0.0.1");
    let label = "l".repeat(63);
    let accepted = [
        Connector::builder("localhost"),
        Connector::builder("statsd.example."),
        Connector::builder("my_stats-d.example"),
        Connector::builder(&label),
        Connector::builder("::1"),
        Connector::builder("[::1]"),
        given().port(1),
        given().port(65_535),
        given().prefix(""),
        given().prefix("..."),
        given().prefix(format!(".{}.", "p".repeat(256))),
        given().queue_capacity(1 << 10),
        given().queue_capacity(1 << 30),
        given().max_datagram_payload(1),
        given().max_datagram_payload(65_507),
        given().flush_interval(Duration::from_nanos(1)),
        given().flush_interval(DAY),
        given().reconnect_sleep(DAY),
        given().connect_timeout(DAY),
        given().stop_timeout(DAY),
    ];
    for builder in accepted {
        let text = format!("{builder:?}");
        assert!(builder.build().is_ok(), "{text}");
    }
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
fn what_is_emitted_while_it_does_not_run_is_kept_and_delivered_in_order() {
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
fn what_never_ran_is_flushed_and_stopped_at_once() {
    let statsd = tcp(quiet_port()).stop_timeout(DAY).build().unwrap();
    let emitted = emit_numbered(&statsd, 0, 0);
    let (outcome, report) = promptly(move || (statsd.blocking_flush(), statsd.blocking_stop()));
    assert_eq!(outcome, FlushOutcome::NotRunning);
    assert_eq!((report.sent, report.kept), (Tally::default(), emitted));
}

#[test]
fn a_stop_says_what_it_sent() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    // This runtime turns only while it is waited for: nothing is sent before the stop.
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    let emitted = emit_numbered(&statsd, 0, 0);
    let report = runtime.block_on(statsd.stop());
    assert_eq!((report.sent, report.kept), (emitted, Tally::default()));
    assert_eq!(report.stats, statsd.stats());
    receiver.wait_for_lines(1);
}

#[test]
fn it_is_connected_from_the_connection_to_the_stop() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    assert!(!statsd.connected());
    statsd.start_on_thread().unwrap();
    eventually("it is connected", || statsd.connected());
    let _report = statsd.blocking_stop();
    assert!(!statsd.connected());
    assert_eq!(statsd.stats().connections, 1);
}

#[test]
fn it_is_not_connected_once_the_server_is_gone() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()).reconnect_sleep(DAY).stop_timeout(STOP_TIMEOUT));
    eventually("it is connected", || statsd.connected());
    drop(receiver);
    eventually("it is not connected", || !statsd.connected());
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

#[test]
fn a_stop_that_is_given_up_stops_nevertheless() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    emit_numbered(&statsd, 0, 0);
    {
        let stop = pin!(statsd.stop());
        let _ = stop.poll(&mut Context::from_waker(Waker::noop()));
    }
    eventually("it can be started again", || statsd.start_on_thread().is_ok());
    emit_numbered(&statsd, 0, 1);
    flush(&statsd);
    receiver.wait_for_lines(2);
    assert_eq!(receiver.lines_by_connection().len(), 2);
}

#[test]
fn a_start_that_is_given_up_starts_nevertheless() {
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

/// Stops where the server takes nothing, or nothing more. The deadline must be kept.
fn stop_in_vain(statsd: &Connector) -> StopReport {
    let stopping = statsd.clone();
    let start = Instant::now();
    let report = promptly(move || stopping.blocking_stop());
    assert!(start.elapsed() >= STOP_TIMEOUT, "it did not try for as long as it may");
    assert!(report.kept.lines > 0, "nothing was kept: {report:?}");
    assert_eq!(report.kept, report.stats.buffered);
    assert_balanced(&report.stats);
    report
}

#[test]
fn a_stop_keeps_its_deadline_where_nobody_listens() {
    let port = quiet_port();
    let statsd = started(tcp(port).stop_timeout(STOP_TIMEOUT));
    let emitted = emit_numbered(&statsd, 0, 0);
    assert_eq!(stop_in_vain(&statsd).kept, emitted);
}

#[test]
fn a_stop_keeps_its_deadline_between_attempts_to_connect() {
    let port = quiet_port();
    let statsd = started(tcp(port).reconnect_sleep(DAY).stop_timeout(STOP_TIMEOUT));
    let emitted = emit_numbered(&statsd, 0, 0);
    assert_eq!(stop_in_vain(&statsd).kept, emitted);
}

#[test]
fn a_stop_keeps_its_deadline_while_it_connects() {
    let hole = BlackHole::open();
    let statsd = started(tcp(hole.port()).connect_timeout(DAY).stop_timeout(STOP_TIMEOUT));
    let emitted = emit_numbered(&statsd, 0, 0);
    assert_eq!(stop_in_vain(&statsd).kept, emitted);
    assert!(!statsd.connected());
}

#[test]
fn a_stop_keeps_its_deadline_on_a_runtime_that_does_not_turn() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    let emitted = emit_numbered(&statsd, 0, 0);
    let flushing = statsd.clone();
    assert_eq!(promptly(move || flushing.blocking_flush()), FlushOutcome::TimedOut);
    assert_eq!(stop_in_vain(&statsd).kept, emitted);
}

#[test]
fn a_stop_does_not_wait_for_the_next_attempt_to_connect() {
    let port = quiet_port();
    let statsd = started(tcp(port).reconnect_sleep(DAY));
    let emitted = emit_numbered(&statsd, 0, 0);
    // Long enough for an attempt to have failed; were it not, there would be nothing to see.
    thread::sleep(Duration::from_millis(100));
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    assert_eq!(statsd.blocking_stop().sent, emitted);
    receiver.wait_for_lines(1);
}

/// The lines that a stalled server has not taken when the deadline comes are exactly those that
/// arrive after the next start: none is lost, none comes twice.
#[test]
fn a_restart_delivers_exactly_what_a_stop_kept() {
    let receiver = TcpReceiver::start();
    receiver.stall();
    let builder = tcp(receiver.port()).queue_capacity(16 << 20);
    let statsd = started(builder.stop_timeout(STOP_TIMEOUT));
    // More than the operating system takes for a server that does not read.
    let emitted: Vec<_> = (0..40_000).map(|number| emit_numbered(&statsd, 0, number)).collect();
    let start = Instant::now();
    let report = stop_in_vain(&statsd);
    let is_late = start.elapsed() >= STOP_TIMEOUT + LATE;
    assert_eq!(report.stats.dropped(), Tally::default());

    receiver.read_on();
    receiver.wait_for_end();
    // The flusher closes its connection after it has settled the account, however late that was.
    let stats = statsd.stats();
    assert!(is_late || report.stats == stats, "{report:?}, and then {stats:?}");
    assert_eq!(tally(&receiver.lines()), stats.sent);

    eventually("it can be started again", || statsd.start_on_thread().is_ok());
    eventually("all is sent", || statsd.blocking_flush() == FlushOutcome::Done);
    receiver.wait_for_lines(emitted.len() as u64);
    let [_, delivered] = &receiver.lines_by_connection()[..] else { panic!("two connections") };
    assert_eq!(tally(delivered), stats.buffered);
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], Vec::from_iter(0..40_000));
}

#[test]
fn a_runtime_that_ends_leaves_what_was_not_sent_to_the_next_start() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let first = runtime();
    first.block_on(statsd.start()).unwrap();
    emit_numbered(&statsd, 0, 0);
    flush(&statsd);
    assert!(statsd.connected());
    drop(first);
    assert!(!statsd.connected());
    assert_eq!(statsd.blocking_flush(), FlushOutcome::NotRunning);
    emit_numbered(&statsd, 0, 1);

    let second = runtime();
    second.block_on(statsd.start()).unwrap();
    flush(&statsd);
    receiver.wait_for_lines(2);
    assert_eq!(numbers_by_thread(&receiver.lines())[&0], [0, 1]);
}

#[test]
fn a_connection_that_ended_with_its_runtime_is_not_taken_for_one_after_the_next_start() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let first = runtime();
    first.block_on(statsd.start()).unwrap();
    eventually("it is connected", || statsd.connected());
    drop(first);

    // This runtime turns only while it is waited for: the flusher has not connected yet, and at
    // first not even begun.
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
fn the_last_handle_sends_what_it_can_when_it_is_dropped() {
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
    let port = quiet_port();
    let statsd = started(tcp(port));
    let emitted = emit_numbered(&statsd, 0, 0);
    drop(statsd);
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    receiver.wait_for_lines(1);
    assert_eq!(tally(&receiver.lines()), emitted);
}

#[test]
fn the_last_handle_sends_what_it_can_over_udp() {
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
    assert_eq!(statsd.blocking_flush(), FlushOutcome::Done);
    assert!(!statsd.connected());
    let report = statsd.blocking_stop();
    assert_eq!((report.sent, report.kept), (Tally::default(), Tally::default()));
    assert_eq!(statsd.stats(), Default::default());
}

/// Without one of its drivers a runtime cannot run the flusher. That is known before the first
/// line, and leaves a connector that can be started elsewhere.
fn is_unfit(configure: fn(&mut RuntimeBuilder) -> &mut RuntimeBuilder) {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    let starting = statsd.clone();
    let result = promptly(move || {
        let mut runtime = RuntimeBuilder::new_current_thread();
        configure(&mut runtime).build().unwrap().block_on(starting.start())
    });
    assert!(matches!(result, Err(StartError::RuntimeUnfit)), "{result:?}");
    statsd.start_on_thread().unwrap();
    statsd.incr("a");
    flush(&statsd);
    receiver.wait_for_lines(1);
}

#[test]
fn a_runtime_without_drivers_is_unfit() {
    is_unfit(|runtime| runtime);
}

#[test]
fn a_runtime_without_its_time_driver_is_unfit() {
    is_unfit(|runtime| runtime.enable_io());
}

#[test]
fn a_runtime_without_its_io_driver_is_unfit() {
    is_unfit(|runtime| runtime.enable_time());
}

#[test]
fn any_executor_will_do_for_a_flush_and_a_stop() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    statsd.incr("a");
    assert_eq!(park_on(statsd.flush()), FlushOutcome::Done);
    statsd.incr("b");
    assert_eq!(park_on(statsd.stop()).kept, Tally::default());
    receiver.wait_for_lines(2);
    assert_eq!(receiver.lines(), counters(&["a", "b"]));
}

#[test]
fn a_flush_in_any_executor_gives_up_in_time() {
    let statsd = started(tcp(quiet_port()).stop_timeout(STOP_TIMEOUT));
    statsd.incr("a");
    let flushing = statsd.clone();
    assert_eq!(promptly(move || park_on(flushing.flush())), FlushOutcome::TimedOut);
    assert_eq!(statsd.stats().buffered.lines, 1);
}

#[test]
fn what_waits_for_a_connection_needs_no_tick() {
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
fn a_timer_may_end_on_another_thread() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    thread::scope(|scope| {
        let timer = statsd.timer("a");
        scope.spawn(move || drop(timer));
    });
    runtime().block_on(async {
        let _timer = statsd.timer("b");
        tokio::task::yield_now().await;
    });
    flush(&statsd);
    receiver.wait_for_lines(2);
    let lines = receiver.lines();
    let recorded = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
    assert_eq!((recorded("a:"), recorded("b:")), (1, 1), "{lines:?}");
}

/// Emits when its thread ends, and says how that went.
struct Farewell {
    statsd: Connector,
    result: Sender<thread::Result<()>>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        // A panic here would end the process.
        let emit = AssertUnwindSafe(|| (0..10).for_each(|_| self.statsd.incr("farewell")));
        let _ = self.result.send(catch_unwind(emit));
    }
}

thread_local! {
    static FAREWELL: RefCell<Option<Farewell>> = const { RefCell::new(None) };
}

/// The destructors of a thread's values may emit, whichever side of the connector's own they
/// come on. What comes too late is counted.
///
/// The thread's body is given what it is to keep in `FAREWELL`.
fn farewells_are_counted(body: fn(&Connector, Farewell), lines: u64) -> Stats {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    let (sender, result) = mpsc::channel();
    let farewell = Farewell { statsd: statsd.clone(), result: sender };
    let emitting = statsd.clone();
    thread::spawn(move || body(&emitting, farewell)).join().unwrap();
    result.recv().unwrap().expect("emitting never panics");
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!(stats.emitted.lines, lines);
    assert_eq!(stats.sent.lines + stats.drops.thread_exit.lines, lines);
    assert_balanced(&stats);
    receiver.wait_for_lines(stats.sent.lines);
    stats
}

#[test]
fn a_destructor_that_runs_after_the_connectors_own_may_emit() {
    let body = |statsd: &Connector, farewell| {
        FAREWELL.set(Some(farewell));
        statsd.incr("a");
    };
    let _ = farewells_are_counted(body, 11);
}

#[test]
fn a_destructor_that_runs_before_the_connectors_own_may_emit() {
    let body = |statsd: &Connector, farewell| {
        statsd.incr("a");
        FAREWELL.set(Some(farewell));
    };
    let _ = farewells_are_counted(body, 11);
}

#[test]
fn a_thread_may_emit_only_when_it_ends() {
    farewells_are_counted(|_, farewell| FAREWELL.set(Some(farewell)), 10);
}

#[test]
fn a_thread_that_has_used_another_connector_may_emit_when_it_ends() {
    let body = |_: &Connector, farewell| {
        FAREWELL.set(Some(farewell));
        tcp(1).build().unwrap().incr("a");
    };
    farewells_are_counted(body, 10);
}

/// Other libraries in the process may keep their places in the same crate as the connector.
#[test]
fn a_thread_whose_places_are_gone_before_its_first_line_may_emit_when_it_ends() {
    let body = |_: &Connector, farewell| {
        FAREWELL.set(Some(farewell));
        ThreadLocal::new().get_or(|| ());
    };
    let stats = farewells_are_counted(body, 10);
    // All of them: a line that were accepted would be in a place that no thread inherits.
    assert_eq!(stats.drops.thread_exit.lines, 10);
}

#[test]
fn short_lived_threads_lose_nothing() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    let mut emitted = Tally::default();
    for wave in 0..100 {
        let threads = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|thread| {
            let statsd = statsd.clone();
            let emit = move |number| emit_numbered(&statsd, wave * 10 + thread, number);
            thread::spawn(move || (0..10).map(emit).fold(Tally::default(), |a, b| a + b))
        });
        emitted = threads.into_iter().fold(emitted, |sum, thread| sum + thread.join().unwrap());
    }
    flush(&statsd);
    let stats = statsd.stats();
    assert_eq!((stats.emitted, stats.sent), (emitted, emitted));
    receiver.wait_for_lines(10_000);
    let threads = numbers_by_thread(&receiver.lines());
    assert_eq!(threads.len(), 1_000);
    assert!(threads.values().all(|numbers| numbers.iter().copied().eq(0..10)));
}

/// A thread takes over the memory of one that ended. If each brought its own, nothing would be
/// dropped here.
#[test]
fn short_lived_threads_share_their_memory() {
    const BLOCK: u64 = 1 << 10;
    /// Threads of other tests take some of the places meanwhile.
    const PLACES: u64 = 200;
    let statsd = tcp(quiet_port()).queue_capacity(BLOCK as usize).build().unwrap();
    let mut emitted = Tally::default();
    for thread in 0..1_000 {
        let emit = |number| emit_numbered(&statsd, thread, number);
        let ten_lines = || (0..10).map(emit).fold(Tally::default(), |a, b| a + b);
        emitted += thread::scope(|scope| scope.spawn(ten_lines).join().unwrap());
    }
    let stats = statsd.stats();
    assert_eq!(stats.emitted, emitted);
    assert!(stats.buffered.bytes <= (1 + PLACES) * BLOCK, "{stats:?}");
    assert_balanced(&stats);
}

#[test]
fn a_stop_reports_what_it_sent() {
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
fn a_disabled_connector_blocks_nowhere() {
    runtime().block_on(async {
        assert_eq!(Connector::disabled().blocking_flush(), FlushOutcome::Done);
        assert_eq!(Connector::disabled().blocking_stop().kept, Tally::default());
    });
    assert_eq!(Connector::disabled().timer("a").elapsed(), Duration::ZERO);
}

/// A handle can be had in all places that ask for one of these.
#[test]
fn a_connector_is_at_home_everywhere() {
    fn is_at_home<T: Clone + Send + Sync + UnwindSafe + RefUnwindSafe + 'static>() {}
    is_at_home::<Connector>();
}

/// No tick comes to help: what a full block rings for is fetched by the ring alone, each time.
#[test]
fn a_ring_is_heard_without_a_tick() {
    let receiver = TcpReceiver::start();
    let settings = tcp(receiver.port()).queue_capacity(64 << 10);
    let statsd = started(settings.flush_interval(Duration::from_secs(3600)));
    eventually("connected", || statsd.connected());
    let mut sent = 0;
    for round in 0..200 {
        // As many as fill a block, on and on: a ring that is lost leaves them where they are.
        for number in 0..400 {
            emit_numbered(&statsd, round, number);
        }
        eventually("a ring is heard", || statsd.stats().sent.lines > sent);
        sent = statsd.stats().sent.lines;
    }
    assert_balanced(&statsd.blocking_stop().stats);
}

/// Nor does it matter when the ring comes: just before the flusher sleeps, it is kept for it.
#[test]
fn a_ring_while_the_flusher_falls_asleep_is_heard() {
    let receiver = TcpReceiver::start();
    // Written: acknowledgements are looked for a millisecond later, as if there were a tick.
    let settings = tcp(receiver.port()).queue_capacity(4 << 10).delivery(Delivery::Written);
    let statsd = started(settings.flush_interval(Duration::from_secs(3600)));
    eventually("connected", || statsd.connected());
    // More than half a block: each line seals the one before, and rings.
    let name = "x".repeat(600);
    for lines in 0..60_000 {
        statsd.incr(&name);
        let rung = Instant::now();
        while statsd.stats().sent.lines < lines {
            assert!(rung.elapsed() < PATIENCE, "a ring was not heard");
            thread::yield_now();
        }
        // The flusher is about to sleep: the next ring comes a little later each time.
        (0..lines % 100).for_each(|_| std::hint::spin_loop());
    }
    assert_balanced(&statsd.blocking_stop().stats);
}

#[test]
fn a_stop_that_was_answered_leaves_room_for_a_start() {
    let receiver = TcpReceiver::start();
    let statsd = started(tcp(receiver.port()));
    for _ in 0..200 {
        statsd.incr("a");
        assert_eq!(statsd.blocking_stop().kept.lines, 0);
        statsd.start_on_thread().unwrap();
    }
    assert_balanced(&statsd.blocking_stop().stats);
}

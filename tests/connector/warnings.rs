//! Tests of warnings, which the library sends to the application's log. The log may itself use
//! connectors, even the connector that warns.

use crate::support::{
    Close, TcpReceiver, UdpReceiver, WAIT_TIMEOUT, eventually, flush, started, tcp, udp,
    unused_port,
};
use freewheel::{Connector, FlushError, Protocol, Settings, StartError, StopReport};
use std::fmt;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Metadata, Subscriber};

const STOP_TIMEOUT: Duration = Duration::from_millis(100);

/// Warning that the library has logged: its message, and the number of lines that it concerns.
#[derive(Clone, Debug, Default, PartialEq)]
struct Warning {
    message: String,
    lines: Option<u64>,
}

impl Visit for Warning {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "lines" {
            self.lines = Some(value);
        }
    }
}

/// Subscriber of `tracing` that calls `action` for each warning, and then records the warning.
struct Log {
    warnings: Arc<Mutex<Vec<Warning>>>,
    action: Box<dyn Fn() + Send + Sync>,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("freewheel")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut warning = Warning::default();
        event.record(&mut warning);
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.action)()));
        self.warnings.lock().unwrap().push(warning);
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
    }
}

/// Warnings that arose on this thread since this value was created, and that the log has handled.
struct Warnings {
    warnings: Arc<Mutex<Vec<Warning>>>,
    _log: DefaultGuard,
}

impl Warnings {
    /// Installs a log for this thread that records warnings and calls `action` for each warning.
    fn record(action: impl Fn() + Send + Sync + 'static) -> Self {
        let warnings = Arc::default();
        let log = Log { warnings: Arc::clone(&warnings), action: Box::new(action) };
        Self { warnings, _log: set_default(log) }
    }

    fn all(&self) -> Vec<Warning> {
        self.warnings.lock().unwrap().clone()
    }

    /// Waits until `number` warnings were logged, and returns all of them.
    fn wait_for(&self, number: usize) -> Vec<Warning> {
        eventually("the warnings are logged", || self.all().len() >= number);
        self.all()
    }

    /// Waits for a warning, and asserts that exactly one was logged. Its message must begin with
    /// `message`, and it must concern `lines` lines.
    #[track_caller]
    fn assert_one(&self, message: &str, lines: Option<u64>) {
        let all = self.wait_for(1);
        assert!(
            matches!(&all[..], [one] if one.message.starts_with(message) && one.lines == lines),
            "{all:?}"
        );
    }

    /// Runs the tokio runtime, with the flusher task on it, until a warning is logged.
    fn wait(&self, runtime: &Runtime) {
        runtime.block_on(async {
            let warned = async {
                while self.all().is_empty() {
                    // The log runs in real time, also if the runtime's clock is paused.
                    thread::sleep(Duration::from_millis(1));
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(WAIT_TIMEOUT, warned)
                .await
                .expect("the flusher warns within the timeout");
        });
    }
}

/// Returns a tokio runtime that runs tasks on the test's own thread, so that the flusher's warnings
/// go to the log of that thread.
fn current_thread_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Returns a tokio runtime with a thread of its own, which has the log of the calling thread.
fn multi_thread_runtime() -> Runtime {
    let log = tracing::dispatcher::get_default(Clone::clone);
    let set_log = move || std::mem::forget(tracing::dispatcher::set_default(&log));
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(1).on_thread_start(set_log).enable_all().build().unwrap()
}

/// Number of lines that the tests' log handler emits when a warning is logged. Their bytes exceed a
/// block (buffer) of 16 KiB.
const LINES: u64 = 1_000;

fn emit(statsd: &Connector) {
    (0..LINES).for_each(|_| statsd.incr("emitted.by.the.log.itself"));
}

/// Starts a second connector, sends a line with it, and stops it.
fn use_another() {
    let receiver = UdpReceiver::start();
    let another = started(udp(receiver.port()));
    another.incr("a");
    flush(&another);
    assert_eq!(another.blocking_stop().kept.lines, 0);
}

/// Uses a running connector from within the log's handler of a warning that its flusher logs.
/// Asserts that a start is refused, and that a flush finds the flusher running.
fn use_running(statsd: &Connector) {
    emit(statsd);
    let _ = format!("{statsd:?} {}", statsd.connected());
    assert!(matches!(statsd.start_on_thread(), Err(StartError::AlreadyRunning)));
    assert_ne!(statsd.blocking_flush(), Err(FlushError::NotRunning));
    use_another();
}

/// Uses a connector with an ended flusher from within the log's handler of a warning. Asserts that
/// a flush fails, and that a new start succeeds.
fn use_ended(statsd: &Connector) {
    emit(statsd);
    assert!(!statsd.connected());
    assert_eq!(statsd.blocking_flush(), Err(FlushError::NotRunning));
    assert!(!statsd.blocking_stop().unfinished);
    statsd.start_on_thread().unwrap();
    use_another();
}

/// Dropping the last handle of a connector causes a warning of unsent or dropped lines, even if no
/// flusher runs.
#[test]
fn warns_of_lines_without_a_flusher() {
    let (receiver, warnings) = (UdpReceiver::start(), Warnings::record(|| {}));
    let message = "the last connector was dropped with metrics unsent";
    let is_last = |number: usize, message: &str, lines: u64| {
        eventually("a warning is logged", || warnings.all().len() >= number);
        let all = warnings.all();
        let last = &all[number - 1];
        assert!(last.message.starts_with(message) && last.lines == Some(lines), "{all:?}");
    };
    let build = || udp(receiver.port()).build().unwrap();

    // Never started.
    let statsd = build();
    (0..3).for_each(|_| statsd.incr("a"));
    drop(statsd);
    is_last(1, message, 3);
    // Emitted after the stop.
    let statsd = build();
    statsd.start_on_thread().unwrap();
    assert_eq!(statsd.blocking_stop().kept.lines, 0);
    (0..2).for_each(|_| statsd.incr("a"));
    drop(statsd);
    is_last(2, message, 2);
    // Dropped before any start.
    let statsd = build();
    (0..4).for_each(|_| statsd.gauge("a", f64::NAN));
    drop(statsd);
    is_last(3, "metrics were dropped or lost", 4);
    assert_eq!(warnings.all().len(), 3);
    // Nothing is lost.
    drop(build());
    drop(Connector::disabled());
    assert_eq!(warnings.all().len(), 3);
}

/// A stop warns of the lines dropped since the last warning, even if that warning was logged only a
/// moment before.
#[test]
fn a_stop_reports_the_last_drops() {
    let (receiver, warnings) = (UdpReceiver::start(), Warnings::record(|| {}));
    let (statsd, runtime) = (udp(receiver.port()).build().unwrap(), current_thread_runtime());
    runtime.block_on(statsd.start()).unwrap();
    for lines in [1, 5] {
        (0..lines).for_each(|_| statsd.gauge("a", f64::NAN));
        if lines == 1 {
            warnings.wait(&runtime);
        }
    }
    assert_eq!(runtime.block_on(statsd.stop()).kept.lines, 0);
    let lines: Vec<_> = warnings.wait_for(2).iter().map(|warning| warning.lines).collect();
    assert_eq!(lines, [Some(1), Some(5)]);
}

/// The flusher delays a warning of dropped lines because of a rate limit. It logs the warning
/// later, even if no other line is emitted.
#[test]
fn drops_before_an_idle_time_are_reported() {
    let (receiver, warnings) = (UdpReceiver::start(), Warnings::record(|| {}));
    let statsd = udp(receiver.port()).build().unwrap();
    let mut paused = Builder::new_current_thread();
    let runtime = paused.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    statsd.gauge("a", f64::NAN);
    warnings.wait(&runtime);
    (0..7).for_each(|_| statsd.gauge("a", f64::NAN));
    runtime.block_on(async { tokio::time::sleep(Duration::from_secs(20)).await });
    let lines: Vec<_> = warnings.wait_for(2).iter().map(|warning| warning.lines).collect();
    assert_eq!(lines, [Some(1), Some(7)]);
}

#[test]
fn warns_of_an_unreachable_server() {
    let port = unused_port();
    let statsd = tcp(port).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let (in_log, runtime) = (statsd.clone(), current_thread_runtime());
    let warnings = Warnings::record(move || use_running(&in_log));
    statsd.incr("a");
    runtime.block_on(statsd.start()).unwrap();
    warnings.wait(&runtime);
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    while runtime.block_on(statsd.flush()) != Ok(()) {}
    receiver.wait_for_lines(LINES + 1);
    warnings.assert_one("cannot reach the StatsD server", None);
}

/// A server at a path that reads nothing keeps its socket, so that the link does not fail. The
/// flusher warns once lines have waited for the peer timeout.
#[test]
#[cfg(unix)]
fn warns_of_a_stalled_server() {
    for protocol in [Protocol::UnixDatagram, Protocol::UnixStream] {
        let socket_path = crate::support::SocketPath::new("warnings");
        let path = socket_path.path();
        let _receiver = (protocol == Protocol::UnixDatagram).then(|| socket_path.bind());
        let _listener = (protocol == Protocol::UnixStream)
            .then(|| std::os::unix::net::UnixListener::bind(path).unwrap());
        let settings = socket_path.settings(protocol).peer_timeout(Duration::from_millis(50));
        let statsd = settings.stop_timeout(STOP_TIMEOUT).build().unwrap();
        let (in_log, runtime) = (statsd.clone(), current_thread_runtime());
        let warnings = Warnings::record(move || use_running(&in_log));
        let lines = 20_000;
        (0..lines).for_each(|_| statsd.incr("a.line.that.waits"));
        runtime.block_on(statsd.start()).unwrap();
        warnings.wait(&runtime);
        assert!(!statsd.connected());
        let all = warnings.all();
        assert!(all[0].message.starts_with("the StatsD server accepts nothing"), "{all:?}");
        assert!(matches!(all[0].lines, Some(1..=20_000)), "{all:?}");
    }
}

/// The application's log may use a connector while the connector warns of a lost server. The
/// flusher warns only after it has requeued the lines in flight and evicted surplus lines.
#[test]
fn warns_of_a_lost_server() {
    let receiver = TcpReceiver::start();
    let settings = tcp(receiver.port()).when_full(freewheel::WhenFull::DropOldest);
    let settings = settings.queue_capacity(32 << 10).reconnect_sleep(Duration::from_secs(60));
    let statsd = settings.stop_timeout(STOP_TIMEOUT).build().unwrap();
    let (in_log, runtime) = (statsd.clone(), current_thread_runtime());
    let warnings = Warnings::record(move || use_running(&in_log));
    runtime.block_on(statsd.start()).unwrap();
    statsd.incr("a");
    while runtime.block_on(statsd.flush()) != Ok(()) {}
    drop(receiver);
    warnings.wait(&runtime);
    let all = warnings.all();
    assert!(all[0].message.starts_with("cannot reach the StatsD server"), "{all:?}");
    crate::support::assert_balanced(&statsd.stats());
}

#[test]
fn warns_of_dropped_lines() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let (in_log, runtime) = (statsd.clone(), current_thread_runtime());
    let warnings = Warnings::record(move || use_running(&in_log));
    runtime.block_on(statsd.start()).unwrap();
    statsd.gauge("depth", f64::NAN);
    warnings.wait(&runtime);
    while runtime.block_on(statsd.flush()) != Ok(()) {}
    receiver.wait_for_lines(LINES);
    warnings.assert_one("metrics were dropped or lost", Some(1));
}

#[test]
fn warns_of_lines_kept_by_a_stop() {
    let port = unused_port();
    let statsd = tcp(port).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let (in_log, runtime) = (statsd.clone(), current_thread_runtime());
    runtime.block_on(statsd.start()).unwrap();
    statsd.incr("a");
    let is_first = Mutex::new(true);
    let warnings = Warnings::record(move || {
        // The first warning reports that no server is reachable.
        if !std::mem::take(&mut is_first.lock().unwrap()) {
            use_ended(&in_log);
        }
    });
    let report = runtime.block_on(statsd.stop());
    assert_eq!((report.kept.lines, report.unfinished), (1, false));
    let all = warnings.wait_for(2);
    assert!(all[1].message.starts_with("stopped with metrics unsent"), "{all:?}");
    assert_eq!((all.len(), all[1].lines), (2, Some(1)));
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    receiver.wait_for_lines(LINES + 1);
}

/// The runtime of the flusher is not driven during a stop, so that the flusher cannot reply. The
/// stop itself warns after its deadline, also if no line is unsent. The log may use the connector
/// meanwhile.
#[test]
fn warns_of_a_stop_without_a_reply() {
    for (lines, is_blocking) in [(0, true), (3, true), (3, false)] {
        let (receiver, runtime) = (UdpReceiver::start(), current_thread_runtime());
        let statsd = udp(receiver.port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
        runtime.block_on(statsd.start()).unwrap();
        (0..lines).for_each(|_| statsd.incr("a"));
        let in_log = statsd.clone();
        let warnings = Warnings::record(move || {
            emit(&in_log);
            assert!(in_log.blocking_stop().unfinished);
        });
        let report = if is_blocking {
            statsd.blocking_stop()
        } else {
            crate::support::park_on(statsd.stop())
        };
        assert!(report.unfinished);
        warnings.assert_one("the flusher did not reply to a stop in time", Some(lines));
    }
}

/// The flusher's runtime is never driven. A start that is waited for returns at its deadline and
/// warns, since it reports no error. The end of the runtime then warns as if the flusher had run, or
/// as the drop of the last handle does, also after a start that is not waited for.
#[test]
fn warns_of_a_start_without_a_reply() {
    for (is_awaited, is_dropped) in [(true, false), (false, false), (true, true), (false, true)] {
        let (receiver, runtime) = (UdpReceiver::start(), current_thread_runtime());
        let statsd = udp(receiver.port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
        let warnings = Warnings::record(use_another);
        let entered = runtime.enter();
        if is_awaited {
            crate::support::park_on(statsd.start()).unwrap();
            eventually("a warning is logged", || !warnings.all().is_empty());
            warnings.assert_one("the flusher did not reply to a start in time", None);
        } else {
            let mut start = Box::pin(statsd.start());
            let waker = std::task::Waker::noop();
            assert!(start.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
        }
        (0..3).for_each(|_| statsd.incr("a"));
        let kept = (!is_dropped).then_some(statsd);
        drop(entered);
        drop(runtime);
        let message = match kept {
            Some(_) => "the flusher's runtime ended without a stop",
            None => "the last connector was dropped with metrics unsent",
        };
        let all = warnings.wait_for(1 + usize::from(is_awaited));
        let last = all.last().unwrap();
        assert!(last.message.starts_with(message) && last.lines == Some(3), "{all:?}");
        assert_eq!(all.len(), 1 + usize::from(is_awaited));
    }
}

/// Initializes the connector `statsd` on another thread, in which the log uses this static for each
/// warning. Asserts that neither deadlocks, and that the first warning begins with `message`.
#[track_caller]
fn assert_log_may_use(statsd: &'static LazyLock<Connector>, message: &str) {
    // On another thread, since a deadlock would never end.
    let all = crate::support::promptly(move || {
        let (done, is_done) = mpsc::channel();
        let warnings = Warnings::record(move || {
            statsd.incr("a");
            let _ = done.send(());
        });
        statsd.incr("b");
        is_done.recv_timeout(WAIT_TIMEOUT).unwrap();
        warnings.wait_for(1)
    });
    assert!(all[0].message.starts_with(message), "{all:?}");
}

/// The initialization of a static starts its connector in a runtime that never runs.
#[test]
fn log_may_use_the_static_whose_start_has_no_reply() {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(current_thread_runtime);
    static STATSD: LazyLock<Connector> = LazyLock::new(|| {
        let statsd = udp(unused_port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
        let _entered = RUNTIME.enter();
        crate::support::park_on(statsd.start()).unwrap();
        statsd
    });
    assert_log_may_use(&STATSD, "the flusher did not reply to a start");
}

/// The initialization of a static drops a connector with lines, for example after a failed start.
#[test]
fn log_may_use_the_static_that_drops_a_connector() {
    static STATSD: LazyLock<Connector> = LazyLock::new(|| {
        udp(unused_port()).build().unwrap().incr("a");
        Connector::disabled()
    });
    assert_log_may_use(&STATSD, "the last connector was dropped");
}

/// Starts a connector in a runtime that then no thread runs, and gives up a stop of the connector.
fn with_a_stop_given_up(stop: impl FnOnce(&Connector) -> StopReport) -> Connector {
    let statsd = udp(unused_port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let runtime = lasting_runtime();
    runtime.block_on(statsd.start()).unwrap();
    assert!(stop(&statsd).unfinished);
    statsd
}

/// The initialization of a static stops a connector, whose flusher does not reply.
#[test]
fn log_may_use_the_static_whose_stop_has_no_reply() {
    static BLOCKING: LazyLock<Connector> =
        LazyLock::new(|| with_a_stop_given_up(Connector::blocking_stop));
    static ASYNC: LazyLock<Connector> =
        LazyLock::new(|| with_a_stop_given_up(|statsd| crate::support::park_on(statsd.stop())));
    assert_log_may_use(&BLOCKING, "the flusher did not reply to a stop");
    assert_log_may_use(&ASYNC, "the flusher did not reply to a stop");
}

/// Starts a connector in the runtime, and drops the runtime.
fn in_an_ended_runtime(runtime: Runtime) -> Connector {
    let statsd = udp(unused_port()).build().unwrap();
    runtime.block_on(statsd.start()).unwrap();
    drop(runtime);
    statsd
}

/// The initialization of a static drops the runtime of the connector, on this thread or on the
/// runtime's own.
#[test]
fn log_may_use_the_static_that_drops_its_runtime() {
    static CURRENT_THREAD: LazyLock<Connector> =
        LazyLock::new(|| in_an_ended_runtime(current_thread_runtime()));
    static MULTI_THREAD: LazyLock<Connector> =
        LazyLock::new(|| in_an_ended_runtime(multi_thread_runtime()));
    assert_log_may_use(&CURRENT_THREAD, "the flusher's runtime ended without a stop");
    assert_log_may_use(&MULTI_THREAD, "the flusher's runtime ended without a stop");
}

/// Returns a runtime that is never dropped. A static holds it, so that LeakSanitizer does not report it.
fn lasting_runtime() -> &'static Runtime {
    static LASTING: Mutex<Vec<&'static Runtime>> = Mutex::new(Vec::new());
    let runtime: &'static Runtime = Box::leak(Box::new(current_thread_runtime()));
    LASTING.lock().unwrap().push(runtime);
    runtime
}

/// The initialization of a static runs the flusher, which finds no server at the path as soon as it
/// has replied to the start.
#[test]
#[cfg(unix)]
fn log_may_use_the_static_whose_start_runs_the_flusher() {
    fn start(protocol: Protocol) -> Connector {
        let path = crate::support::SocketPath::new("no-server");
        let statsd = path.settings(protocol).build().unwrap();
        let runtime = lasting_runtime();
        runtime.block_on(statsd.start()).unwrap();
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
        statsd
    }
    static DATAGRAM: LazyLock<Connector> = LazyLock::new(|| start(Protocol::UnixDatagram));
    static STREAM: LazyLock<Connector> = LazyLock::new(|| start(Protocol::UnixStream));
    assert_log_may_use(&DATAGRAM, "cannot reach the StatsD server");
    assert_log_may_use(&STREAM, "cannot reach the StatsD server");
}

/// The initialization of a static flushes and stops its connector, which runs the flusher.
#[test]
fn log_may_use_the_static_whose_stop_runs_the_flusher() {
    static STATSD: LazyLock<Connector> = LazyLock::new(|| {
        let statsd = tcp(unused_port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
        current_thread_runtime().block_on(async {
            statsd.start().await.unwrap();
            statsd.incr("a");
            assert_eq!(statsd.flush().await, Err(FlushError::TimedOut));
            assert!(!statsd.stop().await.unfinished);
        });
        statsd
    });
    assert_log_may_use(&STATSD, "cannot reach the StatsD server");
}

/// A log that blocks for ever on each warning delays neither lines nor a stop.
#[test]
fn blocked_log_does_not_block_the_flusher() {
    crate::support::promptly(|| {
        let port = unused_port();
        let settings = Connector::builder("127.0.0.1").port(port).protocol(Protocol::Tcp);
        let statsd = settings.reconnect_sleep(Duration::from_millis(10)).build().unwrap();
        let (warned, is_warned) = mpsc::channel();
        let _warnings = Warnings::record(move || {
            let _ = warned.send(());
            loop {
                thread::park();
            }
        });
        let runtime = current_thread_runtime();
        runtime.block_on(statsd.start()).unwrap();
        statsd.gauge("depth", f64::NAN);
        statsd.incr("a");
        runtime.block_on(async {
            while is_warned.try_recv().is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
        assert_eq!(runtime.block_on(statsd.flush()), Ok(()));
        receiver.wait_for_lines(1);
        let report = runtime.block_on(statsd.stop());
        assert_eq!((report.kept.lines, report.unfinished), (0, false));
    });
}

#[test]
fn warns_of_lines_left_by_the_last_handle() {
    let statsd = tcp(unused_port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let runtime = current_thread_runtime();
    runtime.block_on(statsd.start()).unwrap();
    let warnings = Warnings::record(use_another);
    statsd.incr("a");
    // A stop that warns shortly before does not suppress the last warning.
    assert_eq!(runtime.block_on(statsd.stop()).kept.lines, 1);
    runtime.block_on(statsd.start()).unwrap();
    drop(statsd);
    let last = runtime.block_on(async {
        let wait = async {
            loop {
                let all = warnings.all();
                let is_last = |one: &&Warning| one.message.starts_with("the last connector was");
                if let Some(last) = all.iter().find(is_last) {
                    break last.clone();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(WAIT_TIMEOUT, wait).await.unwrap()
    });
    assert_eq!(last.lines, Some(1));
}

/// A stop warns of lines that the server's operating system has not acknowledged by the deadline.
/// These lines are lost if the server dies.
#[test]
#[cfg(target_os = "linux")]
fn warns_of_lines_that_are_not_acknowledged_at_a_stop() {
    let receiver = TcpReceiver::start();
    receiver.stall();
    let settings = tcp(receiver.port()).queue_capacity(32 << 20).stop_timeout(STOP_TIMEOUT);
    let statsd = settings.build().unwrap();
    let runtime = current_thread_runtime();
    runtime.block_on(statsd.start()).unwrap();
    let warnings = Warnings::record(|| {});
    let name = "a".repeat(200);
    for _ in 0..40_000 {
        statsd.incr(&name);
    }
    let report = runtime.block_on(statsd.stop());
    assert!(report.unacknowledged.lines > 0, "{report:?}");
    let all = warnings.wait_for(1);
    let is_about_them = |one: &Warning| {
        one.message.starts_with("the server had not acknowledged")
            && one.lines == Some(report.unacknowledged.lines)
    };
    assert!(all.iter().any(is_about_them), "{all:?}");
}

/// A connector warns each time that the runtime of its flusher ends without a stop, because lines
/// accumulate from then on.
#[test]
fn warns_of_an_ended_runtime() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    for round in 1..=2 {
        let warnings = Warnings::record({
            let in_log = statsd.clone();
            move || use_ended(&in_log)
        });
        let runtime = current_thread_runtime();
        runtime.block_on(statsd.start()).unwrap();
        statsd.incr("a");
        drop(runtime);
        warnings.assert_one("the flusher's runtime ended without a stop", Some(1));
        flush(&statsd);
        receiver.wait_for_lines(round * (LINES + 1));
        let _ = statsd.blocking_stop();
    }
}

/// The end of a tokio runtime causes a warning of the lines dropped since the last warning, also
/// after the drop of the last handle.
#[test]
fn an_ended_runtime_reports_the_last_drops() {
    let message = "metrics were dropped or lost";
    for is_dropped in [false, true] {
        for build in [current_thread_runtime, multi_thread_runtime] {
            let (receiver, warnings) = (UdpReceiver::start(), Warnings::record(use_another));
            let statsd = udp(receiver.port()).build().unwrap();
            let runtime = build();
            runtime.block_on(statsd.start()).unwrap();
            (0..5).for_each(|_| statsd.gauge("a", f64::NAN));
            let kept = (!is_dropped).then_some(statsd);
            drop(runtime);
            // A tick may already have reported some of them.
            let reported = || {
                let all = warnings.all();
                let drops = all.iter().filter(|one| one.message == message);
                drops.filter_map(|one| one.lines).sum::<u64>()
            };
            eventually("the drops are reported", || reported() == 5);
            drop(kept);
        }
    }
}

/// The end of a tokio runtime causes no warning after a stop, after the drop of all connector
/// handles, or before the flusher has run.
#[test]
fn ended_runtime_of_a_dropped_connector_is_silent() {
    let receiver = TcpReceiver::start();
    let warnings = Warnings::record(|| ());
    for end in ["stop", "drop", "drop at once", "never begun"] {
        let runtime = current_thread_runtime();
        let statsd = tcp(receiver.port()).build().unwrap();
        if end == "never begun" {
            let _entered = runtime.enter();
            let mut start = std::pin::pin!(statsd.start());
            let waker = std::task::Waker::noop();
            let _ = start.as_mut().poll(&mut std::task::Context::from_waker(waker));
            drop(runtime);
            continue;
        }
        runtime.block_on(statsd.start()).unwrap();
        if end == "stop" {
            let _ = runtime.block_on(statsd.stop());
        }
        drop(statsd);
        if end == "drop" {
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(50)).await });
        }
        drop(runtime);
    }
    assert_eq!(warnings.all(), []);
}

/// A tokio runtime ends during a stop, or after the drop of the last handle. The warning of unsent
/// lines names the stop or the drop as its cause.
#[test]
fn warns_of_unsent_lines_of_an_ended_runtime() {
    let ends = [(true, "stopped with metrics unsent"), (false, "the last connector was dropped")];
    for (is_stopped, message) in ends {
        let warnings = Warnings::record(use_another);
        let (statsd, runtime) = (tcp(unused_port()).build().unwrap(), current_thread_runtime());
        runtime.block_on(statsd.start()).unwrap();
        statsd.incr("a");
        if is_stopped {
            // Long enough for the flusher to begin the stop.
            let stop =
                async { tokio::time::timeout(Duration::from_millis(50), statsd.stop()).await };
            assert!(runtime.block_on(stop).is_err());
        } else {
            drop(statsd);
        }
        drop(runtime);
        let is_last = |one: &Warning| one.message.starts_with(message);
        eventually("the end is logged", || warnings.all().last().is_some_and(is_last));
        assert_eq!(warnings.all().pop().unwrap().lines, Some(1));
    }
}

#[test]
fn warns_of_a_missing_host() {
    let warnings = Warnings::record(use_another);
    assert!(Settings::new().builder_from(|_| None).unwrap().is_none());
    warnings.assert_one("metrics are disabled", None);
}

/// A panic in the application's log does not end the flusher, which still sends lines afterwards.
#[test]
fn panicking_log_does_not_end_the_flusher() {
    let port = unused_port();
    let settings = Connector::builder("127.0.0.1").port(port).protocol(Protocol::Tcp);
    let statsd = settings.reconnect_sleep(Duration::from_millis(10)).build().unwrap();
    let runtime = current_thread_runtime();
    let warnings = Warnings::record(|| panic!("on purpose"));
    statsd.incr("a");
    runtime.block_on(statsd.start()).unwrap();
    warnings.wait(&runtime);
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    assert_eq!(runtime.block_on(statsd.flush()), Ok(()));
    receiver.wait_for_lines(1);
    drop(runtime);
    eventually("the flusher has ended", || statsd.blocking_flush() == Err(FlushError::NotRunning));
    // The second warning reports the end of the runtime.
    assert_eq!(warnings.wait_for(2).len(), 2);
}

#[cfg(feature = "axum")]
mod of_a_service {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use axum::{Router, routing::get};
    use freewheel::axum::{Statsd, serve_until};
    use tokio::net::TcpListener;
    use tower::ServiceExt;

    async fn handler(statsd: Statsd) {
        statsd.increase_counter("handled", 1);
    }

    /// Sends a request to a router without freewheel's instrumentation. The request's handler uses
    /// the `Statsd` extractor, which then logs a warning and discards the metrics.
    fn call_handler() {
        let router = Router::new().route("/", get(handler));
        let request = Request::get("/").body(Body::empty()).unwrap();
        crate::support::park_on(router.oneshot(request)).unwrap();
    }

    #[test]
    fn whose_handler_is_not_instrumented() {
        let warnings = Warnings::record(|| {
            call_handler();
            use_another();
        });
        call_handler();
        warnings.assert_one("a handler's metrics are discarded", None);
    }

    #[test]
    fn that_leaves_requests_unanswered() {
        let warnings = Warnings::record(use_another);
        let settings = Settings::new().enabled(false).shutdown_timeout(Duration::from_millis(50));
        current_thread_runtime().block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let (arrived, has_arrived) = tokio::sync::oneshot::channel::<()>();
            let arrived = Arc::new(Mutex::new(Some(arrived)));
            let hang = move || async move {
                drop(arrived.lock().unwrap().take());
                std::future::pending::<()>().await;
            };
            let router = Router::new().route("/", get(hang));
            let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut client, request).await.unwrap();
            let signal = async { _ = has_arrived.await };
            let _ = serve_until(listener, router, settings, signal).await.unwrap();
        });
        warnings.assert_one("the shutdown timeout passed with requests in flight", None);
    }
}

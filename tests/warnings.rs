//! Warnings reach the application's log, which may itself use connectors, including the one that
//! warns.

// In a test, that is an assertion.
#![allow(clippy::unwrap_used)]

mod support;

use freewheel::{Connector, FlushError, Protocol, Settings, StartError};
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{
    Close, TcpReceiver, UdpReceiver, WAIT_TIMEOUT, eventually, flush, started, tcp, udp,
    unused_port,
};
use tokio::runtime::{Builder, Runtime};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Metadata, Subscriber};

const STOP_TIMEOUT: Duration = Duration::from_millis(100);

/// A warning: its message, and the number of lines concerned.
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

/// Log of one thread that stores warnings and runs an action at each.
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
        self.warnings.lock().unwrap().push(warning);
        (self.action)();
    }
}

struct Heard {
    warnings: Arc<Mutex<Vec<Warning>>>,
    _log: DefaultGuard,
}

impl Heard {
    fn by(action: impl Fn() + Send + Sync + 'static) -> Self {
        let warnings = Arc::default();
        let log = Log { warnings: Arc::clone(&warnings), action: Box::new(action) };
        Self { warnings, _log: set_default(log) }
    }

    fn all(&self) -> Vec<Warning> {
        self.warnings.lock().unwrap().clone()
    }

    /// Asserts that exactly this warning was logged.
    #[track_caller]
    fn assert_one(&self, message: &str, lines: Option<u64>) {
        let all = self.all();
        assert!(
            matches!(&all[..], [one] if one.message.starts_with(message) && one.lines == lines),
            "{all:?}"
        );
    }

    /// Runs the runtime until a warning is logged.
    fn wait(&self, runtime: &Runtime) {
        runtime.block_on(async {
            let warned = async {
                while self.all().is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(WAIT_TIMEOUT, warned).await.expect("no warning");
        });
    }
}

/// Returns a runtime on the test's thread, so that the flusher warns on that thread.
fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Number of lines that exceeds a block of 16 KiB, and so a thread's own block.
const LINES: u64 = 1_000;

fn emit(statsd: &Connector) {
    (0..LINES).for_each(|_| statsd.incr("emitted.by.the.log.itself"));
}

/// Uses another connector, as a log may.
fn use_another() {
    let receiver = UdpReceiver::start();
    let another = started(udp(receiver.port()));
    another.incr("a");
    flush(&another);
    assert_eq!(another.blocking_stop().kept.lines, 0);
}

/// Uses the warning connector while it runs, on the flusher's own thread, which cannot answer.
fn use_running(statsd: &Connector) {
    emit(statsd);
    let _ = format!("{statsd:?} {}", statsd.connected());
    assert!(matches!(statsd.start_on_thread(), Err(StartError::AlreadyRunning)));
    assert_eq!(statsd.blocking_flush(), Err(FlushError::TimedOut));
    use_another();
}

/// Uses the warning connector after its flusher has ended. A start by the log succeeds.
fn use_ended(statsd: &Connector) {
    emit(statsd);
    assert!(!statsd.connected());
    assert_eq!(statsd.blocking_flush(), Err(FlushError::NotRunning));
    assert!(!statsd.blocking_stop().unfinished);
    statsd.start_on_thread().unwrap();
    use_another();
}

#[test]
fn warns_of_an_unreachable_server() {
    let port = unused_port();
    let statsd = tcp(port).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let (in_log, runtime) = (statsd.clone(), one_thread());
    let heard = Heard::by(move || use_running(&in_log));
    statsd.incr("a");
    runtime.block_on(statsd.start()).unwrap();
    heard.wait(&runtime);
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    while runtime.block_on(statsd.flush()) != Ok(()) {}
    receiver.wait_for_lines(LINES + 1);
    heard.assert_one("cannot reach the StatsD server", None);
}

/// The log can use the connector with `WhenFull::DropOldest` as well: the lines in flight are
/// requeued before the warning.
#[test]
fn warns_of_a_lost_server() {
    let receiver = TcpReceiver::start();
    let settings = tcp(receiver.port()).when_full(freewheel::WhenFull::DropOldest);
    let settings = settings.queue_capacity(32 << 10).reconnect_sleep(Duration::from_secs(60));
    let statsd = settings.stop_timeout(STOP_TIMEOUT).build().unwrap();
    let (in_log, runtime) = (statsd.clone(), one_thread());
    let heard = Heard::by(move || use_running(&in_log));
    runtime.block_on(statsd.start()).unwrap();
    statsd.incr("a");
    while runtime.block_on(statsd.flush()) != Ok(()) {}
    drop(receiver);
    heard.wait(&runtime);
    let all = heard.all();
    assert!(all[0].message.starts_with("cannot reach the StatsD server"), "{all:?}");
    support::assert_balanced(&statsd.stats());
}

#[test]
fn warns_of_dropped_lines() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let (in_log, runtime) = (statsd.clone(), one_thread());
    let heard = Heard::by(move || use_running(&in_log));
    runtime.block_on(statsd.start()).unwrap();
    statsd.gauge("depth", f64::NAN);
    heard.wait(&runtime);
    while runtime.block_on(statsd.flush()) != Ok(()) {}
    receiver.wait_for_lines(LINES);
    heard.assert_one("metrics were dropped or lost", Some(1));
}

#[test]
fn warns_of_lines_kept_by_a_stop() {
    let port = unused_port();
    let statsd = tcp(port).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let (in_log, runtime) = (statsd.clone(), one_thread());
    runtime.block_on(statsd.start()).unwrap();
    statsd.incr("a");
    let is_first = Mutex::new(true);
    let heard = Heard::by(move || {
        // The first warning reports that no server is reachable.
        if !std::mem::take(&mut is_first.lock().unwrap()) {
            use_ended(&in_log);
        }
    });
    let report = runtime.block_on(statsd.stop());
    assert_eq!((report.kept.lines, report.unfinished), (1, false));
    let all = heard.all();
    assert!(all[1].message.starts_with("stopped with metrics unsent"), "{all:?}");
    assert_eq!((all.len(), all[1].lines), (2, Some(1)));
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    receiver.wait_for_lines(LINES + 1);
}

#[test]
fn warns_of_lines_left_by_the_last_handle() {
    let statsd = tcp(unused_port()).stop_timeout(STOP_TIMEOUT).build().unwrap();
    let runtime = one_thread();
    runtime.block_on(statsd.start()).unwrap();
    let heard = Heard::by(use_another);
    statsd.incr("a");
    drop(statsd);
    runtime.block_on(async {
        while heard.all().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let last = heard.all().pop().unwrap();
    assert!(last.message.starts_with("the last connector was dropped"), "{last:?}");
    assert_eq!(last.lines, Some(1));
}

/// A runtime that ends without a stop leaves a connector that accumulates lines. Each such end
/// causes a warning.
#[test]
fn warns_of_an_ended_runtime() {
    let receiver = TcpReceiver::start();
    let statsd = tcp(receiver.port()).build().unwrap();
    for round in 1..=2 {
        let heard = Heard::by({
            let in_log = statsd.clone();
            move || use_ended(&in_log)
        });
        let runtime = one_thread();
        runtime.block_on(statsd.start()).unwrap();
        statsd.incr("a");
        drop(runtime);
        heard.assert_one("the flusher's runtime ended without a stop", Some(1));
        flush(&statsd);
        receiver.wait_for_lines(round * (LINES + 1));
        let _ = statsd.blocking_stop();
    }
}

/// No warning is given if the end is expected: after a stop, during a stop, or after the drop of
/// all handles.
#[test]
fn not_of_a_runtime_that_ended_after_its_connector() {
    let receiver = TcpReceiver::start();
    let heard = Heard::by(|| ());
    for end in ["stop", "drop", "drop at once", "never begun"] {
        let runtime = one_thread();
        let statsd = tcp(receiver.port()).build().unwrap();
        if end == "never begun" {
            let _within = runtime.enter();
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
    assert_eq!(heard.all(), []);
}

/// Unsent lines of a stop or of the last handle have warnings with different texts.
#[test]
fn warns_of_unsent_lines_of_an_ended_runtime() {
    let ends = [(true, "stopped with metrics unsent"), (false, "the last connector was dropped")];
    for (is_stopped, message) in ends {
        let heard = Heard::by(use_another);
        let (statsd, runtime) = (tcp(unused_port()).build().unwrap(), one_thread());
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
        let last = heard.all().pop().unwrap();
        assert!(last.message.starts_with(message), "{last:?}");
        assert_eq!(last.lines, Some(1));
    }
}

#[test]
fn warns_of_a_missing_host() {
    let heard = Heard::by(use_another);
    assert!(Settings::new().builder_from(|_| None).unwrap().is_none());
    heard.assert_one("metrics are disabled", None);
}

/// A panic in the log does not end the flusher.
#[test]
fn to_a_log_that_panics() {
    let port = unused_port();
    let settings = Connector::builder("127.0.0.1").port(port).protocol(Protocol::Tcp);
    let statsd = settings.reconnect_sleep(Duration::from_millis(10)).build().unwrap();
    let runtime = one_thread();
    let heard = Heard::by(|| panic!("as the test wants it"));
    statsd.incr("a");
    runtime.block_on(statsd.start()).unwrap();
    heard.wait(&runtime);
    let receiver = TcpReceiver::listen(Ipv4Addr::LOCALHOST, port, Close::Orderly);
    assert_eq!(runtime.block_on(statsd.flush()), Ok(()));
    receiver.wait_for_lines(1);
    drop(runtime);
    eventually("it has ended", || statsd.blocking_flush() == Err(FlushError::NotRunning));
    assert_eq!(heard.all().len(), 2);
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

    /// Calls the handler without the layer that instruments it.
    fn handled() {
        let router = Router::new().route("/", get(handler));
        let request = Request::get("/").body(Body::empty()).unwrap();
        support::park_on(router.oneshot(request)).unwrap();
    }

    #[test]
    fn whose_handler_is_not_instrumented() {
        let heard = Heard::by(|| {
            handled();
            use_another();
        });
        handled();
        heard.assert_one("a handler's metrics go nowhere", None);
    }

    #[test]
    fn that_leaves_requests_unanswered() {
        let heard = Heard::by(use_another);
        let settings = Settings::new().enabled(false).shutdown_timeout(Duration::from_millis(50));
        one_thread().block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let (asked, is_asked) = tokio::sync::oneshot::channel::<()>();
            let asked = Arc::new(Mutex::new(Some(asked)));
            let hangs = move || async move {
                drop(asked.lock().unwrap().take());
                std::future::pending::<()>().await;
            };
            let router = Router::new().route("/", get(hangs));
            let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut client, request).await.unwrap();
            let signal = async { _ = is_asked.await };
            let _ = serve_until(listener, router, settings, signal).await.unwrap();
        });
        heard.assert_one("requests were left unanswered", None);
    }
}

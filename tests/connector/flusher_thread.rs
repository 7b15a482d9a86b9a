//! Tests of the thread that a connector creates for its flusher: its name, and the function that it
//! calls first.

use crate::support::{UdpReceiver, flush, udp};
use freewheel::{Builder, Connector, StartError};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Returns settings with a function that sends the name and the ID of its thread, and the receiver.
fn reporting(builder: Builder) -> (Builder, mpsc::Receiver<(Option<String>, ThreadId)>) {
    let (sender, receiver) = mpsc::channel();
    let report = move || {
        let thread = thread::current();
        sender.send((thread.name().map(str::to_owned), thread.id())).unwrap();
    };
    (builder.on_thread_start(report), receiver)
}

#[test]
fn function_runs_on_the_named_thread_at_each_start() {
    let server = UdpReceiver::start();
    for (builder, expected) in
        [(udp(server.port()), "freewheel"), (udp(server.port()).thread_name("statsd"), "statsd")]
    {
        let (builder, calls) = reporting(builder);
        let statsd = builder.build().unwrap();
        assert!(calls.try_recv().is_err(), "before the start");
        let ids = [(); 2].map(|()| {
            statsd.start_on_thread().unwrap();
            // The function has returned when the start has.
            let (name, id) = calls.try_recv().unwrap();
            assert_eq!(name.as_deref(), Some(expected));
            let _ = statsd.blocking_stop();
            id
        });
        assert_ne!(ids[0], thread::current().id());
        assert_ne!(ids[0], ids[1]);
        assert!(calls.try_recv().is_err(), "once for each start");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn operating_system_shows_the_name() {
    let server = UdpReceiver::start();
    let statsd = udp(server.port()).thread_name("a-name-of-17-byte").build().unwrap();
    statsd.start_on_thread().unwrap();
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let name =
        |path: std::path::PathBuf| std::fs::read_to_string(path.join("comm")).unwrap_or_default();
    let names: Vec<_> = threads.map(|thread| name(thread.unwrap().path())).collect();
    assert!(names.iter().any(|name| name == "a-name-of-17-by\n"), "{names:?}");
}

#[test]
fn function_can_use_the_connector() {
    let server = UdpReceiver::start();
    let own: Arc<Mutex<Option<Connector>>> = Arc::default();
    let statsd_of_function = Arc::clone(&own);
    let emit = move || statsd_of_function.lock().unwrap().as_ref().unwrap().incr("started");
    let statsd = udp(server.port()).on_thread_start(emit).build().unwrap();
    *own.lock().unwrap() = Some(statsd.clone());
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    assert_eq!(server.lines(1), ["started:1|c"]);
    // The function must not keep the connector.
    own.lock().unwrap().take();
}

#[test]
fn function_that_panics_fails_the_start_and_changes_nothing() {
    let server = UdpReceiver::start();
    let panics = Arc::new(AtomicBool::new(true));
    let does_panic = Arc::clone(&panics);
    let function = move || assert!(!does_panic.load(SeqCst), "this panic is expected");
    let statsd = udp(server.port()).on_thread_start(function).build().unwrap();
    statsd.incr("kept");
    for _ in 0..10 {
        let error = statsd.start_on_thread().unwrap_err();
        let StartError::Thread(cause) = error else { panic!("{error:?}") };
        assert!(cause.to_string().contains("panicked"), "{cause}");
        assert!(!statsd.connected());
    }
    panics.store(false, SeqCst);
    statsd.start_on_thread().unwrap();
    flush(&statsd);
    assert_eq!(server.lines(1), ["kept:1|c"]);
}

/// The runtime's own threads are not the connector's.
#[tokio::test]
async fn start_on_a_runtime_does_not_call_the_function() {
    let server = UdpReceiver::start();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let function = move || _ = count.fetch_add(1, SeqCst);
    let statsd = udp(server.port()).on_thread_start(function).build().unwrap();
    statsd.start().await.unwrap();
    let _ = statsd.stop().await;
    assert_eq!(calls.load(SeqCst), 0);
}

/// The flusher finds lines by itself under `never_wake`: the first line after an idle time, gauges, and a
/// burst within the capacity. It drops and counts what exceeds the capacity.
#[test]
fn flusher_that_is_never_woken_finds_all_lines() {
    let server = UdpReceiver::start();
    let settings = udp(server.port()).never_wake(true).flush_interval(Duration::from_millis(100));
    let statsd = settings.build().unwrap();
    statsd.start_on_thread().unwrap();
    let mut expected = 0;
    for _ in 0..2 {
        // After a second without lines another flusher would become dormant.
        thread::sleep(Duration::from_millis(1_500));
        statsd.incr("first");
        (0..3_000).for_each(|_| statsd.gauge("depth", 1));
        (0..100_000).for_each(|_| statsd.incr("burst"));
        expected += 103_001;
        let all_sent = || statsd.stats().sent.lines == expected;
        crate::support::eventually("all lines are sent", all_sent);
    }
    assert_eq!(statsd.stats().drops.full.lines, 0);
    // A burst of 10 MiB may exceed the capacity.
    (0..1 << 20).for_each(|_| statsd.incr("burst"));
    let report = statsd.blocking_stop();
    crate::support::assert_balanced(&report.stats);
    assert_eq!(report.kept.lines, 0);
}

/// A runtime whose clock is paused, and ahead of the real one, does not concern the flusher's own thread.
#[test]
fn start_within_a_paused_runtime_connects() {
    let server = UdpReceiver::start();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        let statsd = udp(server.port()).stop_timeout(Duration::from_secs(5)).build().unwrap();
        statsd.start_on_thread().unwrap();
        statsd.incr("a");
        flush(&statsd);
    });
    assert_eq!(server.lines(1), ["a:1|c"]);
}

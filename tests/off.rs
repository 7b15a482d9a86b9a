//! Tests of the build without the client: each call does nothing, and reports what a disabled
//! connector reports.
//!
//! `cargo test --no-default-features --test off` runs them. With the client the file is empty.
#![cfg(not(feature = "client"))]
#![allow(clippy::unwrap_used)]

use freewheel::dogstatsd::{Event, ServiceCheck, Status};
use freewheel::{Connector, Counter, Dialect, Gauge, SampleRate, Settings, Stats, Timing};
use std::time::{Duration, SystemTime};

#[test]
fn the_crate_has_no_dependencies() {
    let tree = ["tree", "--no-default-features", "--edges", "normal", "--prefix", "none"];
    let output = std::process::Command::new(env!("CARGO"))
        .args(tree)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
}

#[test]
fn a_connector_starts_and_stops_without_a_flusher() {
    let statsd = Connector::builder("statsd.example").dialect(Dialect::DogStatsD).build().unwrap();
    statsd.start_on_thread().unwrap();
    assert!(statsd.prepare_thread() && !statsd.connected());
    statsd.incr("hits");
    statsd.event(&Event::new("title", "text"));
    statsd.service_check(&ServiceCheck::new("name", Status::Ok));
    statsd.blocking_flush().unwrap();
    let report = statsd.blocking_stop();
    assert_eq!((report.stats, report.unfinished), (Stats::default(), false));
    assert_eq!(format!("{statsd:?}"), "Connector { disabled: true }");
}

#[test]
fn futures_are_ready_at_once() {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    let statsd = Connector::from_env().unwrap();
    let context = &mut Context::from_waker(Waker::noop());
    assert!(matches!(pin!(statsd.start()).poll(context), Poll::Ready(Ok(()))));
    assert!(matches!(pin!(statsd.flush()).poll(context), Poll::Ready(Ok(()))));
    assert!(matches!(pin!(statsd.stop()).poll(context), Poll::Ready(_)));
}

#[test]
fn metrics_of_every_form_do_nothing() {
    let statsd = Settings::new().host("statsd.example").connector().unwrap().scoped("db");
    let half = SampleRate::new(0.5).unwrap();
    statsd.metric::<Counter>("hits").tag("route", "/").sample_rate(half).incr();
    statsd.metric::<Gauge>("depth").timestamp(SystemTime::now()).set(1.5);
    let timing = statsd.metric::<Timing>("rendering").try_build().unwrap();
    timing.record(Duration::from_millis(3));
    assert_eq!(timing.start().elapsed(), Duration::ZERO);
    statsd.timer("rendering").discard();
    assert!(SampleRate::new(0.0).is_err());
    assert_eq!(statsd.stats(), Stats::default());
}

//! Adapters that benchmark the client metrics-exporter-dogstatsd 0.9, which aggregates values and
//! sends one line per metric every three seconds.
//!
//! It is measured through the macros of `metrics`, which look the metric up at each call, and
//! through stored handles. Its telemetry is off, because the other clients have none.

use crate::fixtures::{ELAPSED, FULL_PRECISION, TWO_DECIMALS, WHOLE};
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject, Transport};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics_exporter_dogstatsd::DogStatsDBuilder;
use std::hint::black_box;

/// Expands to the benchmarks' metric name as a literal, which the macros of the `metrics` crate
/// require.
///
/// The setup's line length is ignored: the client sends no line per call.
macro_rules! name {
    () => {
        "requests.accepted.by.the.gateway"
    };
}

/// Installs metrics-exporter-dogstatsd as the global recorder of the `metrics` crate in this
/// process.
fn install(setup: &Setup) {
    let builder = DogStatsDBuilder::default();
    let builder =
        builder.with_remote_address(setup.target.address()).expect("the address is valid");
    let builder = builder.with_maximum_payload_length(setup.payload).expect("the length is valid");
    let builder = builder.set_global_prefix(setup.length.prefix()).with_telemetry(false);
    // Criterion measures all subjects in one process, where a second recorder is rejected. Both are
    // configured alike.
    let _ = builder.install();
}

pub struct Macro;

impl Subject for Macro {
    const INFO: Info = Info {
        id: "mx_dogstatsd_macro",
        label: "metrics-exporter-dogstatsd, macro",
        kind: Kind::Aggregates,
        calls: &Call::ALL,
        transports: &[Transport::Udp],
    };
    type Caller = Self;

    fn start(setup: &Setup) -> Self {
        install(setup);
        Self
    }
    fn caller(&self) -> Self {
        Self
    }
    fn close(self) -> Option<u64> {
        None
    }
}

impl Caller for Macro {
    #[inline]
    fn incr(&mut self) {
        counter!(name!()).increment(black_box(1));
    }
    #[inline]
    fn incr_tagged(&mut self) {
        counter!(name!(), "method" => "GET", "status" => "200").increment(black_box(1));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        gauge!(name!()).set(black_box(WHOLE as f64));
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        gauge!(name!()).set(black_box(TWO_DECIMALS));
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        gauge!(name!()).set(black_box(FULL_PRECISION));
    }
    #[inline]
    fn timing(&mut self) {
        histogram!(name!()).record(black_box(ELAPSED));
    }
}

pub struct Handle;

impl Subject for Handle {
    const INFO: Info = Info {
        id: "mx_dogstatsd_handle",
        label: "metrics-exporter-dogstatsd, handle",
        kind: Kind::Aggregates,
        calls: &Call::ALL,
        transports: &[Transport::Udp],
    };
    type Caller = Handles;

    fn start(setup: &Setup) -> Self {
        install(setup);
        Self
    }
    fn caller(&self) -> Handles {
        Handles {
            counter: counter!(name!()),
            tagged: counter!(name!(), "method" => "GET", "status" => "200"),
            gauge: gauge!(name!()),
            histogram: histogram!(name!()),
        }
    }
    fn close(self) -> Option<u64> {
        None
    }
}

pub struct Handles {
    counter: Counter,
    tagged: Counter,
    gauge: Gauge,
    histogram: Histogram,
}

impl Caller for Handles {
    #[inline]
    fn incr(&mut self) {
        black_box(&self.counter).increment(black_box(1));
    }
    #[inline]
    fn incr_tagged(&mut self) {
        black_box(&self.tagged).increment(black_box(1));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        black_box(&self.gauge).set(black_box(WHOLE as f64));
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        black_box(&self.gauge).set(black_box(TWO_DECIMALS));
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        black_box(&self.gauge).set(black_box(FULL_PRECISION));
    }
    #[inline]
    fn timing(&mut self) {
        black_box(&self.histogram).record(black_box(ELAPSED));
    }
}

//! Adapter that benchmarks the StatsD client dipstick 0.9 with its buffered output. This client has
//! only whole numbers, no tags, and a buffer of 576 bytes.
//!
//! Metrics are defined once, as its interface requires.

use crate::fixtures::{ELAPSED, WHOLE};
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject, Transport};
use dipstick::{
    Buffered as _, Buffering, Counter, Gauge, Input, InputScope, Prefixed, Statsd, StatsdScope,
    Timer,
};
use std::hint::black_box;

pub struct Buffered {
    scope: StatsdScope,
    name: &'static str,
}

impl Subject for Buffered {
    const INFO: Info = Info {
        id: "dipstick",
        label: "dipstick, buffered",
        kind: Kind::LinePerCall,
        calls: &[Call::Incr, Call::GaugeWhole, Call::Timing],
        transports: &[Transport::Udp],
    };
    type Caller = Metrics;

    fn start(setup: &Setup) -> Self {
        let statsd = Statsd::send_to(setup.target.address()).expect("loopback is available");
        let statsd = statsd.buffered(Buffering::Unlimited).named(setup.length.prefix());
        Self { scope: statsd.metrics(), name: setup.length.name() }
    }

    fn caller(&self) -> Metrics {
        Metrics {
            counter: self.scope.counter(self.name),
            gauge: self.scope.gauge(self.name),
            timer: self.scope.timer(self.name),
        }
    }

    /// Drops the client, which then sends its buffered lines.
    fn close(self) -> Option<u64> {
        None
    }
}

pub struct Metrics {
    counter: Counter,
    gauge: Gauge,
    timer: Timer,
}

impl Caller for Metrics {
    #[inline]
    fn incr(&mut self) {
        black_box(&self.counter).count(black_box(1));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        black_box(&self.gauge).value(black_box(WHOLE));
    }
    #[inline]
    fn timing(&mut self) {
        black_box(&self.timer).interval_us(black_box(ELAPSED.as_micros() as u64));
    }
}

//! Adapters that benchmark freewheel with default settings, except the endpoint, the payload size,
//! the name prefixes and, for tags, the dialect. One has the latency profile, and one aggregates.

use crate::fixtures::{ELAPSED, FULL_PRECISION, TAG_PARTS, TWO_DECIMALS, WHOLE};
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject, Target, Transport};
use freewheel::{
    AggregatedCounter, AggregatedGauge, Builder, Connector, Counter, Dialect, Gauge, Protocol,
    Timing,
};
use std::hint::black_box;

/// Benchmarked freewheel client without tags. Each call passes the name of the metric.
pub struct Plain {
    statsd: Connector,
    name: &'static str,
}

impl Subject for Plain {
    const INFO: Info = Info {
        id: "freewheel",
        label: "freewheel",
        kind: Kind::LinePerCall,
        calls: Call::UNTAGGED,
        transports: &[Transport::Udp, Transport::Tcp, Transport::UnixDatagram],
    };
    type Caller = Self;

    fn start(setup: &Setup) -> Self {
        Self { statsd: start(builder(setup)), name: setup.length.name() }
    }

    fn caller(&self) -> Self {
        Self { statsd: self.statsd.clone(), name: self.name }
    }

    /// Stops the flusher thread, so that only the calling thread runs.
    fn quiesce(&self) {
        let _ = self.statsd.blocking_stop();
    }

    fn close(self) -> Option<u64> {
        close(&self.statsd)
    }
}

/// Benchmarked freewheel client in a dialect with tags (DogStatsD). Each call passes the name of
/// the metric.
pub struct Tagged(Plain);

impl Subject for Tagged {
    const INFO: Info = Info {
        id: "freewheel_dogstatsd",
        label: "freewheel, DogStatsD's dialect",
        calls: &Call::ALL,
        // This subject sends like `Plain`, so that delivery is measured only with `Plain`.
        transports: &[],
        ..Plain::INFO
    };
    type Caller = Self;

    fn start(setup: &Setup) -> Self {
        let statsd = start(builder(setup).dialect(Dialect::DogStatsD));
        Self(Plain { statsd, name: setup.length.name() })
    }

    fn caller(&self) -> Self {
        Self(self.0.caller())
    }

    fn quiesce(&self) {
        self.0.quiesce();
    }

    fn close(self) -> Option<u64> {
        self.0.close()
    }
}

/// Benchmarked freewheel client with prepared metrics: handles that render each line in advance,
/// except the value.
pub struct Prepared(Tagged);

pub struct Metrics {
    counter: Counter,
    tagged: Counter,
    gauge: Gauge,
    timing: Timing,
}

impl Subject for Prepared {
    const INFO: Info =
        Info { id: "freewheel_prepared", label: "freewheel, prepared", ..Tagged::INFO };
    type Caller = Metrics;

    fn start(setup: &Setup) -> Self {
        Self(Tagged::start(setup))
    }

    fn caller(&self) -> Metrics {
        let Plain { statsd, name } = &self.0.0;
        let [first, second] = TAG_PARTS;
        let tagged = statsd.metric::<Counter>(name).tag(first.0, first.1).tag(second.0, second.1);
        Metrics {
            counter: statsd.metric::<Counter>(name).build(),
            tagged: tagged.build(),
            gauge: statsd.metric::<Gauge>(name).build(),
            timing: statsd.metric::<Timing>(name).build(),
        }
    }

    fn quiesce(&self) {
        self.0.quiesce();
    }

    fn close(self) -> Option<u64> {
        self.0.close()
    }
}

/// Benchmarked freewheel client with aggregated metrics, whose calls change a number.
pub struct Aggregated(Tagged);

pub struct AggregatedMetrics {
    counter: AggregatedCounter,
    tagged: AggregatedCounter,
    gauge: AggregatedGauge,
}

impl Subject for Aggregated {
    const INFO: Info = Info {
        id: "freewheel_aggregated",
        label: "freewheel, aggregated",
        kind: Kind::Aggregates,
        calls: &[
            Call::Incr,
            Call::IncrTagged,
            Call::GaugeWhole,
            Call::GaugeTwoDecimals,
            Call::GaugeFullPrecision,
        ],
        ..Tagged::INFO
    };
    type Caller = AggregatedMetrics;

    fn start(setup: &Setup) -> Self {
        Self(Tagged::start(setup))
    }

    fn caller(&self) -> AggregatedMetrics {
        let Plain { statsd, name } = &self.0.0;
        let [first, second] = TAG_PARTS;
        let tagged = statsd.metric::<Counter>(name).tag(first.0, first.1).tag(second.0, second.1);
        AggregatedMetrics {
            counter: statsd.metric::<Counter>(name).aggregate(),
            tagged: tagged.aggregate(),
            gauge: statsd.metric::<Gauge>(name).aggregate(),
        }
    }

    fn quiesce(&self) {
        self.0.quiesce();
    }

    fn close(self) -> Option<u64> {
        self.0.close()
    }
}

/// Benchmarked freewheel client with the latency profile, for one emitting thread.
pub struct LowLatency(Plain);

impl Subject for LowLatency {
    const INFO: Info = Info {
        id: "freewheel_low_latency",
        label: "freewheel, low_latency",
        transports: &[],
        ..Plain::INFO
    };
    type Caller = Plain;

    fn start(setup: &Setup) -> Self {
        Self(Plain { statsd: start(builder(setup).low_latency(1)), name: setup.length.name() })
    }

    fn caller(&self) -> Plain {
        assert!(self.0.statsd.prepare_thread(), "the thread can be prepared");
        self.0.caller()
    }

    fn quiesce(&self) {
        self.0.quiesce();
    }

    fn close(self) -> Option<u64> {
        self.0.close()
    }
}

fn close(statsd: &Connector) -> Option<u64> {
    let stats = statsd.blocking_stop().stats;
    Some(stats.dropped().lines + stats.lost().lines)
}

fn builder(setup: &Setup) -> Builder {
    let builder = match &setup.target {
        Target::Udp(port) => Connector::builder("127.0.0.1").protocol(Protocol::Udp).port(*port),
        Target::Tcp(port) => Connector::builder("127.0.0.1").protocol(Protocol::Tcp).port(*port),
        Target::UnixDatagram(path) => {
            Connector::builder(path.to_string_lossy()).protocol(Protocol::UnixDatagram)
        }
    };
    let builder = builder.max_datagram_payload(setup.payload);
    builder.prefix(setup.length.prefix()).type_prefixes(false)
}

fn start(builder: Builder) -> Connector {
    let statsd = builder.build().expect("the settings are valid");
    statsd.start_on_thread().expect("the flusher's thread can be started");
    while !statsd.connected() {
        std::thread::yield_now();
    }
    statsd
}

impl Caller for Plain {
    #[inline]
    fn incr(&mut self) {
        self.statsd.incr(black_box(self.name));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        self.statsd.gauge(black_box(self.name), black_box(WHOLE));
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        self.statsd.gauge(black_box(self.name), black_box(TWO_DECIMALS));
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        self.statsd.gauge(black_box(self.name), black_box(FULL_PRECISION));
    }
    #[inline]
    fn timing(&mut self) {
        self.statsd.timing(black_box(self.name), black_box(ELAPSED));
    }
}

impl Caller for Tagged {
    #[inline]
    fn incr(&mut self) {
        self.0.incr();
    }
    #[inline]
    fn incr_tagged(&mut self) {
        let Plain { statsd, name } = &self.0;
        let [first, second] = black_box(TAG_PARTS);
        statsd
            .metric::<Counter>(black_box(name))
            .tag(first.0, first.1)
            .tag(second.0, second.1)
            .incr();
    }
    #[inline]
    fn gauge_whole(&mut self) {
        self.0.gauge_whole();
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        self.0.gauge_two_decimals();
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        self.0.gauge_full_precision();
    }
    #[inline]
    fn timing(&mut self) {
        self.0.timing();
    }
}

impl Caller for AggregatedMetrics {
    #[inline]
    fn incr(&mut self) {
        black_box(&self.counter).incr();
    }
    #[inline]
    fn incr_tagged(&mut self) {
        black_box(&self.tagged).incr();
    }
    #[inline]
    fn gauge_whole(&mut self) {
        black_box(&self.gauge).set(black_box(WHOLE));
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        black_box(&self.gauge).set(black_box(TWO_DECIMALS));
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        black_box(&self.gauge).set(black_box(FULL_PRECISION));
    }
}

impl Caller for Metrics {
    #[inline]
    fn incr(&mut self) {
        black_box(&self.counter).incr();
    }
    #[inline]
    fn incr_tagged(&mut self) {
        black_box(&self.tagged).incr();
    }
    #[inline]
    fn gauge_whole(&mut self) {
        black_box(&self.gauge).set(black_box(WHOLE));
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
        black_box(&self.timing).record(black_box(ELAPSED));
    }
}

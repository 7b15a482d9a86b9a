//! Adapters that benchmark the client rylv-metrics 0.4, which aggregates values in each thread and
//! sends one line per metric, by default every ten seconds.
//!
//! It is measured with names and tags looked up at each call, and with prepared metrics. It has
//! only whole numbers.

use crate::fixtures::{ELAPSED, WHOLE};
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject, Transport};
use rylv_metrics::{
    MetricCollector, MetricCollectorOptions, MetricCollectorTrait, PreparedMetric, RylvStr,
    RylvTag, TLSCollector, TLSCollectorOptions,
};
use std::hint::black_box;
use std::sync::Arc;

type Collector = MetricCollector<TLSCollector>;

const CALLS: &[Call] = &[Call::Incr, Call::IncrTagged, Call::GaugeWhole, Call::Timing];

fn collector(setup: &Setup) -> Arc<Collector> {
    let prefix = format!("{}.", setup.length.prefix());
    let inner =
        TLSCollector::new(TLSCollectorOptions { stats_prefix: prefix, ..Default::default() });
    let from = "0.0.0.0:0".parse().expect("the address is valid");
    let to = setup.target.address().parse().expect("the address is valid");
    let options =
        MetricCollectorOptions { max_udp_packet_size: setup.payload as u16, ..Default::default() };
    Arc::new(MetricCollector::new(from, to, options, inner).expect("loopback is available"))
}

pub struct ThreadLocal {
    collector: Arc<Collector>,
    name: &'static str,
}

impl Subject for ThreadLocal {
    const INFO: Info = Info {
        id: "rylv",
        label: "rylv-metrics, thread-local",
        kind: Kind::Aggregates,
        calls: CALLS,
        transports: &[Transport::Udp],
    };
    type Caller = Self;

    fn start(setup: &Setup) -> Self {
        Self { collector: collector(setup), name: setup.length.name() }
    }
    fn caller(&self) -> Self {
        Self { collector: Arc::clone(&self.collector), name: self.name }
    }
    fn close(self) -> Option<u64> {
        None
    }
}

impl Caller for ThreadLocal {
    #[inline]
    fn incr(&mut self) {
        self.collector.count(RylvStr::from_static(black_box(self.name)), &mut []);
    }
    #[inline]
    fn incr_tagged(&mut self) {
        let tags = &mut [RylvTag::from_static("method:GET"), RylvTag::from_static("status:200")];
        self.collector.count(RylvStr::from_static(black_box(self.name)), black_box(tags));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        let name = RylvStr::from_static(black_box(self.name));
        self.collector.gauge(name, black_box(WHOLE), &mut []);
    }
    #[inline]
    fn timing(&mut self) {
        let name = RylvStr::from_static(black_box(self.name));
        self.collector.histogram(name, black_box(ELAPSED.as_micros() as u64), &mut []);
    }
}

pub struct Prepared(ThreadLocal);

impl Subject for Prepared {
    const INFO: Info = Info {
        id: "rylv_prepared",
        label: "rylv-metrics, thread-local, prepared",
        kind: Kind::Aggregates,
        calls: CALLS,
        transports: &[Transport::Udp],
    };
    type Caller = Metrics;

    fn start(setup: &Setup) -> Self {
        Self(ThreadLocal::start(setup))
    }
    fn caller(&self) -> Metrics {
        let ThreadLocal { collector, name } = self.0.caller();
        let tags = [RylvTag::from_static("method:GET"), RylvTag::from_static("status:200")];
        let tags = collector.prepare_sorted_tags(tags);
        let none = collector.prepare_sorted_tags([]);
        let tagged = collector.prepare_metric(RylvStr::from_static(name), tags);
        let plain = collector.prepare_metric(RylvStr::from_static(name), none);
        Metrics { collector, plain, tagged }
    }
    fn close(self) -> Option<u64> {
        None
    }
}

pub struct Metrics {
    collector: Arc<Collector>,
    plain: PreparedMetric<<Collector as MetricCollectorTrait>::Hasher>,
    tagged: PreparedMetric<<Collector as MetricCollectorTrait>::Hasher>,
}

impl Caller for Metrics {
    #[inline]
    fn incr(&mut self) {
        self.collector.count_prepared(black_box(&self.plain));
    }
    #[inline]
    fn incr_tagged(&mut self) {
        self.collector.count_prepared(black_box(&self.tagged));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        self.collector.gauge_prepared(black_box(&self.plain), black_box(WHOLE));
    }
    #[inline]
    fn timing(&mut self) {
        let elapsed = black_box(ELAPSED.as_micros() as u64);
        self.collector.histogram_prepared(black_box(&self.plain), elapsed);
    }
}

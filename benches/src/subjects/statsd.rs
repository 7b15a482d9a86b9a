//! statsd 0.16: a send per call, which is all its client offers to several threads; and its
//! pipeline, one for each thread, sent when there is a datagram's worth.

use crate::lines::{ELAPSED_MILLISECONDS, FULL_PRECISION, TWO_DECIMALS, WHOLE};
use crate::subject::{Call, Caller, Info, Nature, Setup, Subject, Transport};
use statsd::client::Pipeline;
use std::hint::black_box;
use std::sync::Arc;

pub struct SendPerCall(Single);

pub struct Single {
    client: Arc<statsd::Client>,
    name: &'static str,
}

impl Subject for SendPerCall {
    const INFO: Info = Info {
        id: "statsd",
        label: "statsd, a send per call",
        nature: Nature::Lines,
        calls: Call::UNTAGGED,
        transports: &[Transport::Udp],
    };
    type Caller = Single;

    fn start(setup: &Setup) -> Self {
        let client = statsd::Client::new(setup.target.address(), setup.length.prefix());
        Self(Single { client: Arc::new(client.expect("loopback")), name: setup.length.name() })
    }
    fn caller(&self) -> Single {
        Single { client: Arc::clone(&self.0.client), name: self.0.name }
    }
    fn close(self) -> Option<u64> {
        None
    }
}

impl Caller for Single {
    #[inline]
    fn incr(&mut self) {
        self.client.incr(black_box(self.name));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        self.client.gauge(black_box(self.name), black_box(WHOLE as f64));
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        self.client.gauge(black_box(self.name), black_box(TWO_DECIMALS));
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        self.client.gauge(black_box(self.name), black_box(FULL_PRECISION));
    }
    #[inline]
    fn timing(&mut self) {
        self.client.timer(black_box(self.name), black_box(ELAPSED_MILLISECONDS));
    }
}

pub struct Pipelined {
    single: SendPerCall,
    payload: usize,
    /// Lines that fill a datagram.
    lines: usize,
}

impl Subject for Pipelined {
    const INFO: Info = Info {
        id: "statsd_pipeline",
        label: "statsd, pipeline",
        nature: Nature::Lines,
        calls: Call::UNTAGGED,
        transports: &[Transport::Udp],
    };
    type Caller = Several;

    fn start(setup: &Setup) -> Self {
        let lines = setup.payload / setup.length.counter().len();
        Self { single: SendPerCall::start(setup), payload: setup.payload, lines }
    }
    fn caller(&self) -> Several {
        let mut pipeline = Pipeline::new();
        pipeline.set_max_udp_size(self.payload);
        Several { pipeline, single: self.single.caller(), waiting: 0, lines: self.lines }
    }
    fn close(self) -> Option<u64> {
        None
    }
}

pub struct Several {
    pipeline: Pipeline,
    single: Single,
    waiting: usize,
    lines: usize,
}

impl Several {
    #[inline]
    fn added(&mut self) {
        self.waiting += 1;
        if self.waiting >= self.lines {
            self.pipeline.send(&self.single.client);
            self.waiting = 0;
        }
    }
}

impl Drop for Several {
    fn drop(&mut self) {
        self.pipeline.send(&self.single.client);
    }
}

impl Caller for Several {
    #[inline]
    fn incr(&mut self) {
        self.pipeline.incr(black_box(self.single.name));
        self.added();
    }
    #[inline]
    fn gauge_whole(&mut self) {
        self.pipeline.gauge(black_box(self.single.name), black_box(WHOLE as f64));
        self.added();
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        self.pipeline.gauge(black_box(self.single.name), black_box(TWO_DECIMALS));
        self.added();
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        self.pipeline.gauge(black_box(self.single.name), black_box(FULL_PRECISION));
        self.added();
    }
    #[inline]
    fn timing(&mut self) {
        self.pipeline.timer(black_box(self.single.name), black_box(ELAPSED_MILLISECONDS));
        self.added();
    }
}

//! Adapters that benchmark the client statsd 0.16: one sends a datagram per call, and one collects
//! lines in a pipeline, which it sends when a datagram is full.
//!
//! Several threads can share the client only with one send per call. Each thread has its own
//! pipeline.

use crate::fixtures::{ELAPSED_MILLISECONDS, FULL_PRECISION, TWO_DECIMALS, WHOLE};
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject, Transport};
use statsd::client::Pipeline;
use std::hint::black_box;
use std::sync::Arc;

pub struct SendPerCall(SharedClient);

pub struct SharedClient {
    client: Arc<statsd::Client>,
    name: &'static str,
}

impl Subject for SendPerCall {
    const INFO: Info = Info {
        id: "statsd",
        label: "statsd, a send per call",
        kind: Kind::LinePerCall,
        calls: Call::UNTAGGED,
        transports: &[Transport::Udp],
    };
    type Caller = SharedClient;

    fn start(setup: &Setup) -> Self {
        let client = statsd::Client::new(setup.target.address(), setup.length.prefix());
        Self(SharedClient {
            client: Arc::new(client.expect("loopback is available")),
            name: setup.length.name(),
        })
    }
    fn caller(&self) -> SharedClient {
        SharedClient { client: Arc::clone(&self.0.client), name: self.0.name }
    }
    fn close(self) -> Option<u64> {
        None
    }
}

impl Caller for SharedClient {
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
    send_per_call: SendPerCall,
    payload: usize,
    /// Number of lines that fill a datagram.
    lines_per_datagram: usize,
}

impl Subject for Pipelined {
    const INFO: Info = Info {
        id: "statsd_pipeline",
        label: "statsd, pipeline",
        kind: Kind::LinePerCall,
        calls: Call::UNTAGGED,
        transports: &[Transport::Udp],
    };
    type Caller = PipelineCaller;

    fn start(setup: &Setup) -> Self {
        let lines_per_datagram = setup.payload / setup.length.counter_line().len();
        Self {
            send_per_call: SendPerCall::start(setup),
            payload: setup.payload,
            lines_per_datagram,
        }
    }
    fn caller(&self) -> PipelineCaller {
        let mut pipeline = Pipeline::new();
        pipeline.set_max_udp_size(self.payload);
        PipelineCaller {
            pipeline,
            shared: self.send_per_call.caller(),
            pending_lines: 0,
            lines_per_datagram: self.lines_per_datagram,
        }
    }
    fn close(self) -> Option<u64> {
        None
    }
}

pub struct PipelineCaller {
    pipeline: Pipeline,
    shared: SharedClient,
    pending_lines: usize,
    lines_per_datagram: usize,
}

impl PipelineCaller {
    #[inline]
    fn send_if_full(&mut self) {
        self.pending_lines += 1;
        if self.pending_lines >= self.lines_per_datagram {
            self.pipeline.send(&self.shared.client);
            self.pending_lines = 0;
        }
    }
}

impl Drop for PipelineCaller {
    fn drop(&mut self) {
        self.pipeline.send(&self.shared.client);
    }
}

impl Caller for PipelineCaller {
    #[inline]
    fn incr(&mut self) {
        self.pipeline.incr(black_box(self.shared.name));
        self.send_if_full();
    }
    #[inline]
    fn gauge_whole(&mut self) {
        self.pipeline.gauge(black_box(self.shared.name), black_box(WHOLE as f64));
        self.send_if_full();
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        self.pipeline.gauge(black_box(self.shared.name), black_box(TWO_DECIMALS));
        self.send_if_full();
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        self.pipeline.gauge(black_box(self.shared.name), black_box(FULL_PRECISION));
        self.send_if_full();
    }
    #[inline]
    fn timing(&mut self) {
        self.pipeline.timer(black_box(self.shared.name), black_box(ELAPSED_MILLISECONDS));
        self.send_if_full();
    }
}

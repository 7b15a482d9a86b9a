//! Adapter that benchmarks the client libdd-dogstatsd-client 10, which is built on cadence, queues
//! up to 32,768 lines, and sends one datagram per line.
//!
//! The client has no prefix and no timings. A histogram replaces the timing.

use crate::fixtures::{ELAPSED_MILLISECONDS, FULL_PRECISION, TAG_PARTS, TWO_DECIMALS, WHOLE};
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject, Target, Transport};
use libdd_common::Endpoint;
use libdd_common::tag::Tag;
use libdd_dogstatsd_client::{DogStatsDAction, DogStatsDClient};
use std::hint::black_box;

pub struct Libdd {
    client: DogStatsDClient,
    name: &'static str,
    tags: Vec<Tag>,
}

impl Subject for Libdd {
    const INFO: Info = Info {
        id: "libdd",
        label: "libdd-dogstatsd-client",
        kind: Kind::LinePerCall,
        calls: &Call::ALL,
        transports: &[Transport::Udp],
    };
    type Caller = Self;

    fn start(setup: &Setup) -> Self {
        let Target::Udp(port) = setup.target else { panic!("this subject supports UDP only") };
        let endpoint = Endpoint::from_slice(&format!("127.0.0.1:{port}"));
        let client = DogStatsDClient::new(endpoint).expect("the address is valid");
        let tags = TAG_PARTS.map(|(key, value)| Tag::new(key, value).expect("the tag is valid"));
        Self { client, name: setup.length.full_name(), tags: tags.into() }
    }
    fn caller(&self) -> Self {
        Self { client: self.client.clone(), name: self.name, tags: self.tags.clone() }
    }
    fn close(self) -> Option<u64> {
        None
    }
}

impl Libdd {
    #[inline]
    fn send<'a>(&self, action: DogStatsDAction<'a, &str, &'a [Tag]>) {
        self.client.send(vec![action]);
    }
}

impl Caller for Libdd {
    #[inline]
    fn incr(&mut self) {
        self.send(DogStatsDAction::Count(black_box(self.name), black_box(1), &[]));
    }
    #[inline]
    fn incr_tagged(&mut self) {
        self.send(DogStatsDAction::Count(
            black_box(self.name),
            black_box(1),
            black_box(&self.tags),
        ));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        self.send(DogStatsDAction::Gauge(black_box(self.name), black_box(WHOLE as f64), &[]));
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        self.send(DogStatsDAction::Gauge(black_box(self.name), black_box(TWO_DECIMALS), &[]));
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        self.send(DogStatsDAction::Gauge(black_box(self.name), black_box(FULL_PRECISION), &[]));
    }
    #[inline]
    fn timing(&mut self) {
        let elapsed = black_box(ELAPSED_MILLISECONDS);
        self.send(DogStatsDAction::Histogram(black_box(self.name), elapsed, &[]));
    }
}

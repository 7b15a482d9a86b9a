//! Adapter that benchmarks the StatsD client dogstatsd 0.12 with batching: the client sends a
//! datagram when the payload is full, or after 100 ms.
//!
//! The client accepts gauges as strings, so that the caller formats them.

use crate::fixtures::{ELAPSED_MILLISECONDS, FULL_PRECISION, TAGS, TWO_DECIMALS, WHOLE};
use crate::subject::{Call, Caller, Info, Kind, Setup, Subject, Target, Transport};
use dogstatsd::{BatchingOptions, Client, OptionsBuilder};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

pub struct Batching(SharedClient);

pub struct SharedClient {
    client: Arc<Client>,
    name: &'static str,
}

impl Subject for Batching {
    const INFO: Info = Info {
        id: "dogstatsd",
        label: "dogstatsd, batching",
        kind: Kind::LinePerCall,
        calls: &Call::ALL,
        transports: &[Transport::Udp, Transport::UnixDatagram],
    };
    type Caller = SharedClient;

    fn start(setup: &Setup) -> Self {
        let mut options = OptionsBuilder::new();
        options.namespace(setup.length.prefix().to_owned());
        match &setup.target {
            Target::UnixDatagram(path) => {
                options.socket_path(Some(path.to_string_lossy().into_owned()))
            }
            target => options.to_addr(target.address()),
        };
        options.batching_options(BatchingOptions {
            max_buffer_size: setup.payload,
            max_time: Duration::from_millis(100),
            max_retry_attempts: 3,
            initial_retry_delay: 10,
        });
        let client = Client::new(options.build()).expect("the receiver listens");
        Self(SharedClient { client: Arc::new(client), name: setup.length.name() })
    }
    fn caller(&self) -> SharedClient {
        SharedClient { client: Arc::clone(&self.0.client), name: self.0.name }
    }
    /// Drops the client. The client's thread then sends the remaining lines.
    fn close(self) -> Option<u64> {
        None
    }
}

/// Empty list of tags, for calls without tags.
const NO_TAGS: [&str; 0] = [];

impl Caller for SharedClient {
    #[inline]
    fn incr(&mut self) {
        let _ = self.client.incr(black_box(self.name), NO_TAGS);
    }
    #[inline]
    fn incr_tagged(&mut self) {
        let _ = self.client.incr(black_box(self.name), black_box(TAGS));
    }
    #[inline]
    fn gauge_whole(&mut self) {
        let value = itoa::Buffer::new().format(black_box(WHOLE)).to_owned();
        let _ = self.client.gauge(black_box(self.name), value, NO_TAGS);
    }
    #[inline]
    fn gauge_two_decimals(&mut self) {
        let value = black_box(TWO_DECIMALS).to_string();
        let _ = self.client.gauge(black_box(self.name), value, NO_TAGS);
    }
    #[inline]
    fn gauge_full_precision(&mut self) {
        let value = black_box(FULL_PRECISION).to_string();
        let _ = self.client.gauge(black_box(self.name), value, NO_TAGS);
    }
    /// Records the duration of the benchmarked timing calls, rounded down to whole milliseconds.
    #[inline]
    fn timing(&mut self) {
        let elapsed = black_box(ELAPSED_MILLISECONDS) as i64;
        let _ = self.client.timing(black_box(self.name), elapsed, NO_TAGS);
    }
}

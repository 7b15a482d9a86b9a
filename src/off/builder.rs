//! Builder that accepts every setting, and builds a connector that does nothing.

use super::{Connector, SampleRate};
use crate::error::BuildError;
use crate::options::{
    Cardinality, Delivery, Dialect, DogStatsDVersion, Endpoint, Framing, Protocol, WhenFull,
};
use std::time::Duration;

#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder(());

/// Defines methods that set something.
macro_rules! settings {
    ($($(#[$cfg:meta])? $name:ident($($parameter:ident: $type:ty),*);)*) => {
        impl Builder {
            $(
                $(#[$cfg])?
                pub fn $name(self, $($parameter: $type),*) -> Self {
                    self
                }
            )*
        }
    };
}

settings! {
    endpoint(endpoint: Endpoint);
    port(port: u16);
    protocol(protocol: Protocol);
    prefix(prefix: impl Into<String>);
    type_prefixes(on: bool);
    queue_capacity(bytes: usize);
    max_datagram_payload(bytes: usize);
    hold_when_refused(on: bool);
    segmentation_offload(on: bool);
    delivery(delivery: Delivery);
    framing(framing: Framing);
    when_full(when_full: WhenFull);
    flush_interval(interval: Duration);
    reconnect_sleep(sleep: Duration);
    connect_timeout(timeout: Duration);
    peer_timeout(timeout: Duration);
    lookup_interval(interval: Duration);
    stop_timeout(timeout: Duration);
    aggregate_interval(interval: Duration);
    gauge_repeat(every: Duration, at_most_for: Duration);
    coalesce(max_contexts: usize);
    low_latency(threads: usize);
    block_size(bytes: usize);
    never_wake(on: bool);
    prefault(threads: usize);
    thread_name(name: impl Into<String>);
    on_thread_start(function: impl Fn() + Send + Sync + 'static);
    dialect(dialect: Dialect);
    dogstatsd_version(version: DogStatsDVersion);
    tag(key: impl Into<String>, value: impl Into<String>);
    sample(pattern: impl Into<String>, rate: SampleRate);
    pack_values(on: bool);
    container_id(id: impl Into<String>);
    external_data(data: impl Into<String>);
    cardinality(cardinality: Cardinality);
}

impl Builder {
    pub(super) fn new() -> Self {
        Self(())
    }

    pub fn from_url(url: &str) -> Result<Self, BuildError> {
        url.parse::<Endpoint>().map(Self::from)
    }

    /// Returns `None`, as for metrics that the environment disables.
    pub fn from_env() -> Result<Option<Self>, BuildError> {
        Ok(None)
    }

    pub fn from_datadog_env() -> Result<Self, BuildError> {
        Ok(Self::new())
    }

    pub fn build(self) -> Result<Connector, BuildError> {
        Ok(Connector::disabled())
    }
}

impl From<Endpoint> for Builder {
    fn from(endpoint: Endpoint) -> Self {
        Self::new()
    }
}

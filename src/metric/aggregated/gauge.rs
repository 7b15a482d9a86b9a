//! Aggregated gauges.

use super::{Shared, fmt_handle};
use crate::aggregate::Source;
use crate::emit::drop_invalid;
use crate::encode::Value;
use std::fmt;

/// Gauge whose calls set a number in memory, of which the flusher emits a line at each aggregate
/// interval in which it was set.
///
/// [`Metric::aggregate`](crate::Metric::aggregate) creates it. Of several values in an interval, the last
/// is sent. No value is sent twice, unless [`gauge_repeat`](crate::Builder::gauge_repeat) asks for it,
/// and none before the first call.
///
/// A call is one store. Threads that often set the same gauge at the same time slow each other down, by
/// tens of nanoseconds.
///
/// Values have the precision of an `f64`: whole numbers are exact up to 2^53. A gauge that is set by name
/// and through a handle has no order between the two.
///
/// While the server is down, the last value waits, and is sent afterwards. See
/// [`AggregatedCounter`](crate::AggregatedCounter) for what else may be lost.
///
/// ```
/// use freewheel::{Connector, Gauge};
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
///     .build()?;
/// statsd.start_on_thread()?;
/// let depth = statsd.metric::<Gauge>("queue.depth").aggregate();
/// depth.set(16);
/// depth.set(17);
/// statsd.blocking_flush()?; // gauges.queue.depth:17|g
/// # server.assert(&statsd, &["gauges.queue.depth:17|g"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AggregatedGauge(Option<Shared>);

impl AggregatedGauge {
    pub(super) fn new(shared: Option<Shared>) -> Self {
        Self(shared)
    }

    /// Sets the gauge to `value`. A number that is not finite changes nothing, and is counted as an
    /// [invalid](crate::Drops::invalid) line.
    #[inline]
    pub fn set(&self, value: impl Value) {
        let Some(shared) = &self.0 else { return };
        let Source::Gauge(latest) = &shared.entry.source else {
            unreachable!("the handle was created with a latest value")
        };
        let value = value.to_f64();
        if !value.is_finite() {
            return drop_invalid(&shared.exchange, 1);
        }
        latest.set(value);
        shared.exchange.wake_if_dormant();
    }

    pub(super) fn shared(&self) -> Option<&Shared> {
        self.0.as_ref()
    }
}

impl fmt::Debug for AggregatedGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_handle("AggregatedGauge", self.shared(), f)
    }
}

//! Prepared gauges: handles with a line that is already rendered, except for its value.

use super::handle::Handle;
use super::kind::{calls, kind};
use super::measurement::{Absolute, Delta};
use crate::encode::Value;

/// Prepared gauge. [`Metric::build`](crate::Metric::build) renders its line in advance, except for
/// the value.
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
/// let depth = statsd.metric::<Gauge>("queue.depth").build();
/// depth.set(17); // gauges.queue.depth:17|g
/// depth.change_by(-3); // gauges.queue.depth:-3|g
/// # server.assert(&statsd, &["gauges.queue.depth:17|g", "gauges.queue.depth:-3|g"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Gauge(Handle);

kind!(Gauge, sampled: false);
impl super::Timestamped for Gauge {}

calls!(Gauge {
    /// Sets the gauge to `value`. A negative number is sent as two lines, except in DogStatsD: see
    /// [`Connector::gauge`](crate::Connector::gauge).
    #[inline]
    pub fn set(&self, value: impl Value) {
        self.record_measurement(Absolute(value));
    }

    /// Changes the gauge by `delta`, which may be negative. In DogStatsD, which has no deltas, the
    /// line is dropped and counted as [unsupported](crate::Drops::unsupported).
    #[inline]
    pub fn change_by(&self, delta: impl Value) {
        self.record_measurement(Delta(delta));
    }
});

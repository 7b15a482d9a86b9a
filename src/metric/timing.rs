//! Prepared timings: handles with a line that is already rendered, except for its value.

use super::handle::Handle;
use super::kind::{calls, kind};
use super::measurement::{DurationValue, Seconds};
use std::time::Duration;

/// Prepared timing. [`Metric::build`](crate::Metric::build) renders its line in advance, except for
/// the value.
///
/// ```
/// use freewheel::{Connector, Timing};
/// use std::time::Duration;
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
///     .build()?;
/// statsd.start_on_thread()?;
/// let query = statsd.metric::<Timing>("db.query").build();
/// query.record(Duration::from_micros(1500)); // timers.db.query:1.5|ms
/// # server.assert(&statsd, &["timers.db.query:1.5|ms"]);
/// let timer = query.start(); // records when dropped
/// # drop(timer);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Timing(pub(super) Handle);

kind!(Timing, sampled: true);
impl super::Sampled for Timing {}
impl super::Measured for Timing {}

calls!(Timing {
    /// Records the duration `elapsed` in milliseconds, exact to the nanosecond.
    #[inline]
    pub fn record(&self, elapsed: Duration) {
        self.record_measurement(DurationValue(elapsed));
    }

    /// Records a duration given in seconds, and sends it in milliseconds with no digit rounded. A
    /// negative or non-finite number is dropped and counted as invalid.
    #[inline]
    pub fn record_seconds(&self, seconds: f64) {
        self.record_measurement(Seconds(seconds));
    }
});

//! Prepared counters: handles with a line that is already rendered, except for its value.

use super::handle::Handle;
use super::kind::{calls, kind};
use super::measurement::{Amount, Negated, One};
use crate::encode::Value;

/// Prepared counter, the fastest way to count. [`Metric::build`](crate::Metric::build) renders its
/// line in advance, except for the value.
///
/// ```
/// use freewheel::{Connector, Counter, Dialect};
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port())
///     .dialect(Dialect::DogStatsD)
///     .build()?;
/// statsd.start_on_thread()?;
/// let hits = statsd.metric::<Counter>("http.hits").tag("route", "/").build();
/// hits.incr(); // http.hits:1|c|#route:/
/// hits.incr_by(5); // http.hits:5|c|#route:/
/// # server.assert(&statsd, &["http.hits:1|c|#route:/", "http.hits:5|c|#route:/"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Counter(Handle);

kind!(Counter, sampled: true);
impl super::Sampled for Counter {}
impl super::Timestamped for Counter {}

calls!(Counter {
    /// Adds 1 to the counter.
    #[inline]
    pub fn incr(&self) {
        self.record_measurement(One);
    }

    /// Adds `amount`, which may be negative or fractional, to the counter. In the dialect `Influx`,
    /// the amount must be an [integer](crate::Dialect#variant.Influx).
    #[inline]
    pub fn incr_by(&self, amount: impl Value) {
        self.record_measurement(Amount(amount));
    }

    /// Subtracts 1 from the counter.
    #[inline]
    pub fn decr(&self) {
        self.record_measurement(Negated(1));
    }

    /// Subtracts `amount` from the counter: `decr_by(2)` sends `-2`.
    #[inline]
    pub fn decr_by(&self, amount: impl Value) {
        self.record_measurement(Negated(amount));
    }
});

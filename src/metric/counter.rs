//! Prepared counters.

use super::handle::Handle;
use super::kind::{calls, kind};
use super::measurement::{Amount, Negated, One};
use crate::encode::Value;

/// A prepared counter, from [`Metric::build`](crate::Metric::build): the fastest way to count.
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
    /// Counts one.
    #[inline]
    pub fn incr(&self) {
        self.record(One);
    }

    /// Counts `amount`, which may be negative or fractional. In `Influx` it must be an
    /// [integer](crate::Dialect#variant.Influx).
    #[inline]
    pub fn incr_by(&self, amount: impl Value) {
        self.record(Amount(amount));
    }

    /// Counts one down.
    #[inline]
    pub fn decr(&self) {
        self.record(Negated(1));
    }

    /// Counts `amount` down: `decr_by(2)` sends `-2`.
    #[inline]
    pub fn decr_by(&self, amount: impl Value) {
        self.record(Negated(amount));
    }
});

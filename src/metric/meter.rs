//! Prepared meters: counters for which the server computes a rate.

use super::handle::Handle;
use super::kind::{calls, kind};
use super::measurement::Amount;
use crate::encode::Value;

/// Prepared meter, with a line that [`Metric::build`](crate::Metric::build) renders in advance,
/// except for the value. Only the dialect `Extended` has meters.
///
/// ```
/// use freewheel::{Connector, Dialect, Meter};
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
///     .dialect(Dialect::Extended)
///     .build()?;
/// statsd.start_on_thread()?;
/// let requests = statsd.metric::<Meter>("requests").build();
/// requests.mark(1); // meters.requests:1|m
/// # server.assert(&statsd, &["meters.requests:1|m"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Meter(Handle);

kind!(Meter, sampled: true);
impl super::Sampled for Meter {}

calls!(Meter {
    /// Counts `amount` events of the meter.
    #[inline]
    pub fn mark(&self, amount: impl Value) {
        self.record_measurement(Amount(amount));
    }
});

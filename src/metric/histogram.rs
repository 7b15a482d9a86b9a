//! Prepared histograms, which each agent or server aggregates alone, and distributions, which
//! Datadog aggregates over all hosts.

use super::handle::Handle;
use super::kind::{calls, kind};
use super::measurement::Amount;
use crate::encode::Value;

/// Prepared histogram, with a line that [`Metric::build`](crate::Metric::build) renders in advance,
/// except for the value. The dialects `Extended`, `DogStatsD` and `Influx` have histograms.
///
/// ```
/// use freewheel::{Connector, Dialect, Histogram};
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
///     .dialect(Dialect::Influx)
///     .build()?;
/// statsd.start_on_thread()?;
/// let sizes = statsd.metric::<Histogram>("upload.size").tag("kind", "image").build();
/// sizes.record(48_213); // upload.size,kind=image:48213|h
/// # server.assert(&statsd, &["upload.size,kind=image:48213|h"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Histogram(Handle);

kind!(Histogram, sampled: true);
impl super::Sampled for Histogram {}
impl super::Measured for Histogram {}

calls!(Histogram {
    /// Records a value of the histogram. In the dialect `Influx`, a negative value is dropped and
    /// counted as [unsupported](crate::Drops::unsupported).
    #[inline]
    pub fn record(&self, value: impl Value) {
        self.record_measurement(Amount(value));
    }
});

/// Prepared distribution, with a line that [`Metric::build`](crate::Metric::build) renders in
/// advance, except for the value. Only the dialect `DogStatsD` has distributions.
///
/// ```
/// use freewheel::{Connector, Dialect, Distribution};
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port())
///     .dialect(Dialect::DogStatsD)
///     .build()?;
/// statsd.start_on_thread()?;
/// let sizes = statsd.metric::<Distribution>("upload.size").build();
/// sizes.record(48_213); // upload.size:48213|d
/// # server.assert(&statsd, &["upload.size:48213|d"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Distribution(Handle);

kind!(Distribution, sampled: true);
impl super::Sampled for Distribution {}
impl super::Measured for Distribution {}

calls!(Distribution {
    /// Records a value of the distribution.
    #[inline]
    pub fn record(&self, value: impl Value) {
        self.record_measurement(Amount(value));
    }
});

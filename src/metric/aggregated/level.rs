//! Levels: gauges that go up and down.

use super::sum_handle::SumHandle;
use super::{Shared, fmt_handle};
use crate::encode::Integer;
use std::fmt;

/// Gauge that goes up and down, such as the number of open connections. freewheel keeps its value, and
/// the flusher emits a line with the value at each aggregate interval in which it has changed.
///
/// [`Metric::aggregate_level`](crate::Metric::aggregate_level) creates it. The server gets the value
/// itself and no changes of it. So it works in every dialect, also in DogStatsD, and is right again with
/// the next line after a lost datagram. It is 0 at first, which is not sent.
///
/// [`add`](Self::add) and [`sub`](Self::sub) cost as much as the calls of an
/// [`AggregatedCounter`](crate::AggregatedCounter), and threads do not slow each other down. Values wrap
/// around at 2^63.
///
/// ```
/// use freewheel::{Connector, Dialect, Gauge};
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port())
///     .dialect(Dialect::DogStatsD)
///     .build()?;
/// statsd.start_on_thread()?;
/// let open = statsd.metric::<Gauge>("connections.open").aggregate_level();
/// open.add(3);
/// open.sub(1);
/// statsd.blocking_flush()?; // connections.open:2|g
/// # server.assert(&statsd, &["connections.open:2|g"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Level(SumHandle);

impl Level {
    pub(super) fn new(shared: Option<Shared>) -> Self {
        Self(SumHandle::new(shared))
    }

    /// Adds `amount`, which may be negative, to the level.
    #[inline]
    pub fn add(&self, amount: impl Integer) {
        self.0.add(amount.wrapped());
    }

    /// Subtracts `amount` from the level.
    #[inline]
    pub fn sub(&self, amount: impl Integer) {
        self.0.add(amount.wrapped().wrapping_neg());
    }

    /// Sets the level to `value`. What another thread adds at the same time counts before or after.
    ///
    /// This reads a number of each thread that has used an aggregated metric, so it is slower than
    /// [`add`](Self::add).
    pub fn set(&self, value: impl Integer) {
        self.0.set(value.wrapped());
    }

    /// Returns the value, which is 0 for a disabled connector. The call costs as much as
    /// [`set`](Self::set).
    #[must_use]
    pub fn value(&self) -> i64 {
        self.0.value() as i64
    }

    pub(super) fn shared(&self) -> Option<&Shared> {
        self.0.shared()
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_handle("Level", self.shared(), f)
    }
}

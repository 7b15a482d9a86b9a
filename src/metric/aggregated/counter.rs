//! Aggregated counters.

use super::sum_handle::SumHandle;
use super::{Shared, fmt_handle};
use crate::encode::Integer;
use std::fmt;

/// Counter whose calls add to a number in memory of the calling thread, of which the flusher emits one
/// line for each aggregate interval.
///
/// [`Metric::aggregate`](crate::Metric::aggregate) creates it. A call has no atomic read-modify-write
/// and no look-up, writes to no memory of other threads, and allocates only the first time on a thread.
///
/// # What may be lost, and when
///
/// * **While the server is down, nothing**: the amounts wait in the number, for days if need be. Then
///   they arrive as one line, which the server shows as a spike.
/// * Lines that were emitted share the [fate of all lines](crate::Connector#what-may-be-lost-and-when).
/// * When the process ends, the amounts since the last line are lost. [`stop`](crate::Connector::stop)
///   and [`flush`](crate::Connector::flush) emit them first. A stop reports what is left.
///
/// The total is exact, whatever threads come and go. It wraps around if more than 2^63 gathers between
/// two lines. In a forked child it begins at 0.
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
/// let hits = statsd.metric::<Counter>("hits").tag("route", "/").aggregate();
/// for _ in 0..1000 {
///     hits.incr();
/// }
/// hits.incr_by(24);
/// statsd.blocking_flush()?; // hits:1024|c|#route:/
/// # server.assert(&statsd, &["hits:1024|c|#route:/"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AggregatedCounter(SumHandle);

impl AggregatedCounter {
    pub(super) fn new(shared: Option<Shared>) -> Self {
        Self(SumHandle::new(shared))
    }

    /// Adds 1 to the counter.
    #[inline]
    pub fn incr(&self) {
        self.0.add(1);
    }

    /// Adds `amount`, which may be negative, to the counter. Fractional amounts have no exact sum, and do
    /// not compile.
    #[inline]
    pub fn incr_by(&self, amount: impl Integer) {
        self.0.add(amount.wrapped());
    }

    /// Subtracts 1 from the counter.
    #[inline]
    pub fn decr(&self) {
        self.0.add(1_u64.wrapping_neg());
    }

    /// Subtracts `amount` from the counter.
    #[inline]
    pub fn decr_by(&self, amount: impl Integer) {
        self.0.add(amount.wrapped().wrapping_neg());
    }

    pub(super) fn shared(&self) -> Option<&Shared> {
        self.0.shared()
    }
}

impl fmt::Debug for AggregatedCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_handle("AggregatedCounter", self.shared(), f)
    }
}

//! Handles of aggregated metrics: each call changes a number, of which the flusher emits a line at
//! each aggregate interval.

mod build;
mod counter;
mod gauge;
mod level;
mod sum_handle;

pub use counter::AggregatedCounter;
pub use gauge::AggregatedGauge;
pub use level::Level;

use crate::aggregate::{Entry, Source};
use crate::connector_core::{ScopeContext, ScopedExchange};
use crate::emit::{DropReason, Exchange};
use crate::encode::{LineSpec, Tags};
use std::fmt;
use std::sync::Arc;

/// Metric that a handle shares with the flusher, and what the handle needs of its connector.
#[derive(Clone)]
struct Shared {
    exchange: Arc<Exchange>,
    entry: Arc<Entry>,
    /// Reference to the connector's state, which keeps the flusher task running.
    _scoped: Arc<ScopeContext>,
}

impl Shared {
    fn new(
        core: &ScopedExchange,
        source: Source,
        spec: &LineSpec<'_, impl Tags>,
        drop_reason: Option<DropReason>,
    ) -> Self {
        let ScopedExchange { exchange, scoped } = core;
        let entry = Arc::new(Entry::new(source, spec, drop_reason));
        let owner = &scoped.owner;
        owner.shared.aggregates.add(Arc::clone(&entry), owner.lifecycle.is_running());
        Self { exchange: Arc::clone(exchange), entry, _scoped: Arc::clone(scoped) }
    }
}

/// Writes the `Debug` output of a handle, which may belong to a disabled connector.
fn fmt_handle(name: &str, shared: Option<&Shared>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match shared {
        Some(shared) => write!(f, "{name}({:?})", shared.entry),
        None => write!(f, "{name}(disabled)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Emission;
    use crate::{Connector, Counter, Dialect, Gauge};

    /// Returns a connector whose capacity is used up, for all kinds of lines. No flusher runs.
    fn full_connector() -> Connector {
        let builder = Connector::builder("127.0.0.1").dialect(Dialect::DogStatsD);
        let statsd = builder.queue_capacity(1024).build().expect("the settings are valid");
        let filled = std::thread::spawn({
            let statsd = statsd.clone();
            move || {
                (0..10_000).for_each(|_| statsd.incr("a"));
                (0..10_000).for_each(|_| statsd.gauge("a", 1));
            }
        });
        filled.join().expect("no panic");
        // This thread's own block is full too.
        (0..10_000).for_each(|_| statsd.incr("a"));
        statsd
    }

    fn shared<T>(handle: &T, of: fn(&T) -> Option<&Shared>) -> &Shared {
        of(handle).expect("the connector is enabled")
    }

    /// Asserts that the line of a metric finds no room, that nothing is counted, and that its number
    /// stays.
    #[track_caller]
    fn assert_refused(statsd: &Connector, shared: &Shared) {
        let before = statsd.stats();
        assert_eq!(shared.entry.emit(&shared.exchange), Emission::Refused);
        assert!(shared.entry.has_changed());
        assert_eq!(statsd.stats(), before, "a refused line is not counted");
    }

    #[test]
    fn refused_line_changes_neither_number_nor_account() {
        let statsd = full_connector();
        let hits = statsd.metric::<Counter>("hits").aggregate();
        hits.incr_by(5);
        assert_refused(&statsd, shared(&hits, AggregatedCounter::shared));
        let open = statsd.metric::<Gauge>("open").aggregate_level();
        open.add(3);
        assert_refused(&statsd, shared(&open, Level::shared));
        let depth = statsd.metric::<Gauge>("depth").aggregate();
        depth.set(4);
        assert_refused(&statsd, shared(&depth, AggregatedGauge::shared));
        // Gauges of more than 246 bytes have a limit of their own.
        let long = statsd.metric::<Gauge>(&"x".repeat(700)).aggregate();
        long.set(4);
        assert_refused(&statsd, shared(&long, AggregatedGauge::shared));
        assert_eq!(open.value(), 3);
        let Source::Counter(sum) = &shared(&hits, AggregatedCounter::shared).entry.source else {
            panic!("it is a counter");
        };
        assert_eq!(sum.value(), 5);
    }
}

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
        scoped.owner.shared.aggregates.add(Arc::clone(&entry));
        Self { exchange: Arc::clone(exchange), entry, _scoped: Arc::clone(scoped) }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entry.fmt(f)
    }
}

/// Writes the `Debug` output of a handle, which may belong to a disabled connector.
fn fmt_handle(name: &str, shared: Option<&Shared>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match shared {
        Some(shared) => write!(f, "{name}({shared:?})"),
        None => write!(f, "{name}(disabled)"),
    }
}

//! State that connectors, metrics and timers share.

use crate::emit::Exchange;
use crate::encode::{SamplingRules, Scope};
use crate::flush::{Shared, warn_of_abandoned_lines};
use crate::lifecycle::Lifecycle;
use std::sync::Arc;

/// State of a connector, or `None` if it is disabled.
#[derive(Clone)]
pub(crate) struct ConnectorCore(Option<ScopedExchange>);

/// Exchange and scope of an enabled connector.
#[derive(Clone)]
pub(crate) struct ScopedExchange {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) scoped: Arc<ScopeContext>,
}

/// Scope of a connector and its clones. A connector derived from it has another.
pub(crate) struct ScopeContext {
    pub(crate) scope: Scope,
    pub(crate) owner: Arc<FlusherOwner>,
}

/// State that all handles of one flusher share, and the flusher does not hold.
pub(crate) struct FlusherOwner {
    pub(crate) sampling: SamplingRules,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) shared: Arc<Shared>,
}

impl Drop for FlusherOwner {
    fn drop(&mut self) {
        if self.lifecycle.is_without_flusher() {
            warn_of_abandoned_lines(&self.shared);
        }
    }
}

impl ConnectorCore {
    pub(crate) const DISABLED: Self = Self(None);

    pub(crate) fn new(scoped: ScopedExchange) -> Self {
        Self(Some(scoped))
    }

    /// Returns the exchange and the scope, or `None` if the connector is disabled.
    #[inline(always)]
    pub(crate) fn enabled(&self) -> Option<&ScopedExchange> {
        self.0.as_ref()
    }
}

//! Internal state that connectors, metrics and timers share: the buffers for the flusher, the
//! prefix and the tags.

use crate::emit::Exchange;
use crate::encode::{SamplingRules, Scope};
use crate::flush::{Shared, warn_of_abandoned_lines};
use crate::lifecycle::Lifecycle;
use std::sync::Arc;

/// Internal state of a connector, or `None` for a disabled connector, which discards all metrics.
#[derive(Clone)]
pub(crate) struct ConnectorCore(Option<ScopedExchange>);

/// Exchange (the buffers of lines for the flusher) and scope (prefix and tags) of an enabled
/// connector.
#[derive(Clone)]
pub(crate) struct ScopedExchange {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) scoped: Arc<ScopeContext>,
}

/// Scope (prefix and tags) that a connector and its clones share. A connector with a further prefix
/// or tag has its own `ScopeContext`.
pub(crate) struct ScopeContext {
    pub(crate) scope: Scope,
    pub(crate) owner: Arc<FlusherOwner>,
}

/// State that all connectors and metrics of one flusher task share. The flusher holds no reference
/// to this state: the flusher stops when the last connector or metric is dropped.
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

    /// Returns the exchange (the buffers of lines for the flusher) and the scope (prefix and tags),
    /// or `None` if the connector is disabled.
    #[inline(always)]
    pub(crate) fn enabled(&self) -> Option<&ScopedExchange> {
        self.0.as_ref()
    }
}

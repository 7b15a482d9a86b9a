//! State that connectors, metrics and timers share.

use crate::encode::{SamplingRules, Scope};
use crate::handoff::Exchange;
use crate::lifecycle::Lifecycle;
use crate::send::{Shared, warn_of_abandoned_lines};
use std::sync::Arc;

/// State of a connector. A disabled connector has neither path.
#[derive(Clone)]
pub(crate) struct ConnectorCore {
    /// `Some` if lines need no tags, no sampling and no other rules of a dialect. The fast path checks
    /// only this field.
    pub(crate) fast_path: Option<ScopedExchange>,
    /// `Some` if lines need tags, sampling or other rules of a dialect.
    pub(crate) slow_path: Option<ScopedExchange>,
}

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
    pub(crate) const DISABLED: Self = Self { fast_path: None, slow_path: None };

    /// Chooses the fast or the slow path by the scope and the sampling patterns.
    pub(crate) fn new(scoped: ScopedExchange) -> Self {
        let ScopeContext { scope, owner } = &*scoped.scoped;
        if scope.allows_fast_path() && owner.sampling.is_empty() {
            Self { fast_path: Some(scoped), slow_path: None }
        } else {
            Self { fast_path: None, slow_path: Some(scoped) }
        }
    }

    /// Returns the exchange and the scope, or `None` if the connector is disabled.
    #[inline(always)]
    pub(crate) fn enabled(&self) -> Option<&ScopedExchange> {
        self.fast_path.as_ref().or(self.slow_path.as_ref())
    }
}

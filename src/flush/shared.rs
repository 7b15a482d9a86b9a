//! State that the flusher shares with the application's handles of the client.

use super::account::Account;
use super::coalescing;
use super::rate_limit::WarningLimits;
use super::wake::Wake;
use crate::aggregate::{Intervals, Registry};
use crate::config::FlusherConfig;
use crate::emit::Exchange;
use crate::stats::Stats;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// State shared by the flusher and the application's handles of the client. It outlives the
/// flusher, and serves the next one.
pub(crate) struct Shared {
    pub(crate) exchange: Arc<Exchange>,
    /// Merged lines, with [`coalesce`](crate::Builder::coalesce). Only the flusher uses them.
    pub(super) merged: Option<Arc<Exchange>>,
    pub(crate) settings: FlusherConfig,
    pub(crate) account: Arc<Account>,
    pub(crate) aggregates: Registry,
    pub(crate) intervals: Arc<Intervals>,
    /// Set while the flusher has a connection or socket to the server, and suspects no failure of
    /// the server.
    pub(crate) connected: AtomicBool,
    /// Number of dropped and lost lines that warnings have reported.
    pub(super) reported_missing: AtomicU64,
    /// Signal that wakes the flusher task.
    pub(crate) wake: Arc<Wake>,
    pub(super) warning_limits: WarningLimits,
}

impl Shared {
    pub(crate) fn new(exchange: Arc<Exchange>, settings: FlusherConfig, wake: Arc<Wake>) -> Self {
        let merged = settings.coalescing.as_ref().map(coalescing::exchange).map(Arc::new);
        Self {
            exchange,
            merged,
            settings,
            account: Arc::default(),
            aggregates: Registry::default(),
            intervals: Arc::default(),
            connected: AtomicBool::new(false),
            reported_missing: AtomicU64::new(0),
            wake,
            warning_limits: WarningLimits::default(),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats { aggregated: self.aggregates.stats(), ..self.account.stats(&self.exchange) }
    }
}

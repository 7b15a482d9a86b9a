//! Registry: all aggregated metrics of a connector.

use super::entry::Entry;
use crate::stats::Aggregated;
use crossbeam_queue::SegQueue;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Aggregated metrics that no flusher has, and counts of all of them.
///
/// A flusher takes the metrics, and returns them when it ends. The queue takes no lock, so that a
/// handle can be created in a forked child.
#[derive(Default)]
pub(crate) struct Registry {
    waiting: SegQueue<Arc<Entry>>,
    /// Number of metrics, waiting or in the flusher's hands.
    entries: AtomicU64,
    /// Number of lines that aggregated metrics have emitted.
    lines: AtomicU64,
}

impl Registry {
    /// Adds a metric, for the flusher to take.
    ///
    /// Without a flusher (`has_flusher`), nobody else removes metrics. Two for each new one are enough.
    /// With one, a metric must not leave the queue: a flush could miss it.
    pub(crate) fn add(&self, entry: Arc<Entry>, has_flusher: bool) {
        #[cfg(target_os = "linux")]
        reset_sums_in_children();
        if !has_flusher {
            (0..2).for_each(|_| self.keep_oldest_if_used());
        }
        // ORDERING: Relaxed. A statistic; it publishes nothing.
        self.entries.fetch_add(1, Relaxed);
        self.waiting.push(entry);
    }

    /// Moves the oldest waiting metric to the end of the queue, or removes it if its handles are
    /// dropped and nothing is owed for it.
    fn keep_oldest_if_used(&self) {
        if let Some(mut entry) = self.waiting.pop() {
            if entry.is_spent() {
                self.remove(entry);
            } else {
                self.waiting.push(entry);
            }
        }
    }

    /// Takes a waiting metric.
    pub(crate) fn take(&self) -> Option<Arc<Entry>> {
        self.waiting.pop()
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns a metric that a flusher took.
    pub(crate) fn give_back(&self, entry: Arc<Entry>) {
        self.waiting.push(entry);
    }

    /// Removes a metric that a flusher took, and whose handles are dropped.
    pub(crate) fn remove(&self, entry: Arc<Entry>) {
        // ORDERING: Relaxed. As in `add`.
        self.entries.fetch_sub(1, Relaxed);
        drop(entry);
    }

    /// Counts `lines` lines that aggregated metrics have emitted.
    pub(crate) fn count(&self, lines: u64) {
        // ORDERING: Relaxed. As in `add`.
        self.lines.fetch_add(lines, Relaxed);
    }

    /// Returns the number of waiting metrics with a value that was not handed on. No flusher may run.
    pub(crate) fn undrained(&self) -> u64 {
        let mut undrained = 0;
        for _ in 0..self.waiting.len() {
            let Some(entry) = self.waiting.pop() else { break };
            undrained += u64::from(entry.has_changed());
            self.waiting.push(entry);
        }
        undrained
    }

    pub(crate) fn stats(&self) -> Aggregated {
        // ORDERING: Relaxed. As in `add`.
        Aggregated { metrics: self.entries.load(Relaxed), lines: self.lines.load(Relaxed) }
    }
}

/// Arranges for sums to be 0 in children that this process forks.
#[cfg(target_os = "linux")]
fn reset_sums_in_children() {
    use std::sync::atomic::AtomicBool;
    static IS_ARRANGED: AtomicBool = AtomicBool::new(false);
    // ORDERING: Relaxed. A second arrangement would do no harm.
    if !IS_ARRANGED.swap(true, Relaxed) {
        crate::flush::reset_sums_in_forked_children();
    }
}

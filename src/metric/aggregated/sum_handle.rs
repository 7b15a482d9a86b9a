//! Handle of a sum: the part that aggregated counters and levels have in common.

use super::Shared;
use crate::aggregate::Source;
use freewheel_handoff::{CellIndex, Sum};

/// Handle of an aggregated metric whose number is a sum.
#[derive(Clone)]
pub(super) struct SumHandle {
    /// Position of the sum's cells, so that a call finds the cell of its thread without a look at the
    /// sum.
    cell: CellIndex,
    shared: Shared,
}

impl SumHandle {
    pub(super) fn new(shared: Shared) -> Self {
        Self { cell: sum(&shared).cell(), shared }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Adds `amount`, with wrapping. The flusher sees it when it next looks at the sum.
    #[inline(always)]
    pub(super) fn add(&self, amount: u64) {
        if !self.cell.try_add(amount) {
            sum(&self.shared).add(amount);
        }
        self.shared.exchange.wake_if_dormant();
    }

    /// Sets the sum to `value`.
    pub(super) fn set(&self, value: u64) {
        sum(&self.shared).set(value);
        self.shared.exchange.wake_if_dormant();
    }

    /// Returns the value of the sum.
    pub(super) fn value(&self) -> u64 {
        sum(&self.shared).value()
    }
}

fn sum(shared: &Shared) -> &Sum {
    match &shared.entry.source {
        Source::Counter(sum) | Source::Level(sum, _) => sum,
        Source::Gauge(_) => unreachable!("the handle was created with a sum"),
    }
}

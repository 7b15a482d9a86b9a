//! Handle of a sum: the part that aggregated counters and levels have in common.

use super::Shared;
use crate::aggregate::Source;
use freewheel_handoff::{CellIndex, Sum};

/// Handle of an aggregated metric whose number is a sum.
#[derive(Clone)]
pub(super) enum SumHandle {
    /// Handle from a disabled connector. Its calls do nothing.
    Disabled,
    /// Handle of a sum whose cells each thread finds by their position.
    Fast { cell: CellIndex, shared: Shared },
    /// Handle of a sum beyond those that have such cells.
    Slow(Shared),
}

impl SumHandle {
    pub(super) fn new(shared: Option<Shared>) -> Self {
        match shared {
            Some(shared) => match sum(&shared).cell() {
                Some(cell) => Self::Fast { cell, shared },
                None => Self::Slow(shared),
            },
            None => Self::Disabled,
        }
    }

    pub(super) fn shared(&self) -> Option<&Shared> {
        match self {
            Self::Fast { shared, .. } | Self::Slow(shared) => Some(shared),
            Self::Disabled => None,
        }
    }

    /// Adds `amount`, with wrapping. The flusher sees it when it next looks at the sum.
    #[inline(always)]
    pub(super) fn add(&self, amount: u64) {
        match self {
            Self::Fast { cell, shared } if cell.try_add(amount) => {
                shared.exchange.wake_if_dormant();
            }
            _ => self.add_slow(amount),
        }
    }

    #[cold]
    #[inline(never)]
    fn add_slow(&self, amount: u64) {
        if let Some(shared) = self.shared() {
            sum(shared).add(amount);
            shared.exchange.wake_if_dormant();
        }
    }

    /// Sets the sum to `value`.
    pub(super) fn set(&self, value: u64) {
        if let Some(shared) = self.shared() {
            sum(shared).set(value);
            shared.exchange.wake_if_dormant();
        }
    }

    /// Returns the value of the sum, which is 0 for a disabled connector.
    pub(super) fn value(&self) -> u64 {
        self.shared().map_or(0, |shared| sum(shared).value())
    }
}

fn sum(shared: &Shared) -> &Sum {
    match &shared.entry.source {
        Source::Counter(sum) | Source::Level(sum, _) => sum,
        Source::Gauge(_) => unreachable!("the handle was created with a sum"),
    }
}

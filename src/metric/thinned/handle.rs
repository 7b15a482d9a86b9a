//! Handle of a thinned metric: the part that all kinds have in common.

use super::stride::{Decision, Plan, Words};
use crate::aggregate::Intervals;
use crate::connector_core::{ScopeContext, ScopedExchange};
use crate::emit::{DropReason, Exchange};
use crate::encode::{
    AcceptedNumbers, CharacterRules, Digits, EffectiveRate, LineSpec, LineTemplate, Number, ONE,
    PreparedLine, Tags, ValueField, random_number,
};
use crate::metric::measurement::{Measurement, Target};
use freewheel_handoff::{CellPair, OwnCell, PairPosition};
use std::fmt;
use std::sync::Arc;

/// Handle of a thinned metric of any kind.
#[derive(Clone)]
pub(crate) enum ThinHandle {
    /// Handle from a disabled connector. Its calls do nothing.
    Disabled,
    /// Handle of a metric whose words each thread finds by their position.
    Fast(FastThinned),
    /// Handle of a metric beyond those that have such words, or that is always dropped.
    Slow(Arc<ThinParts>),
}

/// Thinned metric whose words each thread finds by their position.
#[derive(Clone)]
pub(crate) struct FastThinned {
    position: PairPosition,
    /// Difference of the tags of this metric's intervals to their numbers.
    salt: u32,
    intervals: Arc<Intervals>,
    parts: Arc<ThinParts>,
}

/// Parts of a thinned metric that all its clones share.
pub(crate) struct ThinParts {
    exchange: Arc<Exchange>,
    /// Words of each thread, or `None` if all words are in use. Then no value is thinned away.
    cells: Option<CellPair>,
    plan: Plan,
    /// Difference of the tags of this metric's intervals to their numbers. It is random, so that
    /// threads begin anew in words that another metric has left.
    salt: u32,
    /// Line of each weight, by its binary logarithm.
    lines: Box<[LineTemplate]>,
    numbers: AcceptedNumbers,
    drop_reason: Option<DropReason>,
    intervals: Arc<Intervals>,
    /// Reference to the connector's state, which keeps the flusher task running.
    scoped: Arc<ScopeContext>,
}

impl ThinHandle {
    pub(super) fn new(
        core: &ScopedExchange,
        per_interval: u32,
        spec: &LineSpec<'_, impl Tags>,
        drop_reason: Option<DropReason>,
    ) -> Self {
        let ScopedExchange { exchange, scoped } = core;
        let max_level = if drop_reason.is_some() { 0 } else { spec.scope.max_thinning_level() };
        let line = |level: u32| {
            let rate = EffectiveRate::one_in(1 << level);
            LineTemplate::new(&LineSpec { rate: (level > 0).then_some(&rate), ..*spec })
        };
        let intervals = &scoped.owner.shared.intervals;
        intervals.add_metric();
        let parts = Arc::new(ThinParts {
            exchange: Arc::clone(exchange),
            cells: if drop_reason.is_some() { None } else { CellPair::new() },
            plan: Plan::new(per_interval, max_level),
            salt: random_number() as u32,
            lines: (0..=max_level).map(line).collect(),
            numbers: spec.scope.accepted_numbers(spec.metric_type),
            drop_reason,
            intervals: Arc::clone(intervals),
            scoped: Arc::clone(scoped),
        });
        match parts.cells.as_ref().and_then(CellPair::position) {
            Some(position) => {
                let (salt, intervals) = (parts.salt, Arc::clone(intervals));
                Self::Fast(FastThinned { position, salt, intervals, parts })
            }
            None => Self::Slow(parts),
        }
    }

    pub(crate) fn is_disabled(&self) -> bool {
        matches!(self, Self::Disabled)
    }

    #[inline(always)]
    pub(crate) fn dispatch(&self, measurement: impl Measurement) {
        match self {
            Self::Fast(fast) => {
                if !fast.skips() {
                    fast.parts.record(Some(fast.position), measurement);
                }
            }
            Self::Slow(parts) => parts.record(None, measurement),
            Self::Disabled => {}
        }
    }
}

impl FastThinned {
    /// Returns true if the value is thinned away, and counts it then. Returns false, with nothing
    /// changed, for a value that is emitted, and for the thread's first one in an interval.
    #[inline(always)]
    fn skips(&self) -> bool {
        let tag = self.intervals.number().wrapping_add(u64::from(self.salt)) << 32;
        let skips = self.position.with_first(|countdown| {
            let word = countdown.get();
            // The number of values up to the next line. It is less than 2^32 if the tag is right.
            let left = word.wrapping_sub(tag);
            let skips = left.wrapping_sub(2) < u64::from(u32::MAX) - 1;
            if skips {
                countdown.set(word - 1);
            }
            skips
        });
        skips.unwrap_or(false)
    }
}

impl ThinParts {
    /// Decides about a value, and emits its line if it is not thinned away. The function is not
    /// inlined, so that callers stay small.
    #[inline(never)]
    fn record(&self, position: Option<PairPosition>, measurement: impl Measurement) {
        if let Some(reason) = self.drop_reason {
            reason.drop_line(&self.exchange);
        } else if let Some(level) = self.decide(position) {
            measurement.write_to(&Weighted { parts: self, line: &self.lines[level as usize] });
        }
    }

    /// Decides about a value. Returns the binary logarithm of its line's weight, or `None` if it is
    /// thinned away.
    fn decide(&self, position: Option<PairPosition>) -> Option<u32> {
        let number = self.intervals.number();
        let at_hand =
            position.and_then(|position| position.with_both(|cells| self.decide_in(cells, number)));
        let decision = at_hand.or_else(|| self.decide_elsewhere(number));
        // A thread without words is exiting: its lines are dropped, and each counts one value. Or all
        // words are in use.
        let Some(decision) = decision else { return Some(0) };
        if decision.is_first {
            self.mark_used(number);
        }
        decision.level
    }

    /// Decides about a value in words that the thread does not have at hand, or has not allocated yet.
    /// Returns `None` if it has none.
    #[cold]
    #[inline(never)]
    fn decide_elsewhere(&self, number: u64) -> Option<Decision> {
        self.cells.as_ref()?.with(|cells| self.decide_in(cells, number))
    }

    /// Tells the flusher that the metric is used in the interval `number`.
    #[cold]
    #[inline(never)]
    fn mark_used(&self, number: u64) {
        self.intervals.mark_used(number);
        self.exchange.wake_if_dormant();
    }

    fn decide_in(&self, [countdown, block]: [OwnCell<'_>; 2], number: u64) -> Decision {
        let words = Words { countdown: countdown.get(), block: block.get() };
        let tag = (number as u32).wrapping_add(self.salt);
        let decision = self.plan.next(words, tag, random_number);
        // A signal handler in between finds the old countdown with the new block: it may emit one line
        // more, at a weight that the metric has.
        block.set(decision.words.block);
        countdown.set(decision.words.countdown);
        decision
    }
}

impl Drop for ThinParts {
    fn drop(&mut self) {
        self.intervals.remove_metric();
    }
}

/// Thinned metric at one weight.
struct Weighted<'a> {
    parts: &'a ThinParts,
    line: &'a LineTemplate,
}

impl<'a> Target for Weighted<'a> {
    type Line<F: ValueField> = PreparedLine<'a, F, true>;
    type One = Self::Line<Number<&'static [u8; 1]>>;

    #[inline(always)]
    fn exchange(&self) -> &Exchange {
        &self.parts.exchange
    }
    #[inline(always)]
    fn line<F: ValueField>(&self, field: F) -> PreparedLine<'a, F, true> {
        PreparedLine { template: self.line, field }
    }
    #[inline(always)]
    fn one(&self) -> Self::One {
        self.line(ONE)
    }
    #[inline(always)]
    fn has_deltas(&self) -> bool {
        self.parts.scoped.scope.has_gauge_deltas()
    }
    #[inline(always)]
    fn accepts(&self, number: &Number<impl Digits>) -> bool {
        number.is_accepted(self.parts.numbers)
    }
    #[inline(always)]
    fn rules(&self) -> &CharacterRules {
        &self.parts.scoped.scope.rules
    }
}

impl fmt::Debug for ThinHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("disabled"),
            Self::Fast(FastThinned { parts, .. }) | Self::Slow(parts) => {
                write!(f, "{:?}", parts.lines[0])?;
                parts.drop_reason.map_or(Ok(()), |reason| write!(f, ", dropped: {reason:?}"))
            }
        }
    }
}

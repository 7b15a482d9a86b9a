//! Handles of prepared metrics.

use super::measurement::{Measurement, Target};
use crate::connector_core::ScopeContext;
use crate::emit::{Exchange, drop_invalid, drop_unsupported};
use crate::encode::{
    AcceptedNumbers, CharacterRules, ChunkedText, ConstantLine, Digits, EffectiveRate, LineSpec,
    LineTemplate, Number, ONE, PreparedLine, Tags, ValueField,
};
use std::fmt;
use std::sync::Arc;

/// Handle of a prepared metric of any kind.
#[derive(Clone)]
pub(crate) enum Handle {
    /// Does nothing.
    Disabled,
    /// Every call emits a line. Only the member of a set may need cleaning.
    Fast(FastHandle),
    /// Calls may be sampled, dropped, or emit altered lines.
    Slow(SlowHandle),
}

/// A handle whose calls need no checks.
#[derive(Clone)]
pub(crate) struct FastHandle(PreparedMetric);

/// A handle whose calls check for sampling, drops and alterations.
#[derive(Clone)]
pub(crate) struct SlowHandle(PreparedMetric);

/// A prepared metric and its exchange.
#[derive(Clone)]
struct PreparedMetric {
    exchange: Arc<Exchange>,
    parts: Arc<PreparedParts>,
}

/// Parts of a prepared metric that its clones share.
struct PreparedParts {
    line: LineTemplate,
    /// The line whose value is 1.
    one: ChunkedText,
    rate: Option<EffectiveRate>,
    numbers: AcceptedNumbers,
    drop_reason: Option<DropReason>,
    /// Keeps the flusher running.
    scoped: Arc<ScopeContext>,
}

/// The reason for which each line of a metric is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) enum DropReason {
    Invalid,
    Unsupported,
}

impl Handle {
    pub(super) fn new(
        exchange: &Arc<Exchange>,
        scoped: &Arc<ScopeContext>,
        spec: &LineSpec<'_, impl Tags>,
        drop_reason: Option<DropReason>,
    ) -> Self {
        let line = LineTemplate::new(spec);
        let rate = spec.rate.copied();
        let is_fast = drop_reason.is_none() && rate.is_none() && !line.is_altered();
        let numbers = spec.scope.accepted_numbers(spec.metric_type);
        let (one, scoped) = (line.with_value(ONE), Arc::clone(scoped));
        let parts = PreparedParts { one, line, rate, numbers, drop_reason, scoped };
        let prepared = PreparedMetric { exchange: Arc::clone(exchange), parts: Arc::new(parts) };
        if is_fast { Self::Fast(FastHandle(prepared)) } else { Self::Slow(SlowHandle(prepared)) }
    }
}

impl Handle {
    #[inline(always)]
    pub(super) fn dispatch(&self, measurement: impl Measurement) {
        match self {
            Self::Fast(fast) => fast.write(measurement),
            Self::Slow(slow) => slow.write_checked(measurement),
            Self::Disabled => {}
        }
    }
}

impl FastHandle {
    /// Emits the line of a measurement. Not inlined, so that callers stay small.
    #[inline(never)]
    fn write(&self, measurement: impl Measurement) {
        measurement.write_to(&Prepared::<false>(&self.0));
    }
}

impl SlowHandle {
    /// Emits the line of a measurement, unless it is dropped or not sampled.
    #[inline(never)]
    fn write_checked(&self, measurement: impl Measurement) {
        let PreparedMetric { exchange, parts } = &self.0;
        match (parts.drop_reason, &parts.rate) {
            (Some(DropReason::Invalid), _) => drop_invalid(exchange, 1),
            (Some(DropReason::Unsupported), _) => drop_unsupported(exchange),
            (None, Some(rate)) if !rate.draw() => {}
            (None, _) => measurement.write_to(&Prepared::<true>(&self.0)),
        }
    }
}

/// A prepared metric whose lines may be altered, if the constant is true.
struct Prepared<'a, const MAY_BE_ALTERED: bool>(&'a PreparedMetric);

impl<'a, const MAY_BE_ALTERED: bool> Target for Prepared<'a, MAY_BE_ALTERED> {
    type Line<F: ValueField> = PreparedLine<'a, F, MAY_BE_ALTERED>;
    type One = ConstantLine<'a>;

    #[inline(always)]
    fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }
    #[inline(always)]
    fn line<F: ValueField>(&self, field: F) -> PreparedLine<'a, F, MAY_BE_ALTERED> {
        PreparedLine { template: &self.0.parts.line, field }
    }
    #[inline(always)]
    fn one(&self) -> ConstantLine<'a> {
        let PreparedParts { one, line, .. } = &*self.0.parts;
        ConstantLine { text: one, altered: MAY_BE_ALTERED && line.is_altered() }
    }
    #[inline(always)]
    fn has_deltas(&self) -> bool {
        self.0.parts.scoped.scope.has_gauge_deltas()
    }
    #[inline(always)]
    fn accepts(&self, number: &Number<impl Digits>) -> bool {
        number.is_accepted(self.0.parts.numbers)
    }
    #[inline(always)]
    fn rules(&self) -> &CharacterRules {
        &self.0.parts.scoped.scope.rules
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("disabled"),
            Self::Fast(FastHandle(prepared)) | Self::Slow(SlowHandle(prepared)) => {
                let parts = &prepared.parts;
                let example = parts.one.to_vec();
                let example = String::from_utf8_lossy(&example);
                write!(f, "{:?}", example.trim_end())?;
                parts
                    .drop_reason
                    .map_or(Ok(()), |drop_reason| write!(f, ", dropped: {drop_reason:?}"))
            }
        }
    }
}

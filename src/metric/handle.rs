//! Handles of prepared metrics, which hold a line that is rendered except for its value.

use super::measurement::{Measurement, Target};
use crate::connector_core::ScopeContext;
use crate::emit::{DropReason, Exchange};
use crate::encode::{
    AcceptedNumbers, CharacterRules, ChunkedText, ConstantLine, Digits, EffectiveRate, LineSpec,
    LineTemplate, Number, ONE, PreparedLine, Tags, ValueField,
};
use std::fmt;
use std::sync::Arc;

/// Internal handle of a prepared metric of any kind, such as a counter or a gauge.
#[derive(Clone)]
pub(crate) enum Handle {
    /// Handle from a disabled connector. Its calls do nothing.
    Disabled,
    /// Handle of a metric that is neither sampled nor always dropped, with a name and tags that
    /// needed no alteration.
    Fast(FastHandle),
    /// Handle of a metric that is sampled or always dropped, or with a name or a tag that was
    /// altered to be valid.
    Slow(SlowHandle),
}

/// Prepared metric that is neither sampled nor always dropped, with a name and tags that needed no
/// alteration.
#[derive(Clone)]
pub(crate) struct FastHandle(PreparedMetric);

/// Prepared metric that is sampled or always dropped, or with a name or a tag that was altered to
/// be valid.
#[derive(Clone)]
pub(crate) struct SlowHandle(PreparedMetric);

/// Prepared metric: the rendered parts of its line, and the exchange (the buffers of lines for the
/// flusher).
#[derive(Clone)]
struct PreparedMetric {
    exchange: Arc<Exchange>,
    parts: Arc<PreparedParts>,
}

/// Parts of a prepared metric that all its clones share, such as the rendered line.
struct PreparedParts {
    line: LineTemplate,
    /// Complete line with the value 1, rendered in advance.
    one: ChunkedText,
    rate: Option<EffectiveRate>,
    numbers: AcceptedNumbers,
    drop_reason: Option<DropReason>,
    /// Reference to the connector's state, which keeps the flusher task running.
    scoped: Arc<ScopeContext>,
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
    /// Emits the metric's line with the value of one call. The function is not inlined, so that
    /// callers stay small.
    #[inline(never)]
    fn write(&self, measurement: impl Measurement) {
        measurement.write_to(&Prepared::<false>(&self.0));
    }
}

impl SlowHandle {
    /// Emits the metric's line with the value of one call, unless the metric is always dropped, or
    /// sampling omits the line.
    #[inline(never)]
    fn write_checked(&self, measurement: impl Measurement) {
        let PreparedMetric { exchange, parts } = &self.0;
        match (parts.drop_reason, &parts.rate) {
            (Some(reason), _) => drop(reason.drop_line(exchange)),
            (None, Some(rate)) if !rate.draw() => {}
            (None, _) => measurement.write_to(&Prepared::<true>(&self.0)),
        }
    }
}

/// Prepared metric that emits a line for each measurement (the value of one call). `MAY_BE_ALTERED`
/// is true if the metric's name or tags may have been altered to be valid.
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

//! Handles of prepared metrics.

use super::DropReason;
use super::measurement::{Measurement, MetricWriter, NumberWriter, ONE, Recorder};
use crate::connector_core::ScopeContext;
use crate::encode::{
    AcceptedNumbers, AlteredLine, ChunkedText, ConstantLine, Digits, EffectiveRate, InvalidLine,
    LineSpec, LineTemplate, NegativeGauge, Number, PreparedLine, SetMember, Tags, UnsupportedLine,
    ValueField, ZERO,
};
use crate::handoff::Exchange;
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

impl Recorder for Handle {
    #[inline(always)]
    fn record_measurement(&self, measurement: impl Measurement) {
        match self {
            Self::Fast(fast) => fast.record_measurement(measurement),
            Self::Slow(slow) => slow.record_measurement(measurement),
            Self::Disabled => {}
        }
    }
}

impl FastHandle {
    /// Records a measurement. Not inlined, so that callers stay small.
    #[inline(never)]
    fn record_measurement(&self, measurement: impl Measurement) {
        measurement.write_to(self);
    }
}

impl SlowHandle {
    #[inline(never)]
    fn record_measurement(&self, measurement: impl Measurement) {
        let parts = &self.0.parts;
        match (parts.drop_reason, &parts.rate) {
            (Some(DropReason::Invalid), _) => self.0.drop_invalid(),
            (Some(DropReason::Unsupported), _) => self.0.drop_unsupported(),
            (None, Some(rate)) if !rate.draw() => {}
            (None, _) => measurement.write_to(self),
        }
    }
}

impl PreparedMetric {
    #[inline(always)]
    fn line<F: ValueField>(&self, field: F) -> PreparedLine<'_, F> {
        PreparedLine { template: &self.parts.line, field }
    }

    #[inline(always)]
    fn pair(
        &self,
        field: impl ValueField,
    ) -> NegativeGauge<PreparedLine<'_, impl ValueField>, PreparedLine<'_, impl ValueField>> {
        NegativeGauge { zero: self.line(ZERO), line: self.line(field) }
    }

    #[inline(always)]
    fn member<'a>(&'a self, text: &'a str) -> SetMember<'a> {
        SetMember { text, scope: &self.parts.scoped.scope }
    }

    #[inline(always)]
    fn has_deltas(&self) -> bool {
        self.parts.scoped.scope.has_gauge_deltas()
    }

    #[inline(always)]
    fn accepts(&self, number: &Number<impl Digits>) -> bool {
        number.is_accepted(self.parts.numbers)
    }

    #[cold]
    fn drop_invalid(&self) {
        self.exchange.emit(|| InvalidLine);
    }

    #[cold]
    fn drop_unsupported(&self) {
        self.exchange.emit(|| UnsupportedLine);
    }
}

impl NumberWriter for FastHandle {
    #[inline(always)]
    fn write(&self, number: Number<impl Digits>) {
        self.0.exchange.emit(|| self.0.line(number));
    }
    #[inline(always)]
    fn write_one(&self) {
        self.0.exchange.emit(|| ConstantLine(&self.0.parts.one));
    }
    #[inline(always)]
    fn write_ordered(&self, number: Number<impl Digits>) {
        self.0.exchange.emit_ordered(|| self.0.line(number));
    }
    fn write_below_zero(&self, number: Number<impl Digits>) {
        self.0.exchange.emit_ordered(|| self.0.pair(number));
    }
    #[inline(always)]
    fn has_deltas(&self) -> bool {
        self.0.has_deltas()
    }
    #[inline(always)]
    fn accepts(&self, number: &Number<impl Digits>) -> bool {
        self.0.accepts(number)
    }
    fn drop_invalid(&self) {
        self.0.drop_invalid();
    }
    fn drop_unsupported(&self) {
        self.0.drop_unsupported();
    }
}

impl MetricWriter for FastHandle {
    #[inline(always)]
    fn write_member(&self, member: &str) {
        self.0.exchange.emit(|| self.0.line(self.0.member(member)));
    }
}

impl SlowHandle {
    #[inline(always)]
    fn write_field(&self, field: impl ValueField) {
        let PreparedMetric { exchange, parts } = &self.0;
        if parts.line.is_altered() {
            exchange.emit(|| AlteredLine(self.0.line(field)));
        } else {
            exchange.emit(|| self.0.line(field));
        }
    }
}

impl NumberWriter for SlowHandle {
    #[inline(always)]
    fn write(&self, number: Number<impl Digits>) {
        self.write_field(number);
    }
    fn write_ordered(&self, number: Number<impl Digits>) {
        let PreparedMetric { exchange, parts } = &self.0;
        if parts.line.is_altered() {
            exchange.emit_ordered(|| AlteredLine(self.0.line(number)));
        } else {
            exchange.emit_ordered(|| self.0.line(number));
        }
    }
    fn write_below_zero(&self, number: Number<impl Digits>) {
        let PreparedMetric { exchange, parts } = &self.0;
        if parts.line.is_altered() {
            exchange.emit_ordered(|| AlteredLine(self.0.pair(number)));
        } else {
            exchange.emit_ordered(|| self.0.pair(number));
        }
    }
    #[inline(always)]
    fn has_deltas(&self) -> bool {
        self.0.has_deltas()
    }
    #[inline(always)]
    fn accepts(&self, number: &Number<impl Digits>) -> bool {
        self.0.accepts(number)
    }
    fn drop_invalid(&self) {
        self.0.drop_invalid();
    }
    fn drop_unsupported(&self) {
        self.0.drop_unsupported();
    }
}

impl MetricWriter for SlowHandle {
    #[inline(always)]
    fn write_member(&self, member: &str) {
        self.write_field(self.0.member(member));
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("disabled"),
            Self::Fast(FastHandle(prepared)) | Self::Slow(SlowHandle(prepared)) => {
                let parts = &prepared.parts;
                let example = String::from_utf8_lossy(parts.one.bytes());
                write!(f, "{:?}", example.trim_end())?;
                parts
                    .drop_reason
                    .map_or(Ok(()), |drop_reason| write!(f, ", dropped: {drop_reason:?}"))
            }
        }
    }
}

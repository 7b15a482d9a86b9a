//! Handles of prepared metrics.

use super::DropReason;
use super::Target;
use super::measurement::{Emit, Measurement, ONE};
use crate::connector::Scoped;
use crate::encode::{
    AcceptedNumbers, AlteredLine, ChunkedText, ConstantLine, Digits, EffectiveRate, InvalidLine,
    LineSpec, LineTemplate, NegativeGauge, Number, PreparedLine, Scope, Tags, UnsupportedLine,
    ValueField, ZERO,
};
use crate::handoff::Exchange;
use std::fmt;
use std::sync::Arc;

/// What a prepared metric is, whatever its kind.
#[derive(Clone)]
pub(crate) enum Handle {
    /// Does nothing.
    Disabled,
    /// Every call is a line, which is clean but perhaps for the member of a set.
    Usual(Usual),
    /// All others.
    Unusual(Unusual),
}

#[derive(Clone)]
pub(crate) struct Usual(Emitter);

#[derive(Clone)]
pub(crate) struct Unusual(Emitter);

#[derive(Clone)]
struct Emitter {
    exchange: Arc<Exchange>,
    body: Arc<Body>,
}

struct Body {
    line: LineTemplate,
    /// The line whose value is 1.
    one: ChunkedText,
    rate: Option<EffectiveRate>,
    numbers: AcceptedNumbers,
    refusal: Option<DropReason>,
    /// Keeps the flusher running.
    scoped: Arc<Scoped>,
}

impl Handle {
    pub(super) fn new(
        exchange: &Arc<Exchange>,
        scoped: &Arc<Scoped>,
        spec: &LineSpec<'_, impl Tags>,
        refusal: Option<DropReason>,
    ) -> Self {
        let line = LineTemplate::new(spec);
        let rate = spec.rate.copied();
        let is_usual = refusal.is_none() && rate.is_none() && !line.is_altered();
        let numbers = spec.scope.accepted_numbers(spec.metric_type);
        let (one, scoped) = (line.with_value(ONE), Arc::clone(scoped));
        let body = Body { one, line, rate, numbers, refusal, scoped };
        let emitter = Emitter { exchange: Arc::clone(exchange), body: Arc::new(body) };
        if is_usual { Self::Usual(Usual(emitter)) } else { Self::Unusual(Unusual(emitter)) }
    }
}

impl Target for Handle {
    #[inline(always)]
    fn take(&self, measurement: impl Measurement) {
        match self {
            Self::Usual(usual) => usual.take(measurement),
            Self::Unusual(unusual) => unusual.take(measurement),
            Self::Disabled => {}
        }
    }
}

impl Usual {
    /// A function of its own, as for the plain calls.
    fn take(&self, measurement: impl Measurement) {
        measurement.emit(self);
    }
}

impl Unusual {
    fn take(&self, measurement: impl Measurement) {
        let Emitter { exchange, body } = &self.0;
        match (body.refusal, &body.rate) {
            (Some(DropReason::Invalid), _) => exchange.emit(|| InvalidLine),
            (Some(DropReason::Unsupported), _) => exchange.emit(|| UnsupportedLine),
            (None, Some(rate)) if !rate.draw() => {}
            (None, _) => measurement.emit(self),
        }
    }
}

impl Emitter {
    #[inline(always)]
    fn line<F: ValueField>(&self, field: F) -> PreparedLine<'_, F> {
        PreparedLine { template: &self.body.line, field }
    }

    #[inline(always)]
    fn pair(
        &self,
        field: impl ValueField,
    ) -> NegativeGauge<PreparedLine<'_, impl ValueField>, PreparedLine<'_, impl ValueField>> {
        NegativeGauge { zero: self.line(ZERO), line: self.line(field) }
    }

    fn scope(&self) -> &Scope {
        &self.body.scoped.scope
    }

    #[cold]
    fn invalid(&self) {
        self.exchange.emit(|| InvalidLine);
    }

    #[cold]
    fn unsupported(&self) {
        self.exchange.emit(|| UnsupportedLine);
    }
}

impl Emit for Usual {
    #[inline(always)]
    fn field(&self, field: impl ValueField) {
        self.0.exchange.emit(|| self.0.line(field));
    }
    #[inline(always)]
    fn one(&self) {
        self.0.exchange.emit(|| ConstantLine(&self.0.body.one));
    }
    #[inline(always)]
    fn level(&self, field: impl ValueField) {
        self.0.exchange.emit_ordered(|| self.0.line(field));
    }
    fn below_zero(&self, field: impl ValueField) {
        self.0.exchange.emit_ordered(|| self.0.pair(field));
    }
    #[inline(always)]
    fn scope(&self) -> &Scope {
        self.0.scope()
    }
    #[inline(always)]
    fn accepts(&self, number: &Number<impl Digits>) -> bool {
        number.is_accepted(self.0.body.numbers)
    }
    fn invalid(&self) {
        self.0.invalid();
    }
    fn unsupported(&self) {
        self.0.unsupported();
    }
}

impl Emit for Unusual {
    #[inline(always)]
    fn field(&self, field: impl ValueField) {
        let Emitter { exchange, body } = &self.0;
        if body.line.is_altered() {
            exchange.emit(|| AlteredLine(self.0.line(field)));
        } else {
            exchange.emit(|| self.0.line(field));
        }
    }
    fn level(&self, field: impl ValueField) {
        let Emitter { exchange, body } = &self.0;
        if body.line.is_altered() {
            exchange.emit_ordered(|| AlteredLine(self.0.line(field)));
        } else {
            exchange.emit_ordered(|| self.0.line(field));
        }
    }
    fn below_zero(&self, field: impl ValueField) {
        let Emitter { exchange, body } = &self.0;
        if body.line.is_altered() {
            exchange.emit_ordered(|| AlteredLine(self.0.pair(field)));
        } else {
            exchange.emit_ordered(|| self.0.pair(field));
        }
    }
    #[inline(always)]
    fn scope(&self) -> &Scope {
        self.0.scope()
    }
    #[inline(always)]
    fn accepts(&self, number: &Number<impl Digits>) -> bool {
        number.is_accepted(self.0.body.numbers)
    }
    fn invalid(&self) {
        self.0.invalid();
    }
    fn unsupported(&self) {
        self.0.unsupported();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("disabled"),
            Self::Usual(Usual(emitter)) | Self::Unusual(Unusual(emitter)) => {
                let body = &emitter.body;
                let example = String::from_utf8_lossy(body.one.bytes());
                write!(f, "{:?}", example.trim_end())?;
                body.refusal.map_or(Ok(()), |refusal| write!(f, ", refused: {refusal:?}"))
            }
        }
    }
}

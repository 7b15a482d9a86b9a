//! Calls by name: lines without tags, sample rate and optional fields of their own.

use super::Metric;
use super::kind::Kind;
use super::measurement::{Measurement, Target};
use crate::connector_core::{ConnectorCore, ScopedExchange};
use crate::emit::Exchange;
use crate::encode::{
    CharacterRules, Digits, Line, LineFormat, MetricType, Number, Scope, ValueField,
};

/// Emits a measurement of this kind and name.
#[inline(always)]
pub(crate) fn record<K: Kind>(core: &ConnectorCore, name: &str, measurement: impl Measurement) {
    if let Some(scoped) = core.enabled() {
        record_enabled::<K>(scoped, name, measurement);
    }
}

/// Emits a measurement to a connector that is enabled. Not inlined, so that a call compiles to a test
/// and a jump.
#[inline(never)]
fn record_enabled<K: Kind>(core: &ScopedExchange, name: &str, measurement: impl Measurement) {
    let scope = &core.scoped.scope;
    let format = scope.format(K::TYPE);
    if format.is_plain {
        measurement.write_to(&Named { exchange: &core.exchange, scope, format, name });
    } else {
        record_slow::<K>(core, name, measurement);
    }
}

/// Emits a measurement with the checks of its dialect. Not inlined, so that the fast path stays
/// small.
#[inline(never)]
fn record_slow<K: Kind>(core: &ScopedExchange, name: &str, measurement: impl Measurement) {
    let (exchange, scope) = (&core.exchange, &core.scoped.scope);
    let format = scope.format(K::TYPE);
    if format.is_direct {
        let kind = K::TYPE;
        measurement.write_to(&NamedByAnyRule { exchange, scope, format, name, kind });
    } else {
        Metric::<K>::new(Some(core), name).record_measurement(measurement);
    }
}

/// A name, and a [plain](LineFormat::is_plain) format.
struct Named<'a> {
    exchange: &'a Exchange,
    scope: &'a Scope,
    format: &'a LineFormat,
    name: &'a str,
}

impl<'a> Target for Named<'a> {
    type Line<F: ValueField> = Line<'a, F>;

    #[inline(always)]
    fn exchange(&self) -> &Exchange {
        self.exchange
    }
    #[inline(always)]
    fn line<F: ValueField>(&self, field: F) -> Line<'a, F> {
        let Self { format, name, .. } = *self;
        Line { format, name, field }
    }
    #[inline(always)]
    fn has_deltas(&self) -> bool {
        self.format.has_deltas
    }
    /// Returns true: a plain format accepts all numbers.
    #[inline(always)]
    fn accepts(&self, _number: &Number<impl Digits>) -> bool {
        true
    }
    #[inline(always)]
    fn rules(&self) -> &CharacterRules {
        &self.scope.rules
    }
}

/// Target of a call by name whose format is [direct](LineFormat::is_direct). The rule of the dialect
/// checks the name, and the kind decides which numbers are accepted.
struct NamedByAnyRule<'a> {
    exchange: &'a Exchange,
    scope: &'a Scope,
    format: &'a LineFormat,
    name: &'a str,
    kind: MetricType,
}

impl<'a> Target for NamedByAnyRule<'a> {
    type Line<F: ValueField> = Line<'a, F, true>;

    #[inline(always)]
    fn exchange(&self) -> &Exchange {
        self.exchange
    }
    #[inline(always)]
    fn line<F: ValueField>(&self, field: F) -> Line<'a, F, true> {
        let Self { format, name, .. } = *self;
        Line { format, name, field }
    }
    #[inline(always)]
    fn has_deltas(&self) -> bool {
        self.format.has_deltas
    }
    #[inline(always)]
    fn accepts(&self, number: &Number<impl Digits>) -> bool {
        number.is_accepted(self.scope.accepted_numbers(self.kind))
    }
    #[inline(always)]
    fn rules(&self) -> &CharacterRules {
        &self.scope.rules
    }
}

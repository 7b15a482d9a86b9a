//! Emission of metrics by name alone, such as `incr(name)`, without tags, sample rate and optional
//! fields for the single call.

use super::Metric;
use super::kind::Kind;
use super::measurement::{Measurement, Target};
use crate::connector_core::{ConnectorCore, ScopedExchange};
use crate::emit::Exchange;
use crate::encode::{
    CharacterRules, Digits, Line, LineFormat, MetricType, Number, Scope, ValueField,
};

/// Emits a measurement (the value of one call) for the metric `name` of kind `K`, unless the
/// connector is disabled.
#[inline(always)]
pub(crate) fn record<K: Kind>(core: &ConnectorCore, name: &str, measurement: impl Measurement) {
    if let Some(scoped) = core.enabled() {
        record_enabled::<K>(scoped, name, measurement);
    }
}

/// Emits a measurement through an enabled connector. The function is not inlined, so that a call
/// compiles to a test and a jump.
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

/// Emits a measurement that needs the dialect's checks or sampling. The function is not inlined, so
/// that the fast path stays small.
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

/// Metric of a call by name, with a [plain](LineFormat::is_plain) line format: its values need no
/// check, and it is not sampled.
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
    /// Returns true, since a plain line format can carry every number.
    #[inline(always)]
    fn accepts(&self, _number: &Number<impl Digits>) -> bool {
        true
    }
    #[inline(always)]
    fn rules(&self) -> &CharacterRules {
        &self.scope.rules
    }
}

/// Metric of a call by name, with a [direct](LineFormat::is_direct) line format: it is not sampled,
/// but the dialect's rules check its name and its value.
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

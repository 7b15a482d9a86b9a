//! Emission of metrics by name alone, such as `incr(name)`, without tags, sample rate and optional
//! fields for the single call.

use super::Metric;
use super::kind::Kind;
use super::measurement::{Measurement, Target};
use crate::connector_core::{ConnectorCore, ScopedExchange};
use crate::emit::Exchange;
use crate::encode::{
    CharacterRules, Digits, Line, LineFormat, MetricType, Number, ONE, Scope, ValueField,
};

/// Emits a measurement (the value of one call) for the metric `name` of kind `K`, unless the
/// connector is disabled.
#[inline(always)]
pub(crate) fn record<K: Kind>(core: &ConnectorCore, name: &str, measurement: impl Measurement) {
    if let Some(scoped) = core.enabled() {
        record_enabled::<K>(scoped, name, measurement);
    }
}

/// Emits a metric with the value of one call, through an enabled connector. The function is not
/// inlined, so that a call compiles to a test and a jump.
#[inline(never)]
fn record_enabled<K: Kind>(core: &ScopedExchange, name: &str, measurement: impl Measurement) {
    let (exchange, scope, kind) = (&core.exchange, &core.scoped.scope, K::TYPE);
    let format = scope.format(kind);
    if format.is_plain {
        measurement.write_to(&Named::<false> { exchange, scope, format, name, kind });
    } else {
        record_slow::<K>(core, name, measurement);
    }
}

/// Emits a metric that needs the dialect's checks or sampling, with the value of one call. The
/// function is not inlined, so that the fast path stays small.
#[inline(never)]
fn record_slow<K: Kind>(core: &ScopedExchange, name: &str, measurement: impl Measurement) {
    let (exchange, scope, kind) = (&core.exchange, &core.scoped.scope, K::TYPE);
    let format = scope.format(kind);
    if format.is_direct {
        measurement.write_to(&Named::<true> { exchange, scope, format, name, kind });
    } else {
        Metric::<K>::new(Some(core), name).record_measurement(measurement);
    }
}

/// Metric of a call by name alone, such as `incr(name)`: the metric is not sampled, and has no tags
/// or optional fields from the call.
///
/// The constant `ANY_RULE` is false if the line format [is plain](LineFormat::is_plain): then the
/// values need no check. Otherwise the dialect's rules check the name and the value.
struct Named<'a, const ANY_RULE: bool> {
    exchange: &'a Exchange,
    scope: &'a Scope,
    format: &'a LineFormat,
    name: &'a str,
    kind: MetricType,
}

impl<'a, const ANY_RULE: bool> Target for Named<'a, ANY_RULE> {
    type Line<F: ValueField> = Line<'a, F, ANY_RULE>;
    type One = Self::Line<Number<&'static [u8; 1]>>;

    #[inline(always)]
    fn exchange(&self) -> &Exchange {
        self.exchange
    }
    #[inline(always)]
    fn line<F: ValueField>(&self, field: F) -> Self::Line<F> {
        let Self { format, name, .. } = *self;
        Line { format, name, field }
    }
    #[inline(always)]
    fn one(&self) -> Self::One {
        self.line(ONE)
    }
    #[inline(always)]
    fn has_deltas(&self) -> bool {
        self.format.has_deltas
    }
    #[inline(always)]
    fn accepts(&self, number: &Number<impl Digits>) -> bool {
        !ANY_RULE || number.is_accepted(self.scope.accepted_numbers(self.kind))
    }
    #[inline(always)]
    fn rules(&self) -> &CharacterRules {
        &self.scope.rules
    }
}

//! Fast path of calls by name: lines without tags, sampling or other rules of a dialect.

use super::kind::Kind;
use super::measurement::{NumberWriter, NumericMeasurement, ONE, One, Recorder};
use super::{Counter, Gauge, Metric, Timing};
use crate::connector_core::{ConnectorCore, ScopedExchange};
use crate::encode::{
    Digits, InvalidLine, Line, MetricType, NegativeGauge, Number, UnsupportedLine, ZERO,
};

/// Kinds that have a fast path.
pub(crate) trait PlainKind: Kind {
    /// Emits one line or, for a gauge below zero, two.
    fn record_plain(core: &ScopedExchange, name: &str, measurement: impl NumericMeasurement);
}

macro_rules! plain_kinds {
    ($($kind:ident, $tail:literal;)*) => {$(
        impl PlainKind for $kind {
            // Not inlined into the caller, whose code is one test and one call.
            #[inline(never)]
            fn record_plain(core: &ScopedExchange, name: &str, measurement: impl NumericMeasurement) {
                measurement.write_to(&PlainMetric { core, name, kind: MetricType::$kind, tail: $tail });
            }
        }
    )*};
}

plain_kinds! {
    Counter, b"|c\n";
    Gauge, b"|g\n";
    Timing, b"|ms\n";
}

/// Emits a measurement by the fast path if the connector has one, and otherwise as a [`Metric`].
#[inline(always)]
pub(crate) fn record<K: PlainKind>(
    core: &ConnectorCore,
    name: &str,
    measurement: impl NumericMeasurement,
) {
    if let Some(scoped) = &core.fast_path {
        K::record_plain(scoped, name, measurement);
    } else if core.slow_path.is_some() {
        record_slow::<K>(core, name, measurement);
    }
}

/// Emits a measurement as a [`Metric`]. Not inlined, so that the fast path stays small.
#[inline(never)]
fn record_slow<K: Kind>(core: &ConnectorCore, name: &str, measurement: impl NumericMeasurement) {
    Metric::<K>::new(core, name).record_measurement(measurement);
}

/// A name, and the constant parts of its lines.
struct PlainMetric<'a, const TAIL: usize> {
    core: &'a ScopedExchange,
    name: &'a str,
    kind: MetricType,
    /// The type's code, between `|` and the newline.
    tail: &'static [u8; TAIL],
}

impl<const TAIL: usize> NumberWriter for PlainMetric<'_, TAIL> {
    #[inline(always)]
    fn write(&self, number: Number<impl Digits>) {
        let Self { core, name, kind, tail } = *self;
        let head = core.scoped.scope.head(kind);
        core.exchange.emit(|| Line::new(head, name, number, tail));
    }
    #[inline(always)]
    fn write_ordered(&self, number: Number<impl Digits>) {
        let Self { core, name, kind, tail } = *self;
        let head = core.scoped.scope.head(kind);
        core.exchange.emit_ordered(|| Line::new(head, name, number, tail));
    }
    #[inline(always)]
    fn write_below_zero(&self, number: Number<impl Digits>) {
        let Self { core, name, kind, tail } = *self;
        let head = core.scoped.scope.head(kind);
        core.exchange.emit_ordered(|| NegativeGauge {
            zero: Line::new(head, name, ZERO, tail),
            line: Line::new(head, name, number, tail),
        });
    }
    #[inline(always)]
    fn has_deltas(&self) -> bool {
        true
    }
    #[inline(always)]
    fn accepts(&self, _number: &Number<impl Digits>) -> bool {
        true
    }
    #[inline(always)]
    fn drop_invalid(&self) {
        self.core.drop_invalid();
    }
    #[inline(always)]
    fn drop_unsupported(&self) {
        self.core.drop_unsupported();
    }
}

/// Counts one. Equal to [`record`] of `One`, which takes 3 more instructions on the fast path.
#[inline(always)]
pub(crate) fn record_one(core: &ConnectorCore, name: &str) {
    if let Some(scoped) = &core.fast_path {
        scoped.count_one(name);
    } else if core.slow_path.is_some() {
        record_slow::<Counter>(core, name, One);
    }
}

impl ScopedExchange {
    #[inline(never)]
    fn count_one(&self, name: &str) {
        let head = self.scoped.scope.head(MetricType::Counter);
        self.exchange.emit(|| Line::new(head, name, ONE, b"|c\n"));
    }

    /// Counts a line as dropped because its values are invalid.
    #[cold]
    pub(crate) fn drop_invalid(&self) {
        self.exchange.emit(|| InvalidLine);
    }

    /// Counts a line as dropped because the dialect does not support it.
    #[cold]
    pub(crate) fn drop_unsupported(&self) {
        self.exchange.emit(|| UnsupportedLine);
    }
}

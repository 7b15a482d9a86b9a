//! Aggregated metric: the number that its handles change, and the line that the flusher emits of it.

use crate::emit::{DropReason, Exchange, emit_if_room, emit_ordered_if_room};
use crate::encode::{
    AcceptedNumbers, Digits, LineSpec, LineTemplate, Number, PreparedLine, Scratch, Tags, Value,
    ZERO,
};
use freewheel_handoff::{Latest, Sum};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Aggregated metric of a connector. Its handles share it with the flusher.
pub(crate) struct Entry {
    pub(crate) source: Source,
    line: LineTemplate,
    numbers: AcceptedNumbers,
    /// True if servers read a gauge value with a sign as a change of the gauge.
    has_deltas: bool,
    drop_reason: Option<DropReason>,
}

/// Number of an aggregated metric.
pub(crate) enum Source {
    /// Total of a counter that was not handed on yet.
    Counter(Sum),
    /// Value that a gauge was set to, until it is handed on.
    Gauge(Latest),
    /// Value of a level, and the value that was handed on last.
    Level(Sum, AtomicI64),
}

/// Result of an attempt to emit the line of an aggregated metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Emission {
    /// The number has not changed, so that there is no line.
    Unchanged,
    /// The line was accepted, or is counted as dropped for a reason that does not pass. A gauge has
    /// the value that was handed on.
    Done(Option<f64>),
    /// There is no room for the line now. The number is unchanged.
    Refused,
}

impl Entry {
    pub(crate) fn new(
        source: Source,
        spec: &LineSpec<'_, impl Tags>,
        drop_reason: Option<DropReason>,
    ) -> Self {
        Self {
            source,
            line: LineTemplate::new(spec),
            numbers: spec.scope.accepted_numbers(spec.metric_type),
            has_deltas: spec.scope.has_gauge_deltas(),
            drop_reason,
        }
    }

    /// Returns true if the number has changed since it was last handed on.
    pub(crate) fn has_changed(&self) -> bool {
        match &self.source {
            Source::Counter(sum) => sum.value() != 0,
            Source::Gauge(latest) => latest.is_set(),
            // ORDERING: Relaxed. Only the flusher uses the number.
            Source::Level(sum, handed_on) => sum.value() != handed_on.load(Relaxed) as u64,
        }
    }

    /// Returns true if all handles are dropped, and the number has not changed since it was last
    /// handed on.
    pub(crate) fn is_spent(self: &mut Arc<Self>) -> bool {
        // The handles first: all that they did then happened before the look at the number.
        Arc::get_mut(self).is_some_and(|entry| !entry.has_changed())
    }

    /// Emits the line of the metric if the number has changed. Only the flusher calls this.
    pub(crate) fn emit(&self, exchange: &Exchange) -> Emission {
        match &self.source {
            Source::Counter(sum) => self.emit_count(exchange, sum),
            Source::Gauge(latest) => self.emit_latest(exchange, latest),
            Source::Level(sum, handed_on) => self.emit_level(exchange, sum, handed_on),
        }
    }

    fn emit_count(&self, exchange: &Exchange, sum: &Sum) -> Emission {
        let value = sum.value();
        if value == 0 {
            return Emission::Unchanged;
        }
        let mut scratch = Scratch::new();
        let is_done = match self.formatted(value as i64, &mut scratch) {
            Ok(number) => emit_if_room(exchange, self.line_of(number)),
            Err(reason) => reason.drop_line(exchange),
        };
        if !is_done {
            return Emission::Refused;
        }
        sum.subtract(value);
        Emission::Done(None)
    }

    fn emit_latest(&self, exchange: &Exchange, latest: &Latest) -> Emission {
        let Some(value) = latest.take() else { return Emission::Unchanged };
        if !self.emit_gauge(exchange, value) {
            latest.put_back(value);
            return Emission::Refused;
        }
        Emission::Done(Some(value))
    }

    fn emit_level(&self, exchange: &Exchange, sum: &Sum, handed_on: &AtomicI64) -> Emission {
        let value = sum.value() as i64;
        // ORDERING: Relaxed, both. Only the flusher uses the number, and the next flusher is ordered
        // after this one.
        if value == handed_on.load(Relaxed) {
            return Emission::Unchanged;
        }
        if !self.emit_gauge(exchange, value) {
            return Emission::Refused;
        }
        handed_on.store(value, Relaxed);
        Emission::Done(Some(value as f64))
    }

    /// Emits the line of a gauge with this value. Returns false, with nothing counted, if there is no
    /// room for it now.
    pub(crate) fn emit_gauge(&self, exchange: &Exchange, value: impl Value) -> bool {
        let mut scratch = Scratch::new();
        match self.formatted(value, &mut scratch) {
            Ok(number) if number.is_negative() && self.has_deltas => {
                // As for a gauge by name: the first line sets it to 0, the second lowers it.
                emit_ordered_if_room(exchange, (self.line_of(ZERO), self.line_of(number)))
            }
            Ok(number) => emit_ordered_if_room(exchange, self.line_of(number)),
            Err(reason) => reason.drop_line(exchange),
        }
    }

    /// Formats a value of the metric, or returns the reason to drop its line.
    fn formatted<V: Value>(
        &self,
        value: V,
        scratch: &mut Scratch,
    ) -> Result<Number<impl Digits>, DropReason> {
        let number = value.format(scratch).ok_or(DropReason::Invalid)?;
        match self.drop_reason {
            Some(reason) => Err(reason),
            None if !number.is_accepted(self.numbers) => Err(DropReason::Unsupported),
            None => Ok(number),
        }
    }

    fn line_of<D: Digits>(&self, number: Number<D>) -> PreparedLine<'_, Number<D>, true> {
        PreparedLine { template: &self.line, field: number }
    }
}

/// Shows the line, with `…` in place of the value.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line.fmt(f)
    }
}

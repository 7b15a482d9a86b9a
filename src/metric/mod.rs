//! Metrics with a kind, a name, tags and optional fields, which are emitted at once or prepared to
//! be emitted often.
//!
//! The kinds and [`Metric`] are also at the root of the crate. The helper traits and types that bound
//! their methods are only here: [`Kind`], [`Sampled`], [`Measured`], [`Timestamped`], [`Value`], [`Tags`],
//! [`NoTags`] and [`Tagged`].

mod aggregated;
mod by_name;
mod counter;
mod gauge;
mod handle;
mod histogram;
mod kind;
mod measurement;
mod meter;
mod set;
mod thinned;
mod timer;
mod timing;

pub use aggregated::{AggregatedCounter, AggregatedGauge, Level};
pub(crate) use by_name::record;
pub use counter::Counter;
pub use gauge::Gauge;
pub use histogram::{Distribution, Histogram};
pub use kind::{Kind, Measured, Sampled, Timestamped};
pub use meter::Meter;
pub use set::Set;
pub use thinned::Thinned;
pub use timer::Timer;
pub use timing::Timing;

pub use crate::encode::{Integer, NoTags, Tagged, Tags, Value};
pub use crate::error::MetricError;

use crate::connector_core::{ScopeContext, ScopedExchange};
use crate::emit::{DropReason, Exchange, drop_invalid, drop_unsupported};
use crate::encode::{
    CharacterRules, Digits, EffectiveRate, LineSpec, LineTemplate, Number, ONE, OptionalFields,
    SampleRate, Scope, TaggedLine, Timestamp, ValueField,
};
use crate::options::Cardinality;
use handle::Handle;
pub(crate) use measurement::{
    Absolute, Amount, Delta, DurationValue, Negated, One, Seconds, SetMember,
};
use measurement::{Measurement, Target};
use std::fmt;
use std::marker::PhantomData;
use std::time::SystemTime;

/// Metric of kind `K` that is emitted once, or prepared to be emitted often.
///
/// [`Connector::metric`](crate::Connector::metric) creates it. The kind provides the calls that emit:
/// [`Counter`], [`Gauge`], [`Timing`], [`Histogram`], [`Distribution`], [`Set`], [`Meter`]. None of
/// these calls allocates, blocks or fails, whatever the number of tags.
///
/// ```
/// use freewheel::{Connector, Counter, Dialect, SampleRate, Timing};
/// use std::time::Duration;
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port())
///     .dialect(Dialect::DogStatsD)
///     .build()?;
/// statsd.start_on_thread()?;
/// // Once: hits:1|c|#route:/,code:200
/// statsd.metric::<Counter>("hits").tag("route", "/").tag("code", "200").incr();
/// // Often: all but the value is rendered here.
/// let rendering = statsd
///     .metric::<Timing>("rendering")
///     .tag("route", "/")
///     .sample_rate(SampleRate::new(0.5)?)
///     .build();
/// rendering.record(Duration::from_millis(3)); // rendering:3|ms|@0.5|#route:/, one time in two
/// # (0..1000).for_each(|_| rendering.record(Duration::from_millis(3)));
/// # server.assert(&statsd, &["hits:1|c|#route:/,code:200", "rendering:3|ms|@0.5|#route:/"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is emitted before a value is given"]
pub struct Metric<'a, K, T = NoTags, M = AnyMode> {
    /// State of the connector that emits the metric, or `None` if the connector is disabled.
    core: Option<&'a ScopedExchange>,
    name: &'a str,
    tags: T,
    rate: Option<EffectiveRate>,
    optional: OptionalFields,
    /// True if the metric's timestamp is before 1970-01-01 00:00:01 UTC.
    invalid: bool,
    kind: PhantomData<fn() -> (K, M)>,
}

/// State of a [`Metric`] that can emit a line for each call, or be aggregated.
#[derive(Clone, Copy, Debug)]
pub enum AnyMode {}

/// State of a [`Metric`] that emits a line for each call, since it has a sample rate or a timestamp. It
/// cannot be aggregated.
#[derive(Clone, Copy, Debug)]
pub enum EachCall {}

impl<'a, K: Kind> Metric<'a, K, NoTags> {
    #[inline(always)]
    pub(crate) fn new(core: Option<&'a ScopedExchange>, name: &'a str) -> Self {
        let optional = OptionalFields::default();
        let (rate, kind) = (None, PhantomData);
        Self { core, name, tags: NoTags, rate, optional, invalid: false, kind }
    }
}

impl<'a, K: Kind, T: Tags, M> Metric<'a, K, T, M> {
    /// Adds a tag. Characters that the [dialect](crate::Dialect#clean-input) forbids in tags are replaced
    /// by `_`, and the line is counted as altered.
    #[inline(always)]
    pub fn tag(self, key: &'a str, value: &'a str) -> Metric<'a, K, Tagged<'a, T>, M> {
        let Self { core, name, tags, rate, optional, invalid, kind } = self;
        let tags = Tagged { rest: tags, key, value };
        Metric { core, name, tags, rate, optional, invalid, kind }
    }

    /// Sets the sample rate of this metric, which takes precedence over the builder's
    /// [patterns](crate::Builder::sample).
    ///
    /// If the dialect's servers misread this rate, the nearest lower rate that they
    /// [read correctly](SampleRate#what-is-sent) is used. A metric with a timestamp is never sampled.
    #[inline(always)]
    pub fn sample_rate(mut self, rate: SampleRate) -> Metric<'a, K, T, EachCall>
    where
        K: Sampled,
    {
        let is_whole = self.core.is_some_and(|inner| inner.scoped.scope.samples_one_in_n(K::TYPE));
        self.rate = Some(*rate.effective(is_whole));
        self.for_each_call()
    }

    /// Sets the timestamp of the metric in whole seconds, which requires DogStatsD 1.3. A time
    /// before 1970-01-01 00:00:01 UTC makes the line invalid.
    ///
    /// The Datadog Agent passes a metric with a timestamp on without aggregating it.
    ///
    /// ```
    /// # use freewheel::{Connector, Dialect, Gauge};
    /// # use std::time::{Duration, UNIX_EPOCH};
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port())
    ///     .dialect(Dialect::DogStatsD)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// let then = UNIX_EPOCH + Duration::from_secs(1_656_581_400);
    /// statsd.metric::<Gauge>("depth").timestamp(then).set(17); // depth:17|g|T1656581400
    /// # server.assert(&statsd, &["depth:17|g|T1656581400"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn timestamp(mut self, time: SystemTime) -> Metric<'a, K, T, EachCall>
    where
        K: Timestamped,
    {
        self.optional.timestamp = Timestamp::new(time);
        self.invalid = self.optional.timestamp.is_none();
        self.for_each_call()
    }

    #[inline(always)]
    fn for_each_call(self) -> Metric<'a, K, T, EachCall> {
        let Self { core, name, tags, rate, optional, invalid, .. } = self;
        Metric { core, name, tags, rate, optional, invalid, kind: PhantomData }
    }

    /// Sets the cardinality of the tags that the Datadog Agent adds to this metric, in place of the
    /// [builder's](crate::Builder::cardinality). Requires DogStatsD 1.6.
    #[inline(always)]
    pub fn cardinality(mut self, cardinality: Cardinality) -> Self {
        self.optional.cardinality = Some(cardinality);
        self
    }

    /// Prepares the metric to be emitted often: renders the whole line once, except for its value.
    /// The call makes up to ten allocations.
    ///
    /// The returned handle is cheap to clone, can be sent and shared, and borrows nothing. The flusher
    /// counts it as a handle of the connector.
    ///
    /// This never fails. Characters that the dialect forbids in the name or a tag are replaced by `_`, and
    /// each line is counted as altered. If the name is empty, each line is dropped and counted as invalid.
    /// If the dialect does not support the metric, each line is dropped and counted as
    /// [unsupported](crate::Drops::unsupported). [`try_build`](Self::try_build) returns an error instead.
    ///
    /// ```
    /// use freewheel::{Connector, Counter};
    /// use std::sync::LazyLock;
    ///
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # static SERVER: LazyLock<documented::Server> = LazyLock::new(documented::Server::start);
    /// static STATSD: LazyLock<Connector> = LazyLock::new(|| {
    ///     let statsd = Connector::builder("127.0.0.1")
    /// #         .port(SERVER.port()).protocol(freewheel::Protocol::Udp)
    ///         .build()
    ///         .expect("good settings");
    ///     statsd.start_on_thread().expect("a thread");
    ///     statsd
    /// });
    /// static HITS: LazyLock<Counter> = LazyLock::new(|| STATSD.metric::<Counter>("http.hits").build());
    /// HITS.incr(); // counters.http.hits:1|c
    /// # SERVER.assert(&STATSD, &["counters.http.hits:1|c"]);
    /// ```
    #[must_use = "a prepared metric emits nothing before a value is given"]
    pub fn build(self) -> K {
        let Some(inner) = self.core else { return K::from(Handle::Disabled) };
        let ScopedExchange { exchange, scoped } = inner;
        let spec = self.spec(&scoped.scope, self.rate(inner));
        K::from(Handle::new(exchange, scoped, &spec, self.drop_reason(&scoped.scope)))
    }

    /// Returns the reason to drop every line of the metric, or `None` if its lines can be sent.
    fn drop_reason(&self, scope: &Scope) -> Option<DropReason> {
        match self.check(scope) {
            Err(MetricError::EmptyName | MetricError::InvalidTimestamp) => {
                Some(DropReason::Invalid)
            }
            Err(_) => Some(DropReason::Unsupported),
            Ok(()) => None,
        }
    }

    /// Prepares the metric as [`build`](Self::build) does, or returns an error if the metric's
    /// lines would be altered or dropped.
    ///
    /// ```
    /// use freewheel::{Connector, Counter, MetricError};
    ///
    /// let statsd = Connector::builder("127.0.0.1").build()?;
    /// let refused = statsd.metric::<Counter>("hits").tag("route", "/").try_build();
    /// assert!(matches!(refused, Err(MetricError::UnsupportedTags)), "plain StatsD has no tags");
    /// # Ok::<(), freewheel::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// The first part of the metric that the dialect does not support or forbids. A disabled connector
    /// never returns an error.
    pub fn try_build(self) -> Result<K, MetricError> {
        self.check_unaltered()?;
        Ok(self.build())
    }

    /// Returns an error if the metric's lines would be altered or dropped.
    fn check_unaltered(&self) -> Result<(), MetricError> {
        let Some(inner) = self.core else { return Ok(()) };
        let scope = &inner.scoped.scope;
        self.check(scope)?;
        if LineTemplate::new(&self.spec(scope, None)).is_altered() {
            return Err(MetricError::ForbiddenText);
        }
        Ok(())
    }

    fn check(&self, scope: &Scope) -> Result<(), MetricError> {
        if !scope.dialect_supports(K::TYPE) {
            Err(MetricError::UnsupportedKind)
        } else if scope.has_unsupported_tags() || (T::ANY && !scope.has_tags()) {
            Err(MetricError::UnsupportedTags)
        } else if self.optional.cardinality.is_some() && !scope.has_cardinality() {
            Err(MetricError::UnsupportedCardinality)
        } else if self.optional.timestamp.is_some() && !scope.has_timestamps() {
            Err(MetricError::UnsupportedTimestamp)
        } else if self.invalid {
            Err(MetricError::InvalidTimestamp)
        } else if self.name.is_empty() {
            Err(MetricError::EmptyName)
        } else {
            Ok(())
        }
    }

    /// Returns true if the dialect supports the kind, the tags and the optional fields of the
    /// metric. The function tests the same features as [`check`](Self::check).
    #[inline(always)]
    fn is_supported(&self, scope: &Scope) -> bool {
        scope.supports(K::TYPE)
            && (!T::ANY || scope.has_tags())
            && (self.optional.cardinality.is_none() || scope.has_cardinality())
            && (self.optional.timestamp.is_none() || scope.has_timestamps())
    }

    /// Returns the sample rate of the metric, or `None` if every line is emitted.
    #[inline(always)]
    fn rate<'b>(&'b self, inner: &'b ScopedExchange) -> Option<&'b EffectiveRate> {
        let ScopeContext { scope, owner } = &*inner.scoped;
        if !K::SAMPLED || self.optional.timestamp.is_some() {
            return None;
        }
        let rate = match &self.rate {
            Some(rate) => Some(rate),
            None if owner.sampling.is_empty() => None,
            None => {
                let rate = owner.sampling.rate(scope.path(), self.name);
                rate.map(|rate| rate.effective(scope.samples_one_in_n(K::TYPE)))
            }
        };
        rate.filter(|rate| !rate.keeps_all())
    }

    #[inline(always)]
    fn spec<'b>(&'b self, scope: &'b Scope, rate: Option<&'b EffectiveRate>) -> LineSpec<'b, T> {
        let Self { name, tags, optional, .. } = self;
        LineSpec { scope, metric_type: K::TYPE, name, tags: *tags, rate, optional }
    }
}

impl<K: Kind, T: Tags, M> fmt::Debug for Metric<'_, K, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metric").field("type", &K::TYPE).field("name", &self.name).finish()
    }
}

impl<K: Kind, T: Tags, M> Metric<'_, K, T, M> {
    #[inline]
    fn record_measurement(&self, measurement: impl Measurement) {
        if let Some(core) = self.core {
            self.record_enabled(core, measurement);
        }
    }

    /// Emits the metric with the value of one call, through an enabled connector. The function is
    /// separate, so that callers stay small.
    fn record_enabled(&self, core: &ScopedExchange, measurement: impl Measurement) {
        let scope = &core.scoped.scope;
        if !self.is_supported(scope) {
            return drop_unsupported(&core.exchange);
        }
        if self.invalid {
            return drop_invalid(&core.exchange, 1);
        }
        let rate = self.rate(core);
        if rate.is_none_or(EffectiveRate::draw) {
            measurement.write_to(&TaggedMetric { spec: self.spec(scope, rate), core });
        }
    }
}

/// Metric that is not prepared: each call encodes the whole line, with tags and optional fields.
struct TaggedMetric<'a, T> {
    spec: LineSpec<'a, T>,
    core: &'a ScopedExchange,
}

impl<'a, T: Tags> Target for TaggedMetric<'a, T> {
    type Line<F: ValueField> = TaggedLine<'a, T, F>;
    type One = Self::Line<Number<&'static [u8; 1]>>;

    #[inline(always)]
    fn exchange(&self) -> &Exchange {
        &self.core.exchange
    }
    #[inline(always)]
    fn line<F: ValueField>(&self, field: F) -> TaggedLine<'a, T, F> {
        TaggedLine { spec: self.spec, field }
    }
    #[inline(always)]
    fn one(&self) -> Self::One {
        self.line(ONE)
    }
    #[inline(always)]
    fn has_deltas(&self) -> bool {
        self.spec.scope.has_gauge_deltas()
    }
    #[inline(always)]
    fn accepts(&self, number: &Number<impl Digits>) -> bool {
        number.is_accepted(self.spec.scope.accepted_numbers(self.spec.metric_type))
    }
    #[inline(always)]
    fn rules(&self) -> &CharacterRules {
        &self.spec.scope.rules
    }
}

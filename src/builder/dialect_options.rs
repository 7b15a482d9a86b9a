//! The settings of what is said, and in which dialect.

use super::{Builder, Protocol, require};
use crate::encode::{
    Cardinality, Dialect, DogStatsDVersion, Feature, OriginFields, Pattern, SampleRate,
    SamplingRules, Scope,
};
use crate::error::{BuildError, quoted};

#[derive(Clone, Debug, Default)]
pub(super) struct DialectOptions {
    dialect: Dialect,
    version: DogStatsDVersion,
    tags: Vec<Tag>,
    sampling: SamplingRules,
    origin: OriginFields,
    /// What was found out: said as far as the version has words for it.
    detected: OriginFields,
    pack_values: bool,
}

#[derive(Clone, Debug)]
struct Tag {
    key: String,
    /// None where the key is all there is.
    value: Option<String>,
}

/// What comes of them, checked.
pub(super) struct ValidatedDialect {
    pub(super) scope: Scope,
    pub(super) sampling: SamplingRules,
    pub(super) pack_values: bool,
}

impl Builder {
    /// Which dialect the server speaks. Default: [`Dialect::StatsD`], which all understand.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.vocabulary.dialect = dialect;
        self
    }

    /// How new a DogStatsD protocol the server reads. Default: the newest. Means nothing in other
    /// dialects.
    pub fn dogstatsd_version(mut self, version: DogStatsDVersion) -> Self {
        self.vocabulary.version = version;
        self
    }

    /// A tag of all metrics, rendered once. Tags are kept in the order given. Default: none.
    ///
    /// Refused: what the [dialect](Dialect#clean-input) forbids in keys and values, empty ones, and
    /// any tag in a dialect without them.
    ///
    /// ```
    /// use freewheel::{Connector, Dialect};
    ///
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port())
    ///     .dialect(Dialect::DogStatsD)
    ///     .tag("env", "prod")
    ///     .tag("service", "shop")
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.incr("hits"); // hits:1|c|#env:prod,service:shop
    /// # server.assert(&statsd, &["hits:1|c|#env:prod,service:shop"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.vocabulary.tags.push(Tag { key: key.into(), value: Some(value.into()) });
        self
    }

    /// The rate at which the metrics are sampled whose name matches, in which each `*` stands for any
    /// characters or none. Of several patterns the first that matches is taken; a rate that a call
    /// says comes before any. The name is that of the call, with the prefixes of
    /// [scopes](crate::Connector::scoped) and without the builder's.
    ///
    /// Calls by name look for their pattern each time, [prepared](crate::Metric::build) metrics once.
    /// Gauges and sets are not sampled, nor is what has a timestamp: the server could not make up
    /// for it. What is sent of a rate depends on [kind and dialect](SampleRate#what-is-sent). Refused: an
    /// empty pattern.
    ///
    /// ```
    /// use freewheel::{Connector, SampleRate};
    ///
    /// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
    /// # let server = documented::Server::start();
    /// let statsd = Connector::builder("127.0.0.1")
    /// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
    ///     .sample("http.*", SampleRate::new(0.1)?)
    ///     .build()?;
    /// statsd.start_on_thread()?;
    /// statsd.incr("http.hits"); // counters.http.hits:1|c|@0.1, one time in ten
    /// # (0..1000).for_each(|_| statsd.incr("http.hits"));
    /// # server.assert(&statsd, &["counters.http.hits:1|c|@0.1"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sample(mut self, pattern: impl Into<String>, rate: SampleRate) -> Self {
        self.vocabulary.sampling.0.push((Pattern(pattern.into()), rate));
        self
    }

    /// Whether lines that differ in nothing but their value share one, `hits:1:2:3|c`, where they
    /// follow each other in a datagram. Default: false. Costs the flusher a look at each line,
    /// and the callers nothing. The account counts the lines as they were emitted.
    ///
    /// Sets are not packed, nor what has a timestamp. Refused: outside DogStatsD 1.1, and on
    /// streams.
    pub fn pack_values(mut self, on: bool) -> Self {
        self.vocabulary.pack_values = on;
        self
    }

    /// Which container the lines are from, for the Datadog Agent to find its tags: its identity,
    /// or since version 1.4 of the protocol `ci-` and that, or `in-` and the inode of its cgroup.
    /// Default: none.
    ///
    /// Refused: outside DogStatsD 1.2; `|`, control characters, an empty one, and more than
    /// 256 bytes.
    pub fn container_id(mut self, id: impl Into<String>) -> Self {
        self.vocabulary.origin.container_id = Some(id.into());
        self
    }

    /// What the Datadog Agent's admission controller gave the process in `DD_EXTERNAL_ENV`. Default:
    /// none.
    ///
    /// Refused: outside DogStatsD 1.5, and otherwise as the [container](Self::container_id).
    pub fn external_data(mut self, data: impl Into<String>) -> Self {
        self.vocabulary.origin.external_data = Some(data.into());
        self
    }

    /// Of which cardinality the tags are that the Datadog Agent adds to each line. Default: as the Agent
    /// is set. Refused: outside DogStatsD 1.6.
    pub fn cardinality(mut self, cardinality: Cardinality) -> Self {
        self.vocabulary.origin.cardinality = Some(cardinality);
        self
    }
}

impl Builder {
    /// A tag of all metrics that is not a key and a value, as it is.
    pub(crate) fn bare_tag(mut self, text: String) -> Self {
        self.vocabulary.tags.push(Tag { key: text, value: None });
        self
    }

    /// Where the lines are from, unless that is set: as far as the dialect can say it.
    pub(crate) fn detected(mut self, origin: OriginFields) -> Self {
        self.vocabulary.detected = origin;
        self
    }
}

/// Of what was found out, what this version can say: container identities bare before 1.4.
fn supported_by(detected: OriginFields, has: impl Fn(Feature) -> bool) -> OriginFields {
    let bare = |id: String| id.strip_prefix("ci-").map(str::to_owned);
    let container_id = detected.container_id.filter(|_| has(Feature::ContainerId));
    OriginFields {
        container_id: container_id
            .and_then(|id| if has(Feature::ContainerIdKind) { Some(id) } else { bare(id) }),
        external_data: detected.external_data.filter(|_| has(Feature::ExternalData)),
        cardinality: detected.cardinality.filter(|_| has(Feature::Cardinality)),
    }
}

impl DialectOptions {
    /// Whether the type stands before names unless that is set.
    pub(super) fn has_type_prefixes(&self) -> bool {
        self.dialect.has_type_prefixes()
    }

    /// How lines travel unless that is stated. The Datadog Agent does not listen to TCP.
    pub(super) fn protocol(&self) -> Protocol {
        if self.dialect == Dialect::DogStatsD { Protocol::Udp } else { Protocol::Tcp }
    }

    /// How long a line may be: as long as the server reads, or a datagram can be. `payload` is what was
    /// set for datagrams, which says that the server reads that.
    pub(super) fn longest_line(&self, payload: Option<usize>) -> usize {
        match self.dialect {
            // The Agent's `dogstatsd_buffer_size`, by default. It cuts a longer datagram, and ends a stream
            // at a longer frame (comp/dogstatsd/listeners).
            Dialect::DogStatsD => AGENTS_BUFFER.max(payload.unwrap_or(0)),
            _ => super::MAX_PAYLOAD,
        }
    }

    /// Whether a prefix can stand there as it is.
    pub(super) fn accepts_prefix(&self, prefix: &str) -> bool {
        let rule = self.dialect.rules().name;
        let misread = self.dialect == Dialect::DogStatsD
            && (prefix.starts_with("_sc") || prefix.starts_with("_e{"));
        !prefix.chars().any(|character| rule.forbids(character)) && !misread
    }

    /// The prefix is checked.
    pub(super) fn check(
        self,
        prefix: &str,
        type_prefixes: bool,
        is_stream: bool,
    ) -> Result<ValidatedDialect, BuildError> {
        let Self { dialect, version, tags, sampling, origin, detected, pack_values } = self;
        let has = |feature: Feature| feature.is_supported(dialect, version);
        let detected = supported_by(detected, has);
        let origin = OriginFields {
            container_id: origin.container_id.or(detected.container_id),
            external_data: origin.external_data.or(detected.external_data),
            cardinality: origin.cardinality.or(detected.cardinality),
        };
        for (pattern, _) in &sampling.0 {
            require("sample", r#""""#, !pattern.0.is_empty(), "a pattern that is not empty")?;
        }
        let may_pack = has(Feature::PackedValues) && !is_stream;
        let expected = "DogStatsD 1.1 or later, over datagrams";
        require("pack_values", "true", !pack_values || may_pack, expected)?;
        if let Some(id) = &origin.container_id {
            let is_kind = id.starts_with("ci-") || id.starts_with("in-");
            let feature = if is_kind { Feature::ContainerIdKind } else { Feature::ContainerId };
            let expected = "DogStatsD 1.2, or 1.4 for ci- and in-";
            require("container_id", quoted(id), has(feature), expected)?;
            require("container_id", quoted(id), is_field(id), FIELD)?;
        }
        if let Some(data) = &origin.external_data {
            let accepted = has(Feature::ExternalData);
            require("external_data", quoted(data), accepted, "DogStatsD 1.5")?;
            require("external_data", quoted(data), is_field(data), FIELD)?;
        }
        if let Some(cardinality) = origin.cardinality {
            let accepted = has(Feature::Cardinality);
            require("cardinality", format!("{cardinality:?}"), accepted, "DogStatsD 1.6")?;
        }
        let mut scope = Scope::new(dialect, version, prefix, type_prefixes, &origin);
        for tag in &tags {
            scope = tag.add_to(&scope, dialect)?;
        }
        Ok(ValidatedDialect { scope, sampling, pack_values })
    }
}

impl Tag {
    fn add_to(&self, scope: &Scope, dialect: Dialect) -> Result<Scope, BuildError> {
        let Self { key, value } = self;
        let given = || {
            let value = value.iter().map(|value| format!(", {}", quoted(value)));
            value.fold(quoted(key), |given, value| given + &value)
        };
        require("tag", given(), scope.has_tags(), "a dialect with tags")?;
        let rules = dialect.rules();
        let is_key = !key.is_empty() && !key.chars().any(|c| rules.key.forbids(c));
        let is_value =
            |text: &str| !text.is_empty() && !text.chars().any(|c| rules.value.forbids(c));
        let Some(value) = value else {
            let accepted = dialect == Dialect::DogStatsD && is_value(key);
            require("tag", given(), accepted, "a key and a value")?;
            return Ok(scope.with_bare_tag(key));
        };
        let expected = "a key and a value without what the dialect forbids, and not empty";
        require("tag", given(), is_key && is_value(value), expected)?;
        Ok(scope.with_tag(key, value))
    }
}

const AGENTS_BUFFER: usize = 8192;

const FIELD: &str = "1 to 256 bytes without `|` or a control character";

fn is_field(text: &str) -> bool {
    (1..=256).contains(&text.len()) && !text.contains(|c: char| c == '|' || c.is_control())
}

//! Builder methods for the StatsD dialect, tags, sampling and the origin (the container that sends
//! the lines).

use super::Builder;
use crate::config::validated::MAX_PAYLOAD;
use crate::encode::{OriginFields, Pattern, SampleRate, SamplingRules, Scope, is_misread};
use crate::error::{BuildError, quoted, require};
use crate::options::{Cardinality, Dialect, DogStatsDVersion, Feature, Framing, Protocol};

#[derive(Clone, Debug, Default)]
pub(super) struct DialectOptions {
    dialect: Dialect,
    version: DogStatsDVersion,
    tags: Vec<Tag>,
    sampling: SamplingRules,
    origin: OriginFields,
    /// Origin (container and related fields) that was detected from the process's environment.
    /// Fields that the DogStatsD version does not support are not sent.
    detected: OriginFields,
    pack_values: bool,
}

#[derive(Clone, Debug)]
struct Tag {
    /// Environment variable that holds the tag, or `None` for a tag of the application.
    variable: Option<&'static str>,
    key: String,
    /// Value of the tag, or `None` for a tag without a value.
    value: Option<String>,
}

/// Validated dialect options: the scope (prefix, tags and other constant parts of all lines), the
/// sampling rules, and the setting that packs several values into one line.
pub(super) struct ValidatedDialect {
    pub(super) scope: Scope,
    pub(super) sampling: SamplingRules,
    pub(super) pack_values: bool,
    /// Warnings about tags of environment variables.
    pub(super) warnings: Vec<String>,
}

impl Builder {
    /// Sets the dialect of StatsD that the server reads. Default: [`Dialect::StatsD`], which every
    /// server reads.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect_options.dialect = dialect;
        self
    }

    /// Sets the version of the DogStatsD protocol that the server reads. Default: the newest. Has no
    /// effect in other dialects.
    pub fn dogstatsd_version(mut self, version: DogStatsDVersion) -> Self {
        self.dialect_options.version = version;
        self
    }

    /// Adds a tag to all metrics. Default: none.
    ///
    /// Tags keep their order and are rendered once. Key and value must not be empty, and must not
    /// contain characters that the [dialect](Dialect#clean-input) forbids. The dialect must have
    /// tags. All tags together must leave 256 bytes of the longest line for names, values and the
    /// tags of calls.
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
        let (key, value) = (key.into(), Some(value.into()));
        self.dialect_options.tags.push(Tag { variable: None, key, value });
        self
    }

    /// Sets the sample rate of metrics with a name that matches the pattern. Each `*` in the
    /// pattern matches any number of characters.
    ///
    /// The first pattern that matches applies. The rate of a call takes precedence. The name is the
    /// name in the call with the prefixes of its [scopes](crate::Connector::scoped), without the
    /// prefix of the builder. The pattern must not be empty.
    ///
    /// Calls by name match patterns each time, [prepared](crate::Metric::build) metrics once. Gauges,
    /// sets and metrics with a timestamp are not sampled, since a server cannot compensate for it.
    /// The rate is sent if the [kind and the dialect](SampleRate#what-is-sent) allow it.
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
        self.dialect_options.sampling.0.push((Pattern(pattern.into()), rate));
        self
    }

    /// Sets whether consecutive lines that differ only in their value are packed into one line of a
    /// datagram, such as `hits:1:2:3|c`. Default: false.
    ///
    /// The flusher compares each line with the one before it; callers pay nothing. The account counts
    /// the lines as they were emitted. Sets, lines with a timestamp and injected values that are no
    /// numbers are not packed. Needs DogStatsD 1.1 and datagrams.
    pub fn pack_values(mut self, on: bool) -> Self {
        self.dialect_options.pack_values = on;
        self
    }

    /// Sets the identifier of the container that sends the lines. The Datadog Agent uses it to add
    /// the container's tags. Default: none.
    ///
    /// The value is the identifier of the container. From version 1.4 of the protocol, it is `ci-`
    /// and the identifier, or `in-` and the inode of its cgroup. Needs DogStatsD 1.2. The value must
    /// have 1 to 256 bytes, without `|` and control characters.
    pub fn container_id(mut self, id: impl Into<String>) -> Self {
        self.dialect_options.origin.container_id = Some(id.into());
        self
    }

    /// Sets the external data that each line carries: the value that Datadog's admission controller
    /// gives the process as `DD_EXTERNAL_ENV`. Default: none.
    ///
    /// Needs DogStatsD 1.5. The same limits apply as for the [container](Self::container_id).
    pub fn external_data(mut self, data: impl Into<String>) -> Self {
        self.dialect_options.origin.external_data = Some(data.into());
        self
    }

    /// Sets the cardinality of the tags that the Datadog Agent adds to each line. Default: the
    /// Agent's own setting. Needs DogStatsD 1.6.
    pub fn cardinality(mut self, cardinality: Cardinality) -> Self {
        self.dialect_options.origin.cardinality = Some(cardinality);
        self
    }
}

impl Builder {
    /// Adds a tag that an environment variable holds to all metrics. Without a value, `key` is the
    /// whole tag. It is left out, with a warning, if it leaves too little space for calls.
    pub(crate) fn tag_of_variable(
        mut self,
        variable: &'static str,
        key: String,
        value: Option<String>,
    ) -> Self {
        self.dialect_options.tags.push(Tag { variable: Some(variable), key, value });
        self
    }

    /// Sets the origin (container and related fields) that was detected from the process's
    /// environment. Fields set by the application take precedence, and fields that the dialect does
    /// not support are not sent.
    pub(crate) fn detected(mut self, origin: OriginFields) -> Self {
        self.dialect_options.detected = origin;
        self
    }
}

/// Returns the fields of a detected origin (container and related fields) that the DogStatsD
/// version supports. Versions before 1.4 get the container's identifier without the prefix `ci-`,
/// and get no identifier with the prefix `in-`.
fn supported_by(detected: OriginFields, has: impl Fn(Feature) -> bool) -> OriginFields {
    let without_kind = |id: String| id.strip_prefix("ci-").map(str::to_owned);
    let container_id = detected.container_id.filter(|_| has(Feature::ContainerId));
    OriginFields {
        container_id: container_id
            .and_then(|id| if has(Feature::ContainerIdKind) { Some(id) } else { without_kind(id) }),
        external_data: detected.external_data.filter(|_| has(Feature::ExternalData)),
        cardinality: detected.cardinality.filter(|_| has(Feature::Cardinality)),
    }
}

impl DialectOptions {
    /// Returns true if metric names in the dialect get a prefix for their type by default, such as
    /// `counters.`.
    pub(super) fn has_type_prefixes(&self) -> bool {
        self.dialect.has_type_prefixes()
    }

    /// Returns the default transport protocol of the dialect.
    pub(super) fn default_protocol(&self) -> Protocol {
        self.dialect.default_protocol()
    }

    /// Returns the dialect's default framing for streams of this protocol: newlines or length
    /// prefixes.
    pub(super) fn default_framing(&self, protocol: Protocol) -> Framing {
        self.dialect.default_framing(protocol)
    }

    /// Returns the maximum length of a line in bytes: the limit of the dialect's servers, or else
    /// the size of the largest UDP datagram. `payload` is the configured size of datagrams, which
    /// the server is assumed to read.
    pub(super) fn max_line(&self, protocol: Protocol, payload: Option<usize>) -> usize {
        self.dialect.max_line(protocol.is_stream(), payload.unwrap_or(0)).unwrap_or(MAX_PAYLOAD)
    }

    /// Returns true if the dialect allows this prefix of metric names without an alteration.
    pub(super) fn accepts_prefix(&self, prefix: &str) -> bool {
        let is_misread = self.dialect.has_events() && is_misread(prefix.as_bytes());
        !prefix.chars().any(|character| self.dialect.rules().name.forbids(character)) && !is_misread
    }

    /// Validates the dialect options and builds the scope, the constant parts of all lines. The
    /// prefix must be validated already, and `max_line` is the maximum length of a line.
    pub(super) fn validate(
        self,
        prefix: &str,
        type_prefixes: bool,
        is_stream: bool,
        max_line: usize,
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
        let OriginFields { container_id, external_data, cardinality } = &origin;
        let id_feature = match container_id {
            Some(id) if id.starts_with("ci-") || id.starts_with("in-") => Feature::ContainerIdKind,
            _ => Feature::ContainerId,
        };
        // Settings that are given, and the feature that each needs.
        for (setting, given, feature) in [
            ("pack_values", pack_values.then(|| "true".to_owned()), Feature::PackedValues),
            ("container_id", container_id.as_ref().map(quoted), id_feature),
            ("external_data", external_data.as_ref().map(quoted), Feature::ExternalData),
            ("cardinality", cardinality.as_ref().map(ToString::to_string), Feature::Cardinality),
        ] {
            let accepted = given.is_none() || has(feature);
            require(setting, given.unwrap_or_default(), accepted, feature.requirement())?;
        }
        require("pack_values", "true", !pack_values || !is_stream, "datagrams")?;
        for (setting, text) in [("container_id", container_id), ("external_data", external_data)] {
            if let Some(text) = text {
                require(setting, quoted(text), is_origin_field(text), ORIGIN_FIELD)?;
            }
        }
        let bare =
            Scope::new(dialect, version, prefix, type_prefixes, &origin, !sampling.is_empty());
        let (scope, warnings) = with_tags(&bare, &tags, dialect, max_line)?;
        Ok(ValidatedDialect { scope, sampling, pack_values, warnings })
    }
}

/// Adds the tags to the scope `bare` in their order, and returns warnings about those left out: tags of
/// environment variables that leave too little space for calls. The tags of the application come
/// first when space is shared out.
///
/// # Errors
/// A tag is invalid, or the tags of the application leave too little space.
fn with_tags(
    bare: &Scope,
    tags: &[Tag],
    dialect: Dialect,
    max_line: usize,
) -> Result<(Scope, Vec<String>), BuildError> {
    let space = max_line.saturating_sub(MIN_SPACE_FOR_CALLS);
    let mut own = bare.clone();
    for tag in tags.iter().filter(|tag| tag.variable.is_none()) {
        own = tag.add_to(&own, dialect)?;
        require("tag", quoted(&tag.key), own.shared_len() <= space, LEAVES_SPACE)?;
    }
    let mut left = space.saturating_sub(own.shared_len());
    let (mut scope, mut left_out) = (bare.clone(), Vec::<(&Tag, &str, usize)>::new());
    for tag in tags {
        let with_tag = tag.add_to(&scope, dialect)?;
        if let Some(variable) = tag.variable {
            let len = with_tag.shared_len() - scope.shared_len();
            if len > left {
                match left_out.last_mut() {
                    Some((_, last, count)) if *last == variable => *count += 1,
                    _ => left_out.push((tag, variable, 1)),
                }
                continue;
            }
            left -= len;
        }
        scope = with_tag;
    }
    let warnings = left_out.iter().map(|(first, variable, count)| {
        let first = quoted(&first.key);
        format!("{variable}: {count} tags, first {first}, are left out: expected {LEAVES_SPACE}")
    });
    Ok((scope, warnings.collect()))
}

impl Tag {
    /// Returns the name of the tag's source for an error message.
    fn setting(&self) -> &'static str {
        self.variable.unwrap_or("tag")
    }

    fn add_to(&self, scope: &Scope, dialect: Dialect) -> Result<Scope, BuildError> {
        let Self { key, value, .. } = self;
        let given = || {
            let value = value.iter().map(|value| format!(", {}", quoted(value)));
            value.fold(quoted(key), |given, value| given + &value)
        };
        require(self.setting(), given(), scope.has_tags(), "a dialect with tags")?;
        let rules = dialect.rules();
        let is_key = !key.is_empty() && !key.chars().any(|c| rules.key.forbids(c));
        let is_value =
            |text: &str| !text.is_empty() && !text.chars().any(|c| rules.value.forbids(c));
        let Some(value) = value else {
            let accepted = dialect.has_bare_tags() && is_value(key);
            require(self.setting(), given(), accepted, "a key and a value")?;
            return Ok(scope.with_bare_tag(key));
        };
        let expected = "a key and a value without what the dialect forbids, and not empty";
        require(self.setting(), given(), is_key && is_value(value), expected)?;
        Ok(scope.with_tag(key, value))
    }
}

/// Minimum space in bytes that the builder's tags leave in a line of maximum length, for the names,
/// values and tags of single calls.
const MIN_SPACE_FOR_CALLS: usize = 256;

const LEAVES_SPACE: &str = "tags that leave 256 bytes of the longest line for calls";

/// Maximum length in bytes of an origin field: the container's identifier, or the external data.
pub(crate) const MAX_ORIGIN_FIELD: usize = 256;

const ORIGIN_FIELD: &str = "1 to 256 bytes without `|` or a control character";

fn is_origin_field(text: &str) -> bool {
    (1..=MAX_ORIGIN_FIELD).contains(&text.len())
        && !text.contains(|c: char| c == '|' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Connector;

    /// Adds tags of variables, of which some would leave too little space for calls. These must be left
    /// out, with a warning that names their variable, and the others must not. An application's tag
    /// that leaves too little space is an error, whatever the variables hold.
    #[test]
    fn a_tag_of_a_variable_that_leaves_no_space_is_left_out() {
        let add = |builder: Builder, variable, key: &str, value: &str| {
            builder.tag_of_variable(variable, key.to_owned(), Some(value.to_owned()))
        };
        let long = "x".repeat(5000);
        let builder = Connector::builder("agent").dialect(Dialect::DogStatsD);
        let builder = add(builder, "DD_ENV", "env", "prod");
        let builder = add(builder, "DD_TAGS", "a", &long);
        let builder = add(add(builder, "DD_TAGS", "b", &long), "DD_TAGS", "c", &long);
        let builder = add(builder, "DD_TAGS", "d", "e").tag("own", "z".repeat(2000));
        let options = builder.clone().dialect_options;
        let ValidatedDialect { scope, warnings, .. } =
            options.validate("", false, false, 8192).expect("the tags are valid");
        let expected = format!("env:prod,a:{long},d:e,own:{}", "z".repeat(2000));
        assert_eq!(scope.dogstatsd_fields().expect("DogStatsD").0, expected);
        let expected =
            format!(r#"DD_TAGS: 2 tags, first "b", are left out: expected {LEAVES_SPACE}"#);
        assert_eq!(warnings, [expected]);
        assert!(builder.clone().build().is_ok());
        let refused = builder.tag("own", "z".repeat(6000)).build().expect_err("no space is left");
        assert_eq!((refused.setting(), refused.expected()), ("tag", LEAVES_SPACE));
    }
}

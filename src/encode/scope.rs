//! Scopes, which hold the dialect, prefixes and tags that all lines of a connector (the client
//! handle) share, rendered in advance.

use super::accepted_numbers::AcceptedNumbers;
use super::chunked_text::ChunkedText;
use super::line_format::{LineFormat, leading_text};
use super::line_writer::{LineWriter, Unclean, render};
use super::metric_type::{MetricType, TypeSet};
use super::properties::{CharacterRules, Properties, TagSyntax};
use super::sanitize::{CharacterRule, sanitized};
use super::short_text::ShortText;
use super::tags::TagFormat;
use crate::options::{Cardinality, Dialect, DogStatsDVersion, Feature};

/// Fields at the end of each DogStatsD line that identify the sender.
///
/// They are validated: none of them contains a character that ends a field.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginFields {
    pub(crate) container_id: Option<String>,
    pub(crate) external_data: Option<String>,
    pub(crate) cardinality: Option<Cardinality>,
}

impl OriginFields {
    /// Returns the end of a line: the rendered origin fields, and the newline.
    fn render(&self) -> String {
        let fields = [
            ("|c:", self.container_id.as_deref()),
            ("|e:", self.external_data.as_deref()),
            ("|card:", self.cardinality.map(Cardinality::as_str)),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some([name, value?]));
        fields.flatten().chain(["\n"]).collect()
    }
}

/// Dialect, prefixes and tags that all lines of one connector (a client handle) share. Adding a tag
/// or a prefix to a connector creates a new scope.
#[derive(Clone)]
pub(crate) struct Scope {
    dialect: Dialect,
    version: DogStatsDVersion,
    has_events: bool,
    /// True if the configuration sets sample rates by patterns of metric names.
    is_sampled: bool,
    /// Precomputed parts of lines, one item for each metric type.
    formats: [LineFormat; MetricType::ALL.len()],
    /// Text before the path in lines of `Connector::inject_metric`: the prefixes, without a prefix
    /// for the metric type.
    untyped_head: ChunkedText,
    /// Prefixes that `Connector::scoped` added after the builder's prefix, each followed by a dot.
    path: String,
    /// Metric types that the dialect supports.
    types: TypeSet,
    /// Metric types for which the sample rate must be 1/n, for an integer n, since servers misread
    /// other rates.
    one_in_n: TypeSet,
    /// Format of the tags that a single call adds to a line, or `None` if the dialect has no tags.
    pub(super) tag_format: Option<TagFormat>,
    pub(crate) rules: CharacterRules,
    /// Rendered tags of the connector, with the text that begins the list of tags. The tags of a
    /// call follow this text.
    pub(super) tags: ChunkedText,
    /// True if tags are at the end of a line, after the type and the sample rate. False if tags
    /// directly follow the metric name.
    pub(super) tags_at_end: bool,
    /// Text at the end of a line, after all fields that a call may add: the origin fields and the
    /// newline.
    pub(super) end: ChunkedText,
    /// Text at the end of a line without the field `|card:`, for calls that set a cardinality
    /// themselves.
    pub(super) end_without_cardinality: ChunkedText,
    /// True if sanitizing altered a prefix or a tag. All lines of the connector then count as
    /// altered.
    pub(super) altered: bool,
    path_altered: bool,
    tags_altered: bool,
    /// True if a tag was added in a dialect without tags. All lines of the connector are then
    /// dropped and counted as unsupported.
    has_unsupported_tags: bool,
}

impl Scope {
    /// Creates the scope (the dialect, prefixes and tags) of a new connector. The caller has
    /// validated `prefix`. `is_sampled` is true if the configuration sets sample rates by patterns
    /// of metric names.
    pub(crate) fn new(
        dialect: Dialect,
        version: DogStatsDVersion,
        prefix: &str,
        type_prefixes: bool,
        origin: &OriginFields,
        is_sampled: bool,
    ) -> Self {
        let Properties { types, one_in_n, has_events, tags: syntax, rules, .. } =
            dialect.properties();
        let format = |index: usize| {
            let type_prefix = if type_prefixes { MetricType::ALL[index].prefix() } else { "" };
            LineFormat::new(ChunkedText::head(prefix, type_prefix), dialect)
        };
        let end = |origin: &OriginFields| ChunkedText::new(origin.render().as_bytes());
        let mut scope = Self {
            dialect,
            version,
            has_events,
            is_sampled,
            formats: std::array::from_fn(format),
            untyped_head: ChunkedText::head(prefix, ""),
            path: String::new(),
            types,
            one_in_n,
            tag_format: syntax.map(|syntax| TagFormat { syntax, rules }),
            rules,
            tags: ChunkedText::default(),
            tags_at_end: syntax.is_some_and(|syntax| syntax.at_end),
            end: end(origin),
            end_without_cardinality: end(&OriginFields { cardinality: None, ..origin.clone() }),
            altered: false,
            path_altered: false,
            tags_altered: false,
            has_unsupported_tags: false,
        };
        scope.render_formats();
        scope
    }

    /// Renders the format of each metric type (the text that all its lines share) again, after a
    /// change of the tags or the prefixes.
    fn render_formats(&mut self) {
        let mut tags = self.tags.to_vec();
        if let Some(format) = self.tag_format.filter(|_| !tags.is_empty()) {
            tags.extend_from_slice(format.syntax.closing.as_bytes());
        }
        let end = self.end.to_vec();
        let (after_name, at_end) = if self.tags_at_end { (vec![], tags) } else { (tags, vec![]) };
        for metric_type in MetricType::ALL {
            let is_direct = !self.is_sampled && self.supports(metric_type);
            let is_plain = is_direct
                && !self.altered
                && self.accepted_numbers(metric_type) == AcceptedNumbers::All
                && self.rules.name == CharacterRule::PlainName
                && after_name.is_empty();
            let format = &mut self.formats[metric_type as usize];
            format.after_name = ChunkedText::new(&after_name);
            format.tail = ChunkedText::concat(&[metric_type.field().as_bytes(), &at_end, &end]);
            format.len = format.head.len() + after_name.len() + ":".len() + format.tail.len();
            format.is_misreadable = self.has_events && format.head.is_empty();
            format.is_altered = self.altered;
            format.is_plain = is_plain && format.head.is_short() && format.tail.is_short();
            format.is_direct = is_direct;
        }
    }

    /// Returns a copy of the scope (the dialect, prefixes and tags of a connector) with one more
    /// tag.
    pub(crate) fn with_tag(&self, key: &str, value: &str) -> Self {
        self.with_rendered_tag(key.len() + value.len(), |format, writer| {
            format.put(true, key, value, writer)
        })
    }

    /// Returns a copy of the scope (the dialect, prefixes and tags of a connector) with one more
    /// tag, which has no value.
    pub(crate) fn with_bare_tag(&self, tag: &str) -> Self {
        self.with_rendered_tag(tag.len(), |format, writer| format.put_bare(true, tag, writer))
    }

    /// Returns a copy of the scope (the dialect, prefixes and tags of a connector) with one more
    /// tag, which the function `put` writes. `len` is the total length of the tag's key and value
    /// in bytes.
    fn with_rendered_tag(
        &self,
        len: usize,
        put: impl FnOnce(&TagFormat, &mut LineWriter<'_, true>) -> Result<(), Unclean>,
    ) -> Self {
        let mut scope = self.clone();
        if let Some(format) = &mut scope.tag_format {
            // The opening, the assignment, and `_` for an empty key and an empty value.
            let (tag, altered) =
                render(len + ShortText::CAPACITY + 3, |writer| put(format, writer));
            scope.tags_altered |= altered;
            scope.altered |= altered;
            scope.tags = scope.tags.followed_by(&tag.to_vec());
            format.syntax = TagSyntax { opening: format.syntax.separator, ..format.syntax };
        } else {
            scope.has_unsupported_tags = true;
        }
        scope.render_formats();
        scope
    }

    /// Returns a copy of the scope (the dialect, prefixes and tags of a connector) that also puts
    /// `prefix` and a dot before all metric names.
    pub(crate) fn with_prefix(&self, prefix: &str) -> Self {
        let mut scope = self.clone();
        let given = prefix.trim_matches('.');
        if given.is_empty() {
            return scope;
        }
        let prefix = sanitized(self.rules.name, given);
        // Returns true if the prefix was altered.
        let extend = |head: &mut ChunkedText| {
            let leading =
                if head.is_empty() { self.leading(&prefix, self.rules.name) } else { &prefix };
            *head = head.followed_by(format!("{leading}.").as_bytes());
            leading != given
        };
        // Of two heads one may begin with the prefix, and the other with a type's prefix.
        scope.path_altered |= extend(&mut scope.untyped_head);
        for format in &mut scope.formats {
            scope.altered |= extend(&mut format.head);
        }
        scope.path = format!("{}{prefix}.", self.path);
        scope.render_formats();
        scope
    }

    /// Returns the path of a line of `Connector::inject_metric`. Omits a first character that would
    /// make DogStatsD servers read the line as an event or a service check.
    pub(crate) fn leading_path<'a>(&self, path: &'a str) -> &'a str {
        self.leading(path, CharacterRule::Field)
    }

    fn leading<'a>(&self, text: &'a str, rule: CharacterRule) -> &'a str {
        if self.has_events { leading_text(text, rule) } else { text }
    }

    /// Returns the precomputed parts of the lines of this metric type.
    #[inline(always)]
    pub(crate) fn format(&self, metric_type: MetricType) -> &LineFormat {
        &self.formats[metric_type as usize]
    }

    /// Returns the maximum number of bytes that the prefixes, tags and origin fields of the
    /// connector add to a line.
    pub(crate) fn shared_len(&self) -> usize {
        let longest_head = self.formats.iter().map(|format| format.head.len()).max().unwrap_or(0);
        longest_head + self.tags.len() + self.end.len()
    }

    /// Returns the text before the path in lines of `Connector::inject_metric`: the prefixes,
    /// without a prefix for the metric type.
    pub(crate) fn untyped_head(&self) -> &ChunkedText {
        &self.untyped_head
    }

    /// Returns true if lines of this metric type can be sent: the dialect supports both the type
    /// and the tags of the connector.
    #[inline(always)]
    pub(crate) fn supports(&self, metric_type: MetricType) -> bool {
        self.types.contains(metric_type) && !self.has_unsupported_tags
    }

    /// Returns true if the sample rate for this metric type must be 1/n, for an integer n, since
    /// servers misread other rates.
    #[inline(always)]
    pub(crate) fn samples_one_in_n(&self, metric_type: MetricType) -> bool {
        self.one_in_n.contains(metric_type)
    }

    /// Returns the binary logarithm of the maximum weight of a line of a thinned metric.
    pub(crate) fn max_thinning_level(&self) -> u32 {
        self.dialect.max_thinning_level()
    }

    /// Returns the set of numbers that servers of the dialect read correctly as values of the
    /// metric type.
    #[inline(always)]
    pub(crate) fn accepted_numbers(&self, metric_type: MetricType) -> AcceptedNumbers {
        self.dialect.accepted_numbers(metric_type)
    }

    /// Returns true if the dialect supports the metric type. Unlike the result of `supports`, this
    /// result does not depend on the connector's tags.
    pub(crate) fn dialect_supports(&self, metric_type: MetricType) -> bool {
        self.types.contains(metric_type)
    }

    pub(crate) fn has_tags(&self) -> bool {
        self.tag_format.is_some()
    }

    /// Returns the connector's tags without the leading `|#`, and its origin fields, for use in
    /// events and service checks. Returns `None` in dialects without events.
    pub(crate) fn dogstatsd_fields(&self) -> Option<(String, String)> {
        let text = |text: &ChunkedText| String::from_utf8(text.to_vec()).ok();
        let (tags, end) = (text(&self.tags)?, text(&self.end)?);
        let (tags, end) = (tags.trim_start_matches("|#"), end.trim_end_matches('\n'));
        self.has_events.then(|| (tags.to_owned(), end.to_owned()))
    }

    pub(crate) fn are_tags_altered(&self) -> bool {
        self.tags_altered
    }

    pub(crate) fn is_path_altered(&self) -> bool {
        self.path_altered
    }

    /// Returns true if a tag was added to the connector although its dialect has no tags.
    pub(crate) fn has_unsupported_tags(&self) -> bool {
        self.has_unsupported_tags
    }

    /// Returns true if servers of the dialect add a signed value, such as `+1`, to a gauge instead
    /// of setting the gauge.
    #[inline(always)]
    pub(crate) fn has_gauge_deltas(&self) -> bool {
        self.dialect.has_gauge_deltas()
    }

    #[inline(always)]
    pub(crate) fn has_timestamps(&self) -> bool {
        Feature::Timestamps.is_supported(self.dialect, self.version)
    }

    #[inline(always)]
    pub(crate) fn has_cardinality(&self) -> bool {
        Feature::Cardinality.is_supported(self.dialect, self.version)
    }

    /// Returns the prefixes that `Connector::scoped` added after the builder's prefix, each
    /// followed by a dot.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_plain_unless_calls_need_checks() {
        let (version, origin) = (DogStatsDVersion::default(), OriginFields::default());
        for &dialect in Dialect::ALL {
            let is_plain = |scope: &Scope| scope.format(MetricType::Counter).is_plain;
            let new = |is_sampled| Scope::new(dialect, version, "", true, &origin, is_sampled);
            let scope = new(false);
            let expected =
                matches!(dialect, Dialect::StatsD | Dialect::Extended | Dialect::DogStatsD);
            assert_eq!(is_plain(&scope), expected, "{dialect}");
            assert_eq!(is_plain(&scope.with_prefix("a")), expected, "{dialect}");
            assert!(!is_plain(&scope.with_prefix("\n")), "{dialect}");
            assert!(!is_plain(&new(true)), "{dialect}");
            let tagged = scope.with_tag("k", "v");
            assert_eq!(is_plain(&tagged), dialect == Dialect::DogStatsD, "{dialect}");
            assert!(!is_plain(&scope.with_tag("k", "\n")), "{dialect}");
            assert!(
                !scope.format(MetricType::Distribution).is_plain || dialect == Dialect::DogStatsD
            );
        }
    }

    #[test]
    fn origin_fields_end_the_line() {
        assert_eq!(OriginFields::default().render(), "\n");
        let origin = OriginFields {
            container_id: Some("ci-1".to_owned()),
            external_data: Some("it-x".to_owned()),
            cardinality: Some(Cardinality::Low),
        };
        assert_eq!(origin.render(), "|c:ci-1|e:it-x|card:low\n");
    }
}

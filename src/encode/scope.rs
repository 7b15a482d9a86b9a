//! Scopes: the dialect, prefixes and tags that all lines of a connector share, rendered in advance.

use super::accepted_numbers::AcceptedNumbers;
use super::cardinality::Cardinality;
use super::chunked_text::ChunkedText;
use super::dialect::Dialect;
use super::dogstatsd_version::{DogStatsDVersion, Feature};
use super::line_writer::LineWriter;
use super::metric_type::{MetricType, TypeSet};
use super::properties::{CharacterRules, Properties, TagSyntax};
use super::sanitize::{CharacterRule, sanitized};
use super::tags::TagFormat;
use crate::handoff::MARGIN;

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
    /// Renders the fields and the newline that end a line.
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

/// Format of the lines of one connector. Adding a tag or a prefix to a connector creates a new scope.
#[derive(Clone)]
pub(crate) struct Scope {
    dialect: Dialect,
    version: DogStatsDVersion,
    has_events: bool,
    /// The text before the name: one head for each metric type, and one for lines without a type.
    heads: [ChunkedText; MetricType::ALL.len() + 1],
    /// Prefixes added after the builder's prefix, each followed by a dot.
    path: String,
    /// Metric types that the dialect supports.
    types: TypeSet,
    /// Metric types whose sampled lines are sent as one in n, for an integer n.
    one_in_n: TypeSet,
    /// Format of the tags of calls, or `None` if the dialect has no tags.
    pub(super) tag_format: Option<TagFormat>,
    pub(super) rules: CharacterRules,
    /// Tags of the connector, with everything before the tags of a call.
    pub(super) tags: ChunkedText,
    /// True if tags follow the type and the rate, false if they follow the name.
    pub(super) tags_at_end: bool,
    /// Origin fields and the newline: they follow all fields that a call may add.
    pub(super) end: ChunkedText,
    /// The same end without the cardinality, for calls with a cardinality of their own.
    pub(super) end_without_cardinality: ChunkedText,
    /// True if a prefix or a tag was altered. Then every line is counted as altered.
    pub(super) altered: bool,
    path_altered: bool,
    tags_altered: bool,
    /// True if a tag was added in a dialect without tags. Then every line is unsupported.
    has_unsupported_tags: bool,
}

impl Scope {
    /// Creates the scope of a connector. The prefix has been validated.
    pub(crate) fn new(
        dialect: Dialect,
        version: DogStatsDVersion,
        prefix: &str,
        type_prefixes: bool,
        origin: &OriginFields,
    ) -> Self {
        let Properties { types, one_in_n, has_events, tags: syntax, rules, .. } =
            dialect.properties();
        let head = |index| {
            let metric_type: Option<&MetricType> = MetricType::ALL.get(index);
            let type_prefix = metric_type.filter(|_| type_prefixes).map_or("", |t| t.prefix());
            ChunkedText::head(prefix, type_prefix)
        };
        let end = |origin: &OriginFields| ChunkedText::new(origin.render().as_bytes());
        Self {
            dialect,
            version,
            has_events,
            heads: std::array::from_fn(head),
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
        }
    }

    /// Returns the scope with one more tag.
    pub(crate) fn with_tag(&self, key: &str, value: &str) -> Self {
        self.with_rendered_tag(key.len() + value.len(), |format, writer| {
            format.put_sanitized(true, key, value, writer)
        })
    }

    /// Returns the scope with one more tag, which has no value.
    pub(crate) fn with_bare_tag(&self, tag: &str) -> Self {
        self.with_rendered_tag(tag.len(), |format, writer| {
            format.put_sanitized_bare(true, tag, writer)
        })
    }

    /// Adds a tag that `put` writes. `put` returns true if it altered the tag.
    fn with_rendered_tag(
        &self,
        len: usize,
        put: impl FnOnce(&TagFormat, &mut LineWriter<'_>) -> bool,
    ) -> Self {
        let mut scope = self.clone();
        let Some(format) = &mut scope.tag_format else {
            scope.has_unsupported_tags = true;
            return scope;
        };
        let mut space = vec![0; len + 2 * MARGIN];
        let capacity = space.len();
        let mut writer = LineWriter::new(&mut space);
        scope.tags_altered |= put(format, &mut writer);
        scope.altered |= scope.tags_altered;
        let used = capacity - writer.remaining();
        scope.tags = scope.tags.followed_by(&space[..used]);
        format.syntax = TagSyntax { opening: format.syntax.separator, ..format.syntax };
        scope
    }

    /// Returns the scope with `prefix.` before all names.
    pub(crate) fn with_prefix(&self, prefix: &str) -> Self {
        let mut scope = self.clone();
        let given = prefix.trim_matches('.');
        if given.is_empty() {
            return scope;
        }
        let prefix = sanitized(self.rules.name, given);
        scope.path_altered |= prefix != given;
        for head in &mut scope.heads {
            let skipped = if head.is_empty() { self.misread_len(&prefix) } else { 0 };
            scope.path_altered |= skipped > 0;
            *head = head.followed_by(format!("{}.", &prefix[skipped..]).as_bytes());
        }
        scope.altered |= scope.path_altered;
        scope.path = format!("{}{prefix}.", self.path);
        scope
    }

    /// Returns the number of bytes to omit from the beginning of a line, so that servers do not read
    /// the line as an event or a service check: 1 or 0.
    pub(super) fn misread_len(&self, text: &str) -> usize {
        let is_misread = text.starts_with("_sc") || text.starts_with("_e{");
        usize::from(self.has_events && is_misread)
    }

    /// Returns the part of a name that can begin a line, before or after the name is sanitized.
    pub(super) fn leading_name<'a>(&self, name: &'a str) -> &'a str {
        self.leading_text(name, self.rules.name)
    }

    /// Returns the part of an injected path that can begin a line.
    pub(crate) fn leading_path<'a>(&self, path: &'a str) -> &'a str {
        self.leading_text(path, CharacterRule::Field)
    }

    /// Omits the first character of a text that servers would read as an event or a service check.
    /// This includes a forbidden character, which sanitizing replaces by `_`.
    fn leading_text<'a>(&self, text: &'a str, rule: CharacterRule) -> &'a str {
        let mut characters = text.chars();
        let first = characters.next();
        let is_underscore = first.is_some_and(|c| c == '_' || rule.forbids(c));
        let rest = characters.as_str();
        let is_misread = is_underscore && (rest.starts_with("sc") || rest.starts_with("e{"));
        if is_misread && self.has_events { rest } else { text }
    }

    /// Returns the text before the names of this type.
    #[inline(always)]
    pub(crate) fn head(&self, metric_type: MetricType) -> &ChunkedText {
        &self.heads[metric_type as usize]
    }

    /// Returns the maximum number of bytes that the scope adds to each line.
    pub(crate) fn shared_len(&self) -> usize {
        let longest_head = self.heads.iter().map(ChunkedText::len).max().unwrap_or(0);
        longest_head + self.tags.len() + self.end.len()
    }

    /// Returns the text before the names of lines without a known type.
    pub(crate) fn untyped_head(&self) -> &ChunkedText {
        &self.heads[MetricType::ALL.len()]
    }

    /// Returns true if lines of this type can be sent: the dialect has the type, and the scope has
    /// no unsupported tags.
    #[inline(always)]
    pub(crate) fn supports(&self, metric_type: MetricType) -> bool {
        self.types.contains(metric_type) && !self.has_unsupported_tags
    }

    /// Returns true if sampled lines of this type are sent as one in n, for an integer n.
    #[inline(always)]
    pub(crate) fn samples_one_in_n(&self, metric_type: MetricType) -> bool {
        self.one_in_n.contains(metric_type)
    }

    /// Returns the numbers that the servers read correctly, as values of this type.
    #[inline(always)]
    pub(crate) fn accepted_numbers(&self, metric_type: MetricType) -> AcceptedNumbers {
        self.dialect.accepted_numbers(metric_type)
    }

    /// Returns true if the dialect has the type. Ignores the tags of the scope.
    pub(crate) fn dialect_supports(&self, metric_type: MetricType) -> bool {
        self.types.contains(metric_type)
    }

    pub(crate) fn has_tags(&self) -> bool {
        self.tag_format.is_some()
    }

    /// Returns the tags without their opening, and the origin fields, for events and service
    /// checks. Returns `None` in dialects without these.
    pub(crate) fn dogstatsd_fields(&self) -> Option<(&str, &str)> {
        let text = |text| str::from_utf8(ChunkedText::bytes(text)).ok();
        let (tags, end) = (text(&self.tags)?, text(&self.end)?);
        self.has_events.then(|| (tags.trim_start_matches("|#"), end.trim_end_matches('\n')))
    }

    pub(crate) fn are_tags_altered(&self) -> bool {
        self.tags_altered
    }

    pub(crate) fn is_path_altered(&self) -> bool {
        self.path_altered
    }

    /// Returns true if a tag was added in a dialect without tags.
    pub(crate) fn has_unsupported_tags(&self) -> bool {
        self.has_unsupported_tags
    }

    /// Returns true if a signed value changes a gauge instead of setting it.
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

    /// Returns the prefixes that were added after the builder's, each with a dot.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns true if the calls of [`Connector`](crate::Connector) can write lines as a
    /// [`Line`](super::Line): a head, a name, a value and a type, without further checks.
    pub(crate) fn allows_fast_path(&self) -> bool {
        const TYPES: [MetricType; 3] = [MetricType::Counter, MetricType::Gauge, MetricType::Timing];
        let accepts_all = |metric_type| {
            self.supports(metric_type) && self.accepted_numbers(metric_type) == AcceptedNumbers::All
        };
        TYPES.into_iter().all(accepts_all)
            && !self.has_tags()
            && !self.has_events
            && self.has_gauge_deltas()
            && self.rules.name == CharacterRule::PlainName
            && self.end.bytes() == b"\n"
            && !self.altered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dialects_without_tags_allow_the_fast_path() {
        for &dialect in Dialect::ALL {
            let (version, origin) = (DogStatsDVersion::default(), OriginFields::default());
            let scope = Scope::new(dialect, version, "", true, &origin);
            let is_plain = matches!(dialect, Dialect::StatsD | Dialect::Extended);
            assert_eq!(scope.allows_fast_path(), is_plain, "{dialect}");
            assert_eq!(scope.with_prefix("a").allows_fast_path(), is_plain, "{dialect}");
            assert!(!scope.with_prefix("\n").allows_fast_path(), "{dialect}");
            assert!(!scope.with_tag("k", "v").allows_fast_path(), "{dialect}");
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

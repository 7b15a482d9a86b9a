//! Scopes: what the lines of a connector have in common, rendered.

use super::chunked_text::ChunkedText;
use super::clean::{CharacterRule, cleaned};
use super::dialect::{
    AcceptedNumbers, Cardinality, CharacterRules, Dialect, DogStatsDVersion, MetricType, TagSyntax,
};
use super::line_writer::LineWriter;
use super::tags::TagFormat;
use crate::handoff::MARGIN;

/// What the fields at the end of each line in DogStatsD say of the sender. Checked: they hold
/// nothing that ends a field.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginFields {
    pub(crate) container_id: Option<String>,
    pub(crate) external_data: Option<String>,
    pub(crate) cardinality: Option<Cardinality>,
}

/// How the lines of one connector look. Those made from it by adding a tag or a prefix have
/// their own.
#[derive(Clone)]
pub(crate) struct Scope {
    dialect: Dialect,
    version: DogStatsDVersion,
    /// One for each type; for what has none, the last.
    heads: [ChunkedText; MetricType::ALL.len() + 1],
    /// What the names of its calls begin with, as far as it was not set by the builder.
    path: String,
    /// As the type is needed for each line, told by bits.
    types: u8,
    /// Of which types sampled lines are one in a whole number, told by bits.
    whole: u8,
    pub(super) writer: Option<TagFormat>,
    pub(super) rules: CharacterRules,
    pub(super) tags: ChunkedText,
    pub(super) tags_last: bool,
    /// From behind the last field that a call may add, with the newline.
    pub(super) end: ChunkedText,
    /// The same for calls that say a cardinality of their own.
    pub(super) end_without_cardinality: ChunkedText,
    /// Some of it was altered to be safe, which is said of every line.
    pub(super) altered: bool,
    /// Among it are the names' prefixes.
    path_altered: bool,
    /// Among it are the tags.
    tags_altered: bool,
    /// It has a tag in a dialect without tags: none of its lines can be.
    unsupported_tags: bool,
}

impl Scope {
    /// The prefix is checked.
    pub(crate) fn new(
        dialect: Dialect,
        version: DogStatsDVersion,
        prefix: &str,
        type_prefixes: bool,
        origin: &OriginFields,
    ) -> Self {
        let head = |kind| ChunkedText::head(prefix, if type_prefixes { kind } else { "" });
        let bits = |is: &dyn Fn(MetricType) -> bool| {
            MetricType::ALL.into_iter().map(|kind| u8::from(is(kind)) << kind as u8).sum()
        };
        let syntax = dialect.tags();
        let rules = dialect.rules();
        let end = |cardinality: Option<Cardinality>| {
            let mut text = String::new();
            let fields = [
                ("|c:", origin.container_id.as_deref()),
                ("|e:", origin.external_data.as_deref()),
                ("|card:", cardinality.map(Cardinality::as_str)),
            ];
            for (begin, field) in fields {
                text.extend(field.into_iter().flat_map(|field| [begin, field]));
            }
            text.push('\n');
            ChunkedText::new(text.as_bytes())
        };
        Self {
            dialect,
            version,
            heads: std::array::from_fn(|at| {
                head(MetricType::ALL.get(at).map_or("", |t| t.prefix()))
            }),
            path: String::new(),
            types: bits(&|kind| dialect.supports(kind)),
            whole: bits(&|kind| dialect.samples_one_in_n(kind)),
            writer: syntax.map(|syntax| TagFormat { syntax, rules }),
            rules,
            tags: ChunkedText::default(),
            tags_last: syntax.is_some_and(|syntax| syntax.last),
            end: end(origin.cardinality),
            end_without_cardinality: end(None),
            altered: false,
            path_altered: false,
            tags_altered: false,
            unsupported_tags: false,
        }
    }

    /// With one tag more.
    pub(crate) fn with_tag(&self, key: &str, value: &str) -> Self {
        self.with_more_tags(key.len() + value.len(), |writer, text| {
            writer.put_cleaned(true, key, value, text)
        })
    }

    /// With one tag more that is no key and value, as it is.
    pub(crate) fn with_bare_tag(&self, tag: &str) -> Self {
        self.with_more_tags(tag.len(), |writer, text| writer.put_cleaned_bare(true, tag, text))
    }

    /// `put` says whether it altered anything.
    fn with_more_tags(
        &self,
        len: usize,
        put: impl FnOnce(&TagFormat, &mut LineWriter<'_>) -> bool,
    ) -> Self {
        let mut scope = self.clone();
        let Some(writer) = &mut scope.writer else {
            scope.unsupported_tags = true;
            return scope;
        };
        let mut space = vec![0; len + 2 * MARGIN];
        let room = space.len();
        let mut text = LineWriter::new(&mut space);
        scope.tags_altered |= put(writer, &mut text);
        scope.altered |= scope.tags_altered;
        let used = room - text.left();
        scope.tags = scope.tags.followed_by(&space[..used]);
        writer.syntax = TagSyntax { first: writer.syntax.next, ..writer.syntax };
        scope
    }

    /// With `prefix.` before all names.
    pub(crate) fn with_prefix(&self, prefix: &str) -> Self {
        let mut scope = self.clone();
        let given = prefix.trim_matches('.');
        if given.is_empty() {
            return scope;
        }
        let prefix = cleaned(self.rules.name, given);
        scope.path_altered |= prefix != given;
        for head in &mut scope.heads {
            let skipped = if head.is_empty() { self.skipped(&prefix) } else { 0 };
            scope.path_altered |= skipped > 0;
            *head = head.followed_by(format!("{}.", &prefix[skipped..]).as_bytes());
        }
        scope.altered |= scope.path_altered;
        scope.path = format!("{}{prefix}.", self.path);
        scope
    }

    /// How much of a line's first text has to be left out, so that DogStatsD does not take the line
    /// for an event or a service check.
    pub(crate) fn skipped(&self, text: &str) -> usize {
        let misread = text.starts_with("_sc") || text.starts_with("_e{");
        usize::from(self.dialect == Dialect::DogStatsD && misread)
    }

    /// As much of a name as can begin a line, which is clean or will be made so. That its first
    /// character is forbidden and becomes `_` can make it one that would be misread, too.
    pub(crate) fn first_name<'a>(&self, name: &'a str) -> &'a str {
        self.first_text(name, self.rules.name)
    }

    /// The same of a path that is injected.
    pub(crate) fn leading_path<'a>(&self, path: &'a str) -> &'a str {
        self.first_text(path, CharacterRule::Field)
    }

    fn first_text<'a>(&self, name: &'a str, rule: CharacterRule) -> &'a str {
        let mut characters = name.chars();
        let first = characters.next();
        let is_underscore = first.is_some_and(|c| c == '_' || rule.forbids(c));
        let rest = characters.as_str();
        let misread = is_underscore && (rest.starts_with("sc") || rest.starts_with("e{"));
        if misread && self.dialect == Dialect::DogStatsD { rest } else { name }
    }

    #[inline(always)]
    pub(crate) fn head(&self, kind: MetricType) -> &ChunkedText {
        &self.heads[kind as usize]
    }

    /// For what has no type.
    pub(crate) fn untyped_head(&self) -> &ChunkedText {
        &self.heads[MetricType::ALL.len()]
    }

    /// Whether there can be lines of this type.
    #[inline(always)]
    pub(crate) fn supports(&self, kind: MetricType) -> bool {
        self.types >> kind as u8 & 1 == 1 && !self.unsupported_tags
    }

    /// Whether sampled lines of this type are one in a whole number of lines.
    #[inline(always)]
    pub(crate) fn samples_one_in_n(&self, kind: MetricType) -> bool {
        self.whole >> kind as u8 & 1 == 1
    }

    /// Which numbers of this type there can be.
    #[inline(always)]
    pub(crate) fn accepted_numbers(&self, kind: MetricType) -> AcceptedNumbers {
        self.dialect.accepted_numbers(kind)
    }

    pub(crate) fn dialect_supports(&self, kind: MetricType) -> bool {
        self.dialect.supports(kind)
    }

    pub(crate) fn has_tags(&self) -> bool {
        self.writer.is_some()
    }

    /// What stands on events and service checks too: the tags without what begins them, and the fields
    /// behind them. None in other dialects.
    pub(crate) fn dogstatsd_fields(&self) -> Option<(&str, &str)> {
        let text = |rendered| str::from_utf8(ChunkedText::bytes(rendered)).ok();
        let (tags, end) = (text(&self.tags)?, text(&self.end)?);
        let is_dogstatsd = self.dialect == Dialect::DogStatsD;
        is_dogstatsd.then(|| (tags.trim_start_matches("|#"), end.trim_end_matches('\n')))
    }

    pub(crate) fn are_tags_altered(&self) -> bool {
        self.tags_altered
    }

    pub(crate) fn is_path_altered(&self) -> bool {
        self.path_altered
    }

    /// Whether it was given a tag that cannot be said.
    pub(crate) fn has_unsupported_tags(&self) -> bool {
        self.unsupported_tags
    }

    /// Whether a gauge's value with a sign changes it.
    #[inline(always)]
    pub(crate) fn has_gauge_deltas(&self) -> bool {
        self.dialect.has_gauge_deltas()
    }

    #[inline(always)]
    pub(crate) fn has_timestamps(&self) -> bool {
        self.is_dogstatsd(DogStatsDVersion::V1_3)
    }

    #[inline(always)]
    pub(crate) fn has_cardinality(&self) -> bool {
        self.is_dogstatsd(DogStatsDVersion::V1_6)
    }

    #[inline(always)]
    fn is_dogstatsd(&self, version: DogStatsDVersion) -> bool {
        self.dialect == Dialect::DogStatsD && self.version >= version
    }

    /// The prefixes that were added since the builder's, each with its dot.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether its lines need nothing but a head, a name and a type.
    pub(crate) fn allows_fast_path(&self) -> bool {
        self.dialect.tags().is_none() && !self.altered && !self.unsupported_tags
    }
}

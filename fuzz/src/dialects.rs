//! Fuzz target `dialects`: emits metrics with any names, tags and set members. Checks the queued
//! lines against the documentation of `Dialect`, and that the statistics are exact.

use crate::clean::{LinePart, clean, has_tags, line};
use arbitrary::Arbitrary;
use freewheel::fuzzing::Consumer;
use freewheel::{Connector, Counter, Dialect, Set};

#[derive(Arbitrary, Debug)]
pub struct Input<'a> {
    dialect: u8,
    has_prefix: bool,
    metrics: Vec<Metric<'a>>,
}

#[derive(Arbitrary, Debug)]
struct Metric<'a> {
    name: &'a str,
    tags: [(&'a str, &'a str); 2],
    /// Selector of the number of tags: the metric has `tag_count` modulo 3 tags.
    tag_count: u8,
    /// Member that a set metric records, or `None` for a counter metric.
    member: Option<&'a str>,
    style: Style,
}

/// Way in which a metric is emitted: in a single call, through a prepared handle, or through a
/// connector that adds a tag.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Style {
    Once,
    Prepared,
    Scoped,
}

/// Emits all metrics of the input, and checks the queued lines and the statistics.
pub fn check(input: &Input<'_>) {
    let dialect = crate::clean::DIALECTS[usize::from(input.dialect) % 7];
    let prefix = if input.has_prefix { "app" } else { "" };
    let builder = Connector::builder("localhost").dialect(dialect).prefix(prefix);
    let statsd = builder.type_prefixes(false).build().expect("the settings are valid");
    let mut consumer = Consumer::of(&statsd).expect("the connector is not running");
    let (mut expected, mut altered, mut unsupported, mut invalid) = (Vec::new(), 0, 0, 0);
    for metric in &input.metrics {
        let tags = &metric.tags[..usize::from(metric.tag_count) % 3];
        emit(&statsd, metric, tags);
        if !tags.is_empty() && !has_tags(dialect) {
            unsupported += 1;
        } else if metric.name.is_empty() {
            invalid += 1;
        } else {
            let member = metric.member.map(|member| clean(dialect, LinePart::Member, member));
            let (field, field_altered) = member.unwrap_or(("1".to_owned(), false));
            let code = if metric.member.is_some() { "s" } else { "c" };
            let (line, line_altered) = line(dialect, prefix, metric.name, tags, &field, code);
            altered += u64::from(line_altered | field_altered);
            expected.push(line);
        }
    }
    consumer.sweep();
    let taken = String::from_utf8(consumer.consume()).expect("lines are UTF-8");
    let lines: Vec<&str> = taken.split_terminator('\n').collect();
    assert_eq!(lines, expected, "{dialect:?}");
    let stats = statsd.stats();
    assert_eq!(stats.altered, altered);
    assert_eq!(stats.drops.unsupported.lines, unsupported);
    assert_eq!(stats.drops.invalid.lines, invalid);
    let all = lines.len() as u64 + unsupported + invalid;
    assert_eq!((stats.emitted.lines, stats.dropped().lines), (all, unsupported + invalid));
    assert!(dialect != Dialect::DogStatsD || !taken.starts_with("_sc"));
}

fn emit(statsd: &Connector, metric: &Metric<'_>, tags: &[(&str, &str)]) {
    let Metric { name, member, style, .. } = *metric;
    // A scoped metric has its first tag on the connector.
    let (scope, tags) = match (style, tags) {
        (Style::Scoped, [(key, value), rest @ ..]) => (statsd.with_tag(key, value), rest),
        _ => (statsd.clone(), tags),
    };
    let is_prepared = matches!(style, Style::Prepared);
    macro_rules! emit {
        ($($tag:tt)*) => {
            match member {
                Some(member) if is_prepared => {
                    scope.metric::<Set>(name)$($tag)*.build().insert(member);
                }
                Some(member) => scope.metric::<Set>(name)$($tag)*.insert(member),
                None if is_prepared => scope.metric::<Counter>(name)$($tag)*.build().incr(),
                None => scope.metric::<Counter>(name)$($tag)*.incr(),
            }
        };
    }
    match *tags {
        [] => emit!(),
        [(k, v)] => emit!(.tag(k, v)),
        [(k, v), (l, w), ..] => emit!(.tag(k, v).tag(l, w)),
    }
}

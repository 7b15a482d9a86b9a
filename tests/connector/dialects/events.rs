//! Property tests of DogStatsD events and service checks: a strict parser reads the lines that
//! arrive.
//!
//! Every field arrives, sanitized if necessary. Items that are too long are dropped and counted.
//! Adjacent lines arrive whole.

use super::{datagrams, timestamp};
use crate::parsers::dogstatsd::{Event as ReadEvent, Line, ServiceCheck as ReadCheck, parse};
use crate::parsers::{Origin, Tag};
use freewheel::dogstatsd::{AlertType, Event, Priority, ServiceCheck, Status};
use freewheel::{Builder, Cardinality, Connector, Counter, Dialect, Stats};
use proptest::prelude::*;

/// Sets the DogStatsD dialect, a prefix, a tag, and the origin fields (container ID, external data
/// and cardinality) that every line must carry.
fn configure(builder: Builder) -> Builder {
    let builder = builder.dialect(Dialect::DogStatsD).prefix("app").tag("env", "prod");
    builder.container_id("ci-1").external_data("it-x").cardinality(Cardinality::Low)
}

fn origin() -> Origin {
    let text = |text: &str| Some(text.to_owned());
    Origin { container: text("ci-1"), external_data: text("it-x"), cardinality: text("low") }
}

/// Emits with `emit`. Returns the lines that arrive, parsed as DogStatsD version 1.6, and the
/// statistics.
fn read(emit: impl FnOnce(&Connector)) -> (Vec<Line>, Stats) {
    let (datagrams, stats) = datagrams(configure, emit);
    let lines = datagrams.iter().flat_map(|datagram| {
        parse(datagram.as_bytes(), 6).unwrap_or_else(|refused| panic!("{refused}"))
    });
    let mut lines: Vec<_> = lines.collect();
    // Service checks are in a separate queue. The sort puts them after the rest.
    lines.sort_by_key(|line| matches!(line, Line::ServiceCheck(_)));
    (lines, stats)
}

/// Replaces the characters in `forbidden` and all control characters by `_`.
fn without(text: &str, forbidden: &[char]) -> String {
    text.replace(|c: char| forbidden.contains(&c) || c.is_control(), "_")
}

/// Returns the text of an optional field as it must arrive: sanitized, or `None` if the text is
/// empty.
fn field(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| without(text, &['|']))
}

/// Returns a tag's key or value as it must arrive: sanitized, or `_` if the text is empty.
fn tag_part(text: &str, forbidden: &[char]) -> String {
    if text.is_empty() { "_".to_owned() } else { without(text, forbidden) }
}

fn tags(key: &str, value: &str) -> Vec<Tag> {
    let tag = |key: String, value: String| (key, Some(value));
    let own = tag(tag_part(key, &['|', ',', ':']), tag_part(value, &['|', ',']));
    vec![tag("env".to_owned(), "prod".to_owned()), own]
}

/// Converts all line breaks to `\n`, and replaces other control characters except tabs by `_`.
fn with_unix_line_breaks(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace("\\n", "\n");
    text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "_")
}

/// Generates random text, often with characters that have a meaning in DogStatsD.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[|,:#@{}\\\\\\r\\n\\tnm_]{0,4}",
        Just("m:".to_owned()),
        Just("\n_sc|a|0".to_owned()),
        Just("|#a:b".to_owned()),
        Just("}:".to_owned()),
        "\\PC{0,4}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn events_arrive_whole(
        title in any_text(), text in any_text(), host in any_text(), key in any_text(),
        source in any_text(), tag in any_text(), value in any_text(),
    ) {
        // A backslash before a line break makes the escaped text ambiguous.
        prop_assume!(!title.contains("\\\n") && !title.contains("\\\r"));
        prop_assume!(!text.contains("\\\n") && !text.contains("\\\r"));
        let event = Event::new(&*title, &*text)
            .timestamp(timestamp())
            .hostname(&*host)
            .aggregation_key(&*key)
            .source_type_name(&*source)
            .priority(Priority::Low)
            .alert_type(AlertType::Warning)
            .tag(&*tag, &*value);
        let (lines, stats) = read(|statsd| {
            statsd.event(&event);
            statsd.incr("neighbour");
        });
        if title.is_empty() {
            prop_assert_eq!((lines.len(), stats.drops.invalid.lines), (1, 1));
            return Ok(());
        }
        let expected = ReadEvent {
            title: with_unix_line_breaks(&title),
            text: with_unix_line_breaks(&text),
            timestamp: Some(1_656_581_400),
            hostname: field(&host),
            aggregation_key: field(&key),
            priority: Some("low".to_owned()),
            source_type_name: field(&source),
            alert_type: Some("warning".to_owned()),
            tags: tags(&tag, &value),
            origin: origin(),
        };
        prop_assert_eq!(&lines[0], &Line::Event(expected));
        prop_assert!(matches!(&lines[1], Line::Metric(metric) if metric.name == "app.neighbour"));
        prop_assert_eq!(lines.len(), 2);
        let is_same = title == with_unix_line_breaks(&title) && text == with_unix_line_breaks(&text)
            && [&host, &key, &source].iter().all(|given| **given == without(given, &['|']))
            && tags(&tag, &value)[1] == (tag.clone(), Some(value.clone()));
        prop_assert_eq!(stats.altered, u64::from(!is_same));
    }

    #[test]
    fn service_checks_arrive_whole(
        name in any_text(), host in any_text(), tag in any_text(), value in any_text(),
        message in any_text(),
    ) {
        prop_assume!(!message.contains("\\\n") && !message.contains("\\\r"));
        // Text that already looks like an escape is read as an escape.
        prop_assume!(!message.contains("m\\:"));
        let check = ServiceCheck::new(&*name, Status::Critical)
            .timestamp(timestamp())
            .hostname(&*host)
            .tag(&*tag, &*value)
            .message(&*message);
        let (lines, stats) = read(|statsd| {
            statsd.service_check(&check);
            statsd.incr("neighbour");
        });
        if name.is_empty() {
            prop_assert_eq!((lines.len(), stats.drops.invalid.lines), (1, 1));
            return Ok(());
        }
        let expected = ReadCheck {
            name: without(&name, &['|']),
            status: 2,
            timestamp: Some(1_656_581_400),
            hostname: field(&host),
            tags: tags(&tag, &value),
            origin: origin(),
            message: (!message.is_empty()).then(|| with_unix_line_breaks(&message.replace('|', "_"))),
        };
        // Service checks are in a separate queue.
        prop_assert!(matches!(&lines[0], Line::Metric(metric) if metric.name == "app.neighbour"));
        prop_assert_eq!(&lines[1], &Line::ServiceCheck(expected));
        prop_assert_eq!(lines.len(), 2);
    }
}

/// Events and service checks up to the Agent's maximum length arrive whole, if necessary in a
/// separate datagram. Longer ones are dropped and counted, and adjacent lines are unaffected.
#[test]
fn oversize_events_are_counted_and_never_torn() {
    let text = |length| "x".repeat(length);
    let (lines, stats) = read(|statsd| {
        statsd.incr("before");
        for length in [8_193, 20_000] {
            statsd.event(&Event::new("too long", text(length)));
            statsd.service_check(&ServiceCheck::new("too long", Status::Ok).message(text(length)));
            statsd.metric::<Counter>(&text(length)).tag("k", "v").incr();
            statsd.metric::<Counter>(&text(length)).tag("k", "v").build().incr();
        }
        statsd.event(&Event::new("long", text(8_000)));
        statsd.incr("between");
        statsd.service_check(&ServiceCheck::new("long", Status::Ok).message(text(8_000)));
        statsd.incr("after");
    });
    let described = lines.iter().map(|line| match line {
        Line::Metric(metric) => metric.name.clone(),
        Line::Event(event) => format!("{} {}", event.title, event.text.len()),
        Line::ServiceCheck(check) => {
            format!("{} {}", check.name, check.message.as_ref().unwrap().len())
        }
    });
    let expected = ["app.before", "long 8000", "app.between", "app.after", "long 8000"];
    assert_eq!(described.collect::<Vec<_>>(), expected);
    assert_eq!(stats.drops.oversize.lines, 8);
    assert_eq!(stats.sent.lines, 5);
}

/// Each event and service check counts as altered if a tag of the connector has a forbidden
/// character. A forbidden character in the prefix does not count, because events carry no prefix.
#[test]
fn altered_connector_tags_count_on_events() {
    let (_, stats) = read(|statsd| {
        let emit = |statsd: &Connector| {
            statsd.event(&Event::new("title", "text"));
            statsd.service_check(&ServiceCheck::new("db", Status::Ok));
        };
        emit(&statsd.scoped("a:b"));
        assert_eq!(statsd.stats().altered, 0);
        emit(&statsd.with_tag("k", "a,b"));
    });
    assert_eq!(stats.altered, 2);
}

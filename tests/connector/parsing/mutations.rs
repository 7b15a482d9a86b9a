//! Tests of the strict parsers with one-byte mutations of valid lines. An accepted mutation parses
//! to a different line, and the parsed line formats back to the same text.

use crate::parsers::dogstatsd::Line;
use crate::parsers::plain::Types;
use crate::parsers::{
    Metric, Origin, Refused, Tag, dogstatsd, graphite, influx, librato, plain, signalfx,
};
use std::fmt::{Debug, Write};

/// Bytes that the mutations insert: some have a meaning in a dialect, and some have none.
const BYTES: &[u8] = b":|@#,;=[]{}_e!^~/\\.-+0127 \n\r\tcdghkmnpstTx\0\x7f\xc3\xff";

/// Returns all variants of the line with one byte changed, removed or added, or with two adjacent
/// bytes swapped.
fn neighbours(line: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for at in 0..=line.len() {
        for &byte in BYTES {
            let (before, after) = line.split_at(at);
            all.push([before, &[byte], after].concat());
            if let [_, after @ ..] = after {
                all.push([before, &[byte], after].concat());
                all.push([before, after].concat());
            }
        }
        if at + 2 <= line.len() {
            let mut swapped = line.to_vec();
            swapped.swap(at, at + 1);
            all.push(swapped);
        }
    }
    all.retain(|other| other != line);
    all
}

/// Asserts that each accepted mutation of these lines parses to a different result, which formats
/// back to the mutated text. Returns the numbers of accepted and refused mutations.
///
/// `format` is the inverse of `parse`.
#[track_caller]
fn check<T: Debug + PartialEq>(
    lines: &[&str],
    parse: impl Fn(&[u8]) -> Result<Vec<T>, Refused>,
    format: impl Fn(&T) -> String,
) -> (usize, usize) {
    let (mut accepted, mut refused) = (0, 0);
    for line in lines {
        let original = parse(line.as_bytes()).unwrap_or_else(|refused| panic!("{refused}"));
        for other in neighbours(line.as_bytes()) {
            let Ok(parsed) = parse(&other) else {
                refused += 1;
                continue;
            };
            accepted += 1;
            let text = String::from_utf8(other).unwrap();
            let again = parsed.iter().map(&format).collect::<Vec<_>>().join("\n");
            assert_eq!(again, text.strip_suffix('\n').unwrap_or(&text), "{parsed:?}");
            let adds_newline = text == format!("{line}\n");
            assert_eq!(parsed == original, adds_newline, "{text:?} is parsed like {line:?}");
        }
    }
    (accepted, refused)
}

/// Formats a metric with its tags in the syntax of a dialect: `open` and `close` enclose the tags,
/// and `next` separates them.
fn tagged(metric: &Metric, open: &str, next: &str, close: &str) -> String {
    let tags = metric.tags.iter().map(|(key, value)| match value {
        Some(value) => format!("{key}={value}"),
        None => panic!("{metric:?}"),
    });
    let tags = tags.collect::<Vec<_>>().join(next);
    let tags = if tags.is_empty() { tags } else { format!("{open}{tags}{close}") };
    let rate = metric.rate.as_ref().map_or_else(String::new, |rate| format!("|@{rate}"));
    format!("{}{tags}:{}|{}{rate}", metric.name, metric.values.join(":"), metric.code)
}

/// Formats a parsed line of DogStatsD (a metric, an event or a service check) as text.
fn format_dogstatsd(line: &Line) -> String {
    let mut text = String::new();
    let optional = |text: &mut String, begin: &str, field: &Option<String>| {
        if let Some(field) = field {
            text.extend([begin, field]);
        }
    };
    let dated = |text: &mut String, begin: &str, seconds: Option<u64>| {
        if let Some(seconds) = seconds {
            write!(text, "{begin}{seconds}").unwrap();
        }
    };
    let tags = |text: &mut String, tags: &[Tag]| {
        let tags = tags.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}:{value}"),
            None => key.clone(),
        });
        let tags = tags.collect::<Vec<_>>().join(",");
        text.push_str(&if tags.is_empty() { tags } else { format!("|#{tags}") });
    };
    let origin = |text: &mut String, origin: &Origin| {
        optional(text, "|c:", &origin.container);
        optional(text, "|e:", &origin.external_data);
        optional(text, "|card:", &origin.cardinality);
    };
    match line {
        Line::Metric(metric) => {
            let untagged = Metric { tags: Vec::new(), ..metric.clone() };
            text.push_str(&tagged(&untagged, "", "", ""));
            tags(&mut text, &metric.tags);
            origin(&mut text, &metric.origin);
            dated(&mut text, "|T", metric.timestamp);
        }
        Line::Event(event) => {
            let escaped = |text: &str| text.replace('\n', "\\n");
            let (title, body) = (escaped(&event.title), escaped(&event.text));
            write!(text, "_e{{{},{}}}:{title}|{body}", title.len(), body.len()).unwrap();
            dated(&mut text, "|d:", event.timestamp);
            optional(&mut text, "|h:", &event.hostname);
            optional(&mut text, "|k:", &event.aggregation_key);
            optional(&mut text, "|p:", &event.priority);
            optional(&mut text, "|s:", &event.source_type_name);
            optional(&mut text, "|t:", &event.alert_type);
            tags(&mut text, &event.tags);
            origin(&mut text, &event.origin);
        }
        Line::ServiceCheck(check) => {
            write!(text, "_sc|{}|{}", check.name, check.status).unwrap();
            dated(&mut text, "|d:", check.timestamp);
            optional(&mut text, "|h:", &check.hostname);
            tags(&mut text, &check.tags);
            origin(&mut text, &check.origin);
            if let Some(message) = &check.message {
                let message = message.replace('\n', "\\n").replace("m:", "m\\:");
                text.extend(["|m:", &message]);
            }
        }
    }
    text
}

#[test]
fn plain_lines() {
    let lines = ["gorets:1|c|@0.25", "gaugor:-10.5|g", "glork:320|ms", "uniques:a.b|s"];
    let format = |metric: &Metric| tagged(metric, "", "", "");
    let (accepted, refused) = check(&lines, |text| plain::parse(text, Types::Etsy), format);
    assert!(accepted > 500 && refused > 1_000, "{accepted} and {refused}");
}

#[test]
fn tagged_lines() {
    type Parse = fn(&[u8]) -> Result<Vec<Metric>, Refused>;
    for (parse, open, next, close) in [
        (graphite::parse as Parse, ";", ";", ""),
        (influx::parse, ",", ",", ""),
        (librato::parse, "#", ",", ""),
        (signalfx::parse, "[", ",", "]"),
    ] {
        let line = |rest: &str| format!("name{open}key=value{next}k=v{close}:{rest}");
        let lines = ["1|c|@0.25", "-10.5|g", "320|ms", "a.b|s"].map(line);
        let lines = lines.each_ref().map(|line| &**line);
        let format = |metric: &Metric| tagged(metric, open, next, close);
        let (accepted, refused) = check(&lines, parse, format);
        assert!(accepted > 500 && refused > 1_000, "{accepted} and {refused}");
    }
}

#[test]
fn dogstatsd_lines() {
    let lines = [
        "name:1:2.5|d|@0.25|#key:value,only",
        "name:-10.5|g|#k:v|c:in-120|e:it-false|card:low|T1656581400",
        "name:a|s|c:ci-83c0",
        "_e{5,13}:title|text, \\n more|d:1656581400|h:host|k:key|p:low|s:src|t:error|#k:v|c:ci-1|e:x|card:low",
        "_sc|name|1|d:1656581400|h:host|#k:v|c:ci-1|m:a m\\:b\\nc",
    ];
    let (accepted, refused) = check(&lines, |text| dogstatsd::parse(text, 6), format_dogstatsd);
    assert!(accepted > 2_000 && refused > 10_000, "{accepted} and {refused}");
}

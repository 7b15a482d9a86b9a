//! Tests of the strict StatsD parsers with which other tests check received lines.
//!
//! They check accepted lines, refused lines with their reasons, and that no line parses like one of
//! its one-byte mutations.

mod dogstatsd;
mod mutations;
mod plain;
mod tagged;

use crate::parsers::{Metric, Refused};

/// Formats a parsed metric as the tables of these tests write it: `name <tags> values code rate`.
fn formatted(metric: &Metric) -> String {
    let tags = metric.tags.iter().map(|(key, value)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    });
    let tags = tags.collect::<Vec<_>>().join(",");
    let values = metric.values.join(",");
    let rate = metric.rate.as_deref().unwrap_or("-");
    format!("{} <{tags}> {values} {} {rate}", metric.name, metric.code)
}

#[track_caller]
fn assert_parsed(parsed: Result<Vec<Metric>, Refused>, expected: &str) {
    match parsed.as_deref() {
        Ok([metric]) => assert_eq!(formatted(metric), expected),
        other => panic!("expected one line: {other:?}"),
    }
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(parsed: Result<Vec<T>, Refused>, line: &str, reason: &str) {
    match parsed {
        Ok(lines) => panic!("{line:?} is parsed as {lines:?} despite {reason}"),
        Err(refused) => assert_eq!(refused.reason, reason, "{line:?}"),
    }
}

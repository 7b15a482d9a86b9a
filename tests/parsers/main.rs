//! Tests of the strict parsers that other tests use: accepted lines, refused lines with their
//! reasons, and no line confused with its one-byte mutations.

#![allow(clippy::unwrap_used)]

#[path = "../support/parsers/mod.rs"]
mod parsers;

mod dogstatsd;
mod mutations;
mod plain;
mod tagged;

use parsers::{Metric, Refused};

/// Formats a metric for the tables: `name tags values code rate`.
fn told(metric: &Metric) -> String {
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
fn assert_told(parsed: Result<Vec<Metric>, Refused>, expected: &str) {
    match parsed.as_deref() {
        Ok([metric]) => assert_eq!(told(metric), expected),
        other => panic!("not one line: {other:?}"),
    }
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(parsed: Result<Vec<T>, Refused>, line: &str, reason: &str) {
    match parsed {
        Ok(lines) => panic!("{line:?} is taken for {lines:?}, though: {reason}"),
        Err(refused) => assert_eq!(refused.reason, reason, "{line:?}"),
    }
}

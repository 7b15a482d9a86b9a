//! Errors of preparing a metric to be emitted often.

use std::fmt;

/// Error of [`Metric::try_build`](crate::Metric::try_build), which refuses a metric with lines that
/// would be altered or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricError {
    /// The [dialect](crate::Dialect) does not support this kind of metric.
    UnsupportedKind,
    /// The metric or its connector has tags, and the dialect does not support tags.
    UnsupportedTags,
    /// The metric has a timestamp, which only DogStatsD supports, from version 1.3 on.
    UnsupportedTimestamp,
    /// The metric has a cardinality, which only DogStatsD supports, from version 1.6 on.
    UnsupportedCardinality,
    /// The timestamp is before 1970-01-01 00:00:01 UTC.
    InvalidTimestamp,
    /// The name is empty.
    EmptyName,
    /// The name, or a tag of the metric or of its connector, contains text that the dialect
    /// [forbids](crate::Dialect#clean-input).
    ForbiddenText,
}

impl fmt::Display for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnsupportedKind => "the dialect does not support this kind of metric",
            Self::UnsupportedTags => "the dialect does not support tags",
            Self::UnsupportedTimestamp => "the dialect does not support timestamps",
            Self::UnsupportedCardinality => "the dialect does not support a cardinality",
            Self::InvalidTimestamp => "the timestamp is before 1970-01-01 00:00:01 UTC",
            Self::EmptyName => "the name is empty",
            Self::ForbiddenText => "the name or a tag contains text that the dialect forbids",
        })
    }
}

impl std::error::Error for MetricError {}

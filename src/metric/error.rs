//! Why a metric is not prepared.

use std::fmt;

/// What [`try_build`](crate::Metric::try_build) refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricError {
    /// The [dialect](crate::Dialect) has no word for this kind of metric.
    Kind,
    /// The dialect has no tags, and the metric or its connector has.
    Tags,
    /// Only DogStatsD has timestamps, from version 1.3 on.
    Timestamps,
    /// Only DogStatsD has a cardinality, from version 1.6 on.
    Cardinality,
    /// The timestamp is before 1970-01-01 00:00:01 UTC.
    Timestamp,
    /// The name is empty.
    EmptyName,
    /// The name or a tag of the metric or of its connector holds what the dialect
    /// [forbids](crate::Dialect#clean-input).
    Unclean,
}

impl fmt::Display for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "the dialect has no such kind of metric",
            Self::Tags => "the dialect has no tags",
            Self::Timestamps => "the dialect has no timestamps",
            Self::Cardinality => "the dialect has no cardinality",
            Self::Timestamp => "the timestamp is before 1970-01-01 00:00:01 UTC",
            Self::EmptyName => "the name is empty",
            Self::Unclean => "the name or a tag holds what the dialect forbids",
        })
    }
}

impl std::error::Error for MetricError {}

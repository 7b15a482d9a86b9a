//! Versions of the DogStatsD protocol, and the features that each version added.

use super::dialect::Dialect;
use crate::names::names;

/// Version of the DogStatsD protocol that the server reads. Each variant names the features that
/// its version added.
///
/// Features are used only when they are asked for. A server may therefore be older than the
/// configured version, as long as no call or setting uses a feature that the server lacks.
///
/// [`Display`](std::fmt::Display) and [`FromStr`](std::str::FromStr) write and read the names
/// that files with [`Settings`](crate::Settings) use:
///
/// ```
/// use freewheel::DogStatsDVersion;
///
/// assert_eq!("1.3".parse(), Ok(DogStatsDVersion::V1_3));
/// assert_eq!(DogStatsDVersion::V1_0.to_string(), "1.0");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DogStatsDVersion {
    /// Version 1.0, which has tags and sample rates.
    V1_0,
    /// Version 1.1, which added [packed values](crate::Builder::pack_values) (several values in one
    /// line). Supported since Agent 6.25 and 7.25.
    V1_1,
    /// Version 1.2, which added the [container's identifier](crate::Builder::container_id).
    /// Supported since Agent 6.35 and 7.35.
    V1_2,
    /// Version 1.3, which added [timestamps](crate::Metric::timestamp) of counters and gauges.
    /// Supported since Agent 6.40 and 7.40.
    V1_3,
    /// Version 1.4, which added the prefixes `ci-` and `in-` of the container's identifier.
    /// Supported since Agent 7.51.
    V1_4,
    /// Version 1.5, which added [external data](crate::Builder::external_data) about the container.
    /// Supported since Agent 7.57.
    V1_5,
    /// Version 1.6, which added the [cardinality](crate::Builder::cardinality) of the tags that the
    /// Agent adds. Supported since Agent 7.64.
    #[default]
    V1_6,
}

names! { DogStatsDVersion, setting: "dogstatsd_version";
    V1_0 => "1.0",
    V1_1 => "1.1",
    V1_2 => "1.2",
    V1_3 => "1.3",
    V1_4 => "1.4",
    V1_5 => "1.5",
    V1_6 => "1.6",
}

/// A feature that only the DogStatsD dialect has, and only from a certain version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    PackedValues,
    /// The field `|c:`, which identifies the container that sent the line.
    ContainerId,
    /// The field `|T`, which states the time of a metric.
    Timestamps,
    /// The prefix `ci-` (container identifier) or `in-` (inode) of the value in the field `|c:`.
    ContainerIdKind,
    /// The field `|e:`, which carries data from the orchestrator about the container.
    ExternalData,
    /// The field `|card:`, which selects the tags that the Datadog Agent adds.
    Cardinality,
}

impl Feature {
    /// Returns the version that added the feature.
    #[inline(always)]
    const fn since(self) -> DogStatsDVersion {
        match self {
            Self::PackedValues => DogStatsDVersion::V1_1,
            Self::ContainerId => DogStatsDVersion::V1_2,
            Self::Timestamps => DogStatsDVersion::V1_3,
            Self::ContainerIdKind => DogStatsDVersion::V1_4,
            Self::ExternalData => DogStatsDVersion::V1_5,
            Self::Cardinality => DogStatsDVersion::V1_6,
        }
    }

    /// Returns a text for error messages that names the dialect and versions with the feature, such
    /// as `DogStatsD 1.1 or later`.
    pub(crate) const fn requirement(self) -> &'static str {
        match self.since() {
            DogStatsDVersion::V1_0 => "DogStatsD",
            DogStatsDVersion::V1_1 => "DogStatsD 1.1 or later",
            DogStatsDVersion::V1_2 => "DogStatsD 1.2 or later",
            DogStatsDVersion::V1_3 => "DogStatsD 1.3 or later",
            DogStatsDVersion::V1_4 => "DogStatsD 1.4 or later",
            DogStatsDVersion::V1_5 => "DogStatsD 1.5 or later",
            DogStatsDVersion::V1_6 => "DogStatsD 1.6 or later",
        }
    }

    /// Returns true if servers of this dialect and version read the feature.
    #[inline(always)]
    pub(crate) fn is_supported(self, dialect: Dialect, version: DogStatsDVersion) -> bool {
        dialect == Dialect::DogStatsD && version >= self.since()
    }
}

//! Cardinality of the tags that the Datadog Agent adds.

use crate::names::names;

/// Cardinality level, which selects the tags that the Datadog Agent adds to a metric: only tags
/// with few distinct values, or also tags with many.
///
/// [`Display`](std::fmt::Display) and [`FromStr`](std::str::FromStr) write and read the names
/// that the protocol and files with [`Settings`](crate::Settings) use:
///
/// ```
/// use freewheel::Cardinality;
///
/// assert_eq!("low".parse(), Ok(Cardinality::Low));
/// assert_eq!(Cardinality::Orchestrator.to_string(), "orchestrator");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cardinality {
    /// The Agent adds no tags.
    None,
    /// The Agent adds only tags with few distinct values.
    Low,
    /// The Agent adds low-cardinality tags, and tags of an orchestrator, such as a pod's name.
    Orchestrator,
    /// The Agent adds every tag, including tags with many values, such as a container's identifier.
    High,
}

names! { Cardinality, setting: "cardinality";
    None => "none",
    Low => "low",
    Orchestrator => "orchestrator",
    High => "high",
}

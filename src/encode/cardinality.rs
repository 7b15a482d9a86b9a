//! Cardinality of the tags that the Datadog Agent adds.

use crate::names::names;

/// Cardinality of the tags that the Datadog Agent adds to a line.
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
    /// No tags at all.
    None,
    /// Tags with few values.
    Low,
    /// Low-cardinality tags and tags of an orchestrator, such as a pod's name.
    Orchestrator,
    /// Every tag, including those with many values, such as a container's identity.
    High,
}

names! { Cardinality, setting: "cardinality";
    None => "none",
    Low => "low",
    Orchestrator => "orchestrator",
    High => "high",
}

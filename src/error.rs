//! Errors of building, starting and flushing a connector. Calls that emit metrics never fail.

use std::fmt;

/// Error for an invalid setting, from [`Builder::build`](crate::Builder::build), from
/// [`Settings`](crate::Settings), or from parsing the name of an option.
///
/// The error names the setting, the value given and the values accepted:
///
/// ```
/// let error = freewheel::Connector::builder("127.0.0.1").port(0).build().unwrap_err();
/// assert_eq!(error.setting(), "port");
/// assert_eq!(error.to_string(), "invalid value 0 for port: expected 1 to 65535");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    pub(crate) setting: &'static str,
    /// Invalid value as text, or an empty string if a required value is missing.
    pub(crate) value: String,
    pub(crate) expected: &'static str,
}

impl BuildError {
    /// Creates the error for a setting with an invalid text, which the error message quotes.
    pub(crate) fn quoting(
        setting: &'static str,
        text: &(impl fmt::Debug + ?Sized),
        expected: &'static str,
    ) -> Self {
        Self { setting, value: quoted(text), expected }
    }

    /// Returns the name of the invalid setting: the name of a builder method, `host`, `url`, or the
    /// environment variable that holds the value.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// Returns the invalid value as text, or an empty text if a required setting is missing.
    /// Unprintable characters are escaped, and a text is cut after 64 bytes.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns a description of the values that the setting accepts.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, value, expected } = self;
        if value.is_empty() {
            write!(f, "missing value for {setting}: expected {expected}")
        } else {
            write!(f, "invalid value {value} for {setting}: expected {expected}")
        }
    }
}

impl std::error::Error for BuildError {}

/// Returns an error with the name and the value of the setting, unless `accepted` is true.
pub(crate) fn require(
    setting: &'static str,
    value: impl ToString,
    accepted: bool,
    expected: &'static str,
) -> Result<(), BuildError> {
    if accepted { Ok(()) } else { Err(BuildError { setting, value: value.to_string(), expected }) }
}

/// Maximum number of bytes of a quoted value that an error message shows.
const MAX_SHOWN: usize = 64;

/// Formats a text for an error message: escaped, in quotes, and cut after 64 bytes. An ellipsis
/// marks the cut.
pub(crate) fn quoted(text: &(impl fmt::Debug + ?Sized)) -> String {
    let debug = format!("{text:?}");
    let inner = debug.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner.filter(|inner| inner.len() > MAX_SHOWN) else { return debug };
    let mut shown = 0;
    loop {
        // An escape is never cut: `\u{..}`, `\x..`, or a backslash and one more character.
        let rest = &inner[shown..];
        let next = match rest.as_bytes() {
            [b'\\', b'u', ..] => rest.find('}').map_or(rest.len(), |end| end + 1),
            [b'\\', b'x', ..] => 4,
            [b'\\', ..] => 2,
            _ => rest.chars().next().map_or(0, char::len_utf8),
        };
        if shown + next > MAX_SHOWN {
            return format!("\"{}\"…", &inner[..shown]);
        }
        shown += next;
    }
}

/// Error of starting a connector. A failed start changes nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The connector is already running, or its flusher task has not ended yet.
    AlreadyRunning,
    /// The connector was running when this process was forked. Its flusher exists only in the
    /// parent, so the child must build another connector.
    Forked,
    /// [`start`](crate::Connector::start) was called outside a tokio runtime. Use
    /// [`start_on_thread`](crate::Connector::start_on_thread) without a runtime.
    NoRuntime,
    /// The flusher task ended before it was ready. The runtime is shutting down, or was built
    /// without its time or I/O driver (`enable_all`).
    UnsuitableRuntime,
    /// The operating system refused to create the flusher's thread, or resources of the tokio
    /// runtime on this thread. Or the function that this thread
    /// [calls first](crate::Builder::on_thread_start) panicked.
    Thread(std::io::Error),
    /// The operating system refused to create the file descriptor that wakes the flusher task.
    Descriptor(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyRunning => "the connector is already running",
            Self::Forked => {
                "the connector was started before the fork: its flusher runs in the parent process"
            }
            Self::NoRuntime => {
                "no tokio runtime: call start within a runtime, or use start_on_thread"
            }
            Self::UnsuitableRuntime => {
                "the flusher cannot run: the runtime is shutting down or lacks its time or I/O driver"
            }
            Self::Thread(_) => "cannot create the flusher's thread",
            Self::Descriptor(_) => "cannot create the descriptor that wakes the flusher",
        })
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) | Self::Descriptor(error) => Some(error),
            _ => None,
        }
    }
}

/// Error of [`flush`](crate::Connector::flush) and
/// [`blocking_flush`](crate::Connector::blocking_flush).
///
/// The lines that were not sent are kept, within the capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushError {
    /// The stop timeout passed before all lines were sent. The flusher continues to send them.
    TimedOut,
    /// The connector was not running, or was stopped during the flush.
    NotRunning,
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "the lines were not sent within the stop timeout",
            Self::NotRunning => "the connector is not running",
        })
    }
}

impl std::error::Error for FlushError {}

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

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quoted_text_is_escaped_and_cut_between_characters() {
        let a = |n: usize| "a".repeat(n);
        for (given, shown) in [
            (a(64), format!("\"{}\"", a(64))),
            (a(65), format!("\"{}\"…", a(64))),
            (a(63) + "é", format!("\"{}\"…", a(63))),
            (a(62) + "é", format!("\"{}é\"", a(62))),
            (a(63) + "\n", format!("\"{}\"…", a(63))),
            (a(58) + "\u{85}b", format!("\"{}\\u{{85}}\"…", a(58))),
            (a(59) + "\u{85}b", format!("\"{}\"…", a(59))),
            ("\n\"\\".to_owned(), r#""\n\"\\""#.to_owned()),
            ("\0".repeat(100), format!("\"{}\"…", r"\0".repeat(32))),
        ] {
            assert_eq!(quoted(&given), shown);
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_other_than_utf8_are_quoted() {
        use std::os::unix::ffi::OsStringExt;
        let given = std::ffi::OsString::from_vec(vec![0xff; 17]);
        assert_eq!(quoted(&given), format!("\"{}\"…", r"\xFF".repeat(16)));
    }
}

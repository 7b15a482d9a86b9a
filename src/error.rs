//! What can go wrong before the first line: never after.

use std::fmt;

/// A setting that [`Builder::build`](crate::Builder::build) refuses, or an application's
/// [`Settings`](crate::Settings).
///
/// It names the setting, the value that was given and what is accepted:
///
/// ```
/// let refused = freewheel::Connector::builder("127.0.0.1").port(0).build().unwrap_err();
/// assert_eq!(refused.setting(), "port");
/// assert_eq!(refused.to_string(), "port: 0 is refused: expected 1 to 65535");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    pub(crate) setting: &'static str,
    pub(crate) value: String,
    pub(crate) expected: &'static str,
}

impl BuildError {
    /// The setting's name: that of its builder method, or `host`; or that of the environment variable
    /// which gave it.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// The value that was given, as text: what cannot be printed is escaped, and a text is cut after
    /// 64 bytes.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What would have been accepted.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, value, expected } = self;
        write!(f, "{setting}: {value} is refused: expected {expected}")
    }
}

impl std::error::Error for BuildError {}

/// How much of a value is shown, in bytes between its quotes.
const MAX_SHOWN: usize = 64;

/// A text for a message: escaped, in quotes, and cut after 64 bytes, which an ellipsis shows.
pub(crate) fn quoted(text: &(impl fmt::Debug + ?Sized)) -> String {
    let debug = format!("{text:?}");
    let inner = debug.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner.filter(|inner| inner.len() > MAX_SHOWN) else { return debug };
    let mut shown = 0;
    loop {
        // No escape is cut: `\u{..}`, `\x..`, or a backslash and one more.
        let rest = &inner[shown..];
        let next = match rest.as_bytes() {
            [b'\\', b'u', ..] => rest.find('}').map_or(rest.len(), |at| at + 1),
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

/// Why a connector could not be started. Nothing was changed by the attempt.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It is running, or its flusher is still ending.
    AlreadyRunning,
    /// It was running when this process was forked: its flusher stayed with the parent. The child
    /// builds a connector of its own.
    Forked,
    /// [`start`](crate::Connector::start) was called outside a tokio runtime;
    /// [`start_on_thread`](crate::Connector::start_on_thread) needs none.
    NoRuntime,
    /// The flusher ended before it was ready: the runtime is shutting down, or was built
    /// without its time or I/O driver (`enable_all`).
    RuntimeUnfit,
    /// The operating system refused the thread, or the runtime that was to live on it.
    Thread(std::io::Error),
    /// The operating system refused the descriptor by which the flusher is woken.
    Descriptor(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRunning => f.write_str("the connector is already running"),
            Self::Forked => f.write_str(
                "the connector's flusher stayed with the process that this one was forked from",
            ),
            Self::NoRuntime => f.write_str(
                "no tokio runtime here: start within one, or use start_on_thread",
            ),
            Self::RuntimeUnfit => f.write_str(
                "the flusher could not run: the runtime is shutting down or lacks its time or I/O driver",
            ),
            Self::Thread(_) => f.write_str("the flusher's thread could not be had"),
            Self::Descriptor(_) => f.write_str("no descriptor could be had to wake the flusher by"),
        }
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

/// An error of [`flush`](crate::Connector::flush) and
/// [`blocking_flush`](crate::Connector::blocking_flush).
///
/// The lines that were not sent are kept, within the capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushError {
    /// The stop timeout passed first. The flusher goes on sending the lines.
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

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_is_quoted_is_escaped_and_cut_between_characters() {
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
    fn what_is_no_text_is_quoted_too() {
        use std::os::unix::ffi::OsStringExt;
        let given = std::ffi::OsString::from_vec(vec![0xff; 17]);
        assert_eq!(quoted(&given), format!("\"{}\"…", r"\xFF".repeat(16)));
    }
}

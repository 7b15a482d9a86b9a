//! Reader of environment variables, and warnings about their values.

use crate::error::{BuildError, quoted};
use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fmt::Display;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Reader of environment variables by their names, which also collects warnings about their values.
///
/// White space around a value is removed, and a blank variable counts as unset.
pub(crate) struct Variables<'a> {
    lookup: &'a Lookup<'a>,
    warnings: RefCell<Vec<String>>,
}

/// Function that returns the value of an environment variable, usually [`std::env::var_os`].
type Lookup<'a> = dyn Fn(&'static str) -> Option<OsString> + 'a;

impl<'a> Variables<'a> {
    /// Creates a reader of environment variables that gets each value from the function `lookup`.
    pub(crate) fn new(lookup: &'a Lookup<'a>) -> Self {
        Self { lookup, warnings: RefCell::default() }
    }

    /// Returns the text of an environment variable, or `None` if the variable is unset or blank.
    ///
    /// # Errors
    /// The value is not UTF-8.
    pub(crate) fn text(&self, variable: &'static str) -> Result<Option<String>, BuildError> {
        let value = (self.lookup)(variable).map(OsString::into_string).transpose();
        let value =
            value.map_err(|value| BuildError::quoting(variable, &value, "text in UTF-8"))?;
        Ok(value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// Returns the text of an environment variable, or `None` if the variable is unset or blank.
    /// Replaces bytes that are not UTF-8.
    pub(crate) fn lossy_text(&self, variable: &'static str) -> Option<String> {
        self.lossy_or_blank(variable).filter(|text| !text.is_empty())
    }

    /// Returns the text of an environment variable, empty for a blank variable, or `None` if the
    /// variable is unset. Replaces bytes that are not UTF-8.
    pub(crate) fn lossy_or_blank(&self, variable: &'static str) -> Option<String> {
        (self.lookup)(variable).map(|value| value.to_string_lossy().trim().to_owned())
    }

    /// Adds a warning about the value of an environment variable. The warning ends with
    /// `consequence`, such as `is ignored`.
    pub(crate) fn warn(&self, variable: &str, value: &str, consequence: impl Display) {
        self.warnings.borrow_mut().push(format!("{variable}: {} {consequence}", quoted(value)));
    }

    /// Returns the collected warnings in the order in which they were added.
    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner()
    }
}

thread_local! {
    /// Flag that is true on the thread that logs warnings about environment variables. Further such
    /// warnings that arise on this thread are discarded.
    static IS_LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// Maximum time that the caller of [`log()`] waits for its warnings to be logged.
const MAX_LOGGING_TIME: Duration = Duration::from_millis(50);

/// Logs warnings on a separate thread, and waits for a short time until they are logged.
///
/// The caller may be initializing a static connector which the subscriber uses. On the caller's thread
/// the subscriber would wait for that static forever. The caller waits only for a moment, so that
/// the warnings usually precede what the application logs next.
///
/// Warnings that arise while a subscriber handles earlier ones are discarded. Such a subscriber reads
/// the environment for another connector, which would recurse without end.
pub(crate) fn log(warnings: Vec<String>) {
    if warnings.is_empty() || IS_LOGGING.try_with(Cell::get) != Ok(false) {
        return;
    }
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let (done, finished) = mpsc::channel::<()>();
    let log = move || {
        let _ = IS_LOGGING.try_with(|is_logging| is_logging.set(true));
        let log_all = || warnings.iter().for_each(|text| tracing::warn!("{text}"));
        tracing::dispatcher::with_default(&dispatch, log_all);
        drop(done);
    };
    if thread::Builder::new().name("freewheel-log".to_owned()).spawn(log).is_ok() {
        let _ = finished.recv_timeout(MAX_LOGGING_TIME);
    }
}

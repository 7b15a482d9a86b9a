//! Reader of environment variables, and warnings about their values.

use crate::error::{BuildError, quoted};
use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fmt::Display;

/// Reads variables by name and collects warnings about their values.
///
/// White space around a value is removed, and a blank variable counts as unset.
pub(crate) struct Variables<'a> {
    lookup: &'a Lookup<'a>,
    warnings: RefCell<Vec<String>>,
}

/// Function that returns the value of a variable, usually [`std::env::var_os`].
type Lookup<'a> = dyn Fn(&'static str) -> Option<OsString> + 'a;

impl<'a> Variables<'a> {
    /// Creates a reader of the variables that `lookup` returns.
    pub(crate) fn new(lookup: &'a Lookup<'a>) -> Self {
        Self { lookup, warnings: RefCell::default() }
    }

    /// Returns the text of a variable, or `None` if the variable is unset or blank.
    ///
    /// # Errors
    /// The value is not UTF-8.
    pub(crate) fn text(&self, variable: &'static str) -> Result<Option<String>, BuildError> {
        let value = (self.lookup)(variable).map(OsString::into_string).transpose();
        let value =
            value.map_err(|value| BuildError::quoting(variable, &value, "text in UTF-8"))?;
        Ok(value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// Returns the text of a variable, or `None` if the variable is unset or blank. Replaces bytes
    /// that are not UTF-8.
    pub(crate) fn lossy_text(&self, variable: &'static str) -> Option<String> {
        self.lossy_or_blank(variable).filter(|text| !text.is_empty())
    }

    /// Returns the text of a variable, or `None` if the variable is unset. The text of a blank
    /// variable is empty. Replaces bytes that are not UTF-8.
    pub(crate) fn lossy_or_blank(&self, variable: &'static str) -> Option<String> {
        (self.lookup)(variable).map(|value| value.to_string_lossy().trim().to_owned())
    }

    /// Adds a warning that the value of a variable `is ignored`, `is taken as ...` or the like.
    pub(crate) fn warn(&self, variable: &str, value: &str, consequence: impl Display) {
        self.warnings.borrow_mut().push(format!("{variable}: {} {consequence}", quoted(value)));
    }

    /// Returns the warnings, in the order in which they arose.
    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner()
    }
}

thread_local! {
    /// True while this thread logs a warning.
    static WARNING: Cell<bool> = const { Cell::new(false) };
}

/// Logs a warning, unless a subscriber on this thread is handling an earlier one. Such a subscriber
/// may itself read the environment for another connector, which would recurse without end.
pub(crate) fn warn(text: impl Display) {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            let _ = WARNING.try_with(|warning| warning.set(false));
        }
    }
    if WARNING.try_with(|warning| warning.replace(true)) == Ok(false) {
        // A panic of the subscriber resets the flag too.
        let _reset = Reset;
        tracing::warn!("{text}");
    }
}

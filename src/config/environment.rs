//! Reader of environment variables, and warnings about their values.

use crate::error::{BuildError, quoted};
use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt::Display;

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

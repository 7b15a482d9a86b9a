//! Settings that make no connector but one that does nothing.

use super::{Builder, Connector};
use crate::error::BuildError;
use crate::options::Protocol;
use std::ffi::OsString;
use std::time::Duration;

#[derive(Clone, Debug)]
#[must_use = "settings do nothing until a connector is made from them"]
pub struct Settings(());

impl Settings {
    pub fn new() -> Self {
        Self(())
    }

    pub fn enabled(self, on: bool) -> Self {
        self
    }

    pub fn host(self, host: impl Into<String>) -> Self {
        self
    }

    pub fn port(self, port: u16) -> Self {
        self
    }

    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self
    }

    pub fn no_prefix(self) -> Self {
        self
    }

    pub fn protocol(self, protocol: Protocol) -> Self {
        self
    }

    pub fn reconnect_timeout(self, timeout: Duration) -> Self {
        self
    }

    pub fn wait_timeout(self, timeout: Duration) -> Self {
        self
    }

    pub fn service(self, service: impl Into<String>) -> Self {
        self
    }

    pub fn environment(self, environment: impl Into<String>) -> Self {
        self
    }

    pub fn shutdown_timeout(self, timeout: Duration) -> Self {
        self
    }

    pub fn tune(self, settings: impl FnOnce(Builder) -> Builder) -> Self {
        self
    }

    /// Returns `None`, as for metrics that the environment disables.
    pub fn builder_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Builder>, BuildError> {
        Ok(None)
    }

    pub fn connector(&self) -> Result<Connector, BuildError> {
        Ok(Connector::disabled())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

//! Creation of connectors from their configuration.

use super::Connector;
use crate::config::{Builder, Settings};
use crate::error::BuildError;

impl Builder {
    /// Validates all settings and creates the connector, which connects once it is started.
    ///
    /// # Errors
    /// The first invalid setting.
    pub fn build(self) -> Result<Connector, BuildError> {
        let (flusher, producer) = self.check()?;
        Ok(Connector::new(flusher, producer))
    }
}

impl Connector {
    /// Returns a builder for a connector to the server `host`: an IP address, a DNS name, or the
    /// path of a Unix socket. A name is resolved at each connection.
    pub fn builder(host: impl Into<String>) -> Builder {
        Builder::new(host.into())
    }

    /// Creates a connector that is configured only by environment variables, through
    /// [`Settings::new`].
    ///
    /// # Errors
    /// The same as for [`Settings::connector`].
    pub fn from_env() -> Result<Self, BuildError> {
        Settings::new().connector()
    }
}

impl Settings {
    /// Creates a connector from these settings and the environment variables of the process. The
    /// connector is not started yet.
    ///
    /// The connector is [disabled](Connector::disabled) if metrics are not enabled, or if there is no
    /// host. A missing host is logged as a warning.
    ///
    /// # Errors
    /// The first invalid value, by the name of its setting or variable.
    ///
    /// ```
    /// use freewheel::Settings;
    ///
    /// let error = Settings::new().host("127.0.0.1").prefix("a:b").connector().unwrap_err();
    /// assert_eq!(error.setting(), "prefix");
    /// ```
    pub fn connector(&self) -> Result<Connector, BuildError> {
        match self.builder_from(|variable| std::env::var_os(variable))? {
            Some(builder) => builder.build(),
            None => Ok(Connector::disabled()),
        }
    }
}

//! The rules by which settings and environment become a connector.

use super::{Prefix, Settings};
use crate::builder::{Builder, DURATION, MAX_DURATION, Protocol, require};
use crate::connector::Connector;
use crate::error::BuildError;
use std::ffi::OsString;

/// A value, and the name under which it was given: what an error is to name.
struct Said<T> {
    value: T,
    by: &'static str,
}

const PORTS: &str = "1 to 65535";

impl Settings {
    /// The connector of these settings and of this process's environment, ready to be started;
    /// a [disabled](Connector::disabled) one if metrics are not wanted, or if there is no host,
    /// which is logged as a warning.
    ///
    /// # Errors
    /// The first bad value, by the name of its setting or variable, with what is accepted.
    ///
    /// ```
    /// use freewheel::Settings;
    ///
    /// let refused = Settings::new().host("127.0.0.1").prefix("a:b").connector().unwrap_err();
    /// assert_eq!(refused.setting(), "prefix");
    /// ```
    pub fn connector(&self) -> Result<Connector, BuildError> {
        match self.builder_from(|variable| std::env::var_os(variable))? {
            Some(builder) => builder.build(),
            None => Ok(Connector::disabled()),
        }
    }

    /// The settings of that connector, or None for a disabled one; `environment` tells the value of a
    /// variable.
    ///
    /// ```
    /// use freewheel::Settings;
    ///
    /// let environment = |variable: &str| match variable {
    ///     "STATSD_HOST" => Some("127.0.0.1".into()),
    ///     "STATSD_PORT" => Some("eighty".into()),
    ///     _ => None,
    /// };
    /// let refused = Settings::new().prefix("shop").builder_from(environment).unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     r#"STATSD_PORT: "eighty" is refused: expected 1 to 65535"#,
    /// );
    /// ```
    ///
    /// # Errors
    /// As [`connector`](Self::connector).
    pub fn builder_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Builder>, BuildError> {
        let environment = &environment;
        if !self.is_enabled(environment) {
            return Ok(None);
        }
        let Some(host) = self.host_from(environment)? else {
            tracing::warn!(
                "metrics are disabled: neither the setting `host` nor STATSD_HOST is given"
            );
            return Ok(None);
        };
        let port = self.port_from(environment)?;
        let protocol = self.protocol_from(environment)?;
        let prefix = self.prefix_from(environment)?;
        let timeout = self.shutdown_timeout;
        let in_bounds = !timeout.is_zero() && timeout <= MAX_DURATION;
        require("shutdown_timeout", format!("{timeout:?}"), in_bounds, DURATION)?;
        let builder = self.builder.clone().host(host.value).port(port.value);
        let builder = builder.protocol(protocol).prefix(prefix.value);
        match builder.clone().check() {
            Ok(_) => Ok(Some(builder)),
            Err(refused) => {
                let setting = match refused.setting {
                    "host" => host.by,
                    "port" => port.by,
                    "prefix" => prefix.by,
                    "reconnect_sleep" => "reconnect_timeout",
                    "flush_interval" => "wait_timeout",
                    other => other,
                };
                Err(BuildError { setting, ..refused })
            }
        }
    }

    fn is_enabled(&self, environment: impl Fn(&str) -> Option<OsString>) -> bool {
        self.enabled.unwrap_or_else(|| {
            // What is no text is not one of the texts that mean yes.
            environment("STATSD_ENABLED").is_none_or(|value| value.to_str().is_some_and(is_truthy))
        })
    }

    fn host_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Said<String>>, BuildError> {
        if let Some(host) = &self.host {
            return Ok(Some(Said { value: host.clone(), by: "host" }));
        }
        let given = text(environment, "STATSD_HOST")?.filter(|host| !host.is_empty());
        Ok(given.map(|value| Said { value, by: "STATSD_HOST" }))
    }

    fn port_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Said<u16>, BuildError> {
        if let Some(value) = self.port {
            return Ok(Said { value, by: "port" });
        }
        let by = "STATSD_PORT";
        let value = match text(environment, by)? {
            Some(given) => match given.trim().parse() {
                Ok(port @ 1..) => port,
                _ => return Err(refused(by, &given, PORTS)),
            },
            None => 8125,
        };
        Ok(Said { value, by })
    }

    fn protocol_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Protocol, BuildError> {
        if let Some(protocol) = self.protocol {
            return Ok(protocol);
        }
        match text(environment, "STATSD_PROTOCOL")? {
            Some(given) => protocol("STATSD_PROTOCOL", &given),
            None => Ok(Protocol::default()),
        }
    }

    fn prefix_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Said<String>, BuildError> {
        match &self.prefix {
            Prefix::Given(prefix) => return Ok(Said { value: prefix.clone(), by: "prefix" }),
            Prefix::None => return Ok(Said { value: String::new(), by: "prefix" }),
            Prefix::Open => {}
        }
        let given = text(environment, "STATSD_PREFIX")?.filter(|prefix| !prefix.is_empty());
        if let Some(value) = given {
            // Dots alone would come to none, and by accident.
            let accepted = !value.trim_matches('.').is_empty();
            require("STATSD_PREFIX", format!("{value:?}"), accepted, "more than dots")?;
            return Ok(Said { value, by: "STATSD_PREFIX" });
        }
        let (Some(service), Some(environment)) = (&self.service, &self.environment) else {
            return Err(BuildError {
                setting: "prefix",
                value: "nothing".to_owned(),
                expected: "a prefix, by STATSD_PREFIX or the setting `prefix`, \
                    or the settings `service` and `environment`; or `prefix` set to none explicitly",
            });
        };
        let [service, environment] =
            [("service", service), ("environment", environment)].map(|(setting, given)| {
                let name = given.trim_matches('.');
                require(setting, format!("{given:?}"), !name.is_empty(), "a name").map(|()| name)
            });
        let (service, environment) = (service?, environment?);
        let value = format!("applications.{service}.{environment}");
        Ok(Said { value, by: "service and environment" })
    }
}

/// A variable's text, if it is set.
fn text(
    environment: impl Fn(&str) -> Option<OsString>,
    variable: &'static str,
) -> Result<Option<String>, BuildError> {
    let text = environment(variable).map(OsString::into_string).transpose();
    text.map_err(|given| refused(variable, &given, "text in UTF-8"))
}

fn refused(
    setting: &'static str,
    given: &(impl std::fmt::Debug + ?Sized),
    expected: &'static str,
) -> BuildError {
    BuildError { setting, value: format!("{given:?}"), expected }
}

/// Whether a text means yes: an integer other than 0, or one of four words in any case.
fn is_truthy(text: &str) -> bool {
    let integer = text.trim();
    let digits = integer.strip_prefix(['+', '-']).unwrap_or(integer);
    let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = || ["on", "t", "true", "yes"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_integer { digits.bytes().any(|byte| byte != b'0') } else { is_word() }
}

/// A protocol by its name, which is that of URLs.
pub(super) fn protocol(setting: &'static str, name: &str) -> Result<Protocol, BuildError> {
    match name {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        #[cfg(unix)]
        "unixgram" => Ok(Protocol::UnixDatagram),
        #[cfg(unix)]
        "unixstream" => Ok(Protocol::UnixStream),
        _ => Err(refused(setting, name, "tcp or udp, or on Unix unixgram or unixstream")),
    }
}

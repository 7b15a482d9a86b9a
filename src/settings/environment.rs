//! The rules by which settings and environment become a connector.

use super::{Prefix, Settings, warn};
use crate::builder::{Builder, DURATION, MAX_DURATION, Protocol, require};
use crate::connector::Connector;
use crate::error::{BuildError, quoted};
use std::ffi::OsString;

/// A value, and the name under which it was given: what an error is to name.
struct Sourced<T> {
    value: T,
    by: &'static str,
}

const PORTS: &str = "1 to 65535";
const PROTOCOLS: &str = "tcp or udp, or on Unix unixgram or unixstream";

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
            warn("metrics are disabled: neither the setting `host` nor STATSD_HOST is given");
            return Ok(None);
        };
        let port = self.port_from(environment)?;
        let protocol = self.protocol_from(environment)?;
        let prefix = self.prefix_from(environment)?;
        let timeout = self.shutdown_timeout;
        let in_bounds = !timeout.is_zero() && timeout <= MAX_DURATION;
        require("shutdown_timeout", format!("{timeout:?}"), in_bounds, DURATION)?;
        let builder = self.builder.clone().host(host.value).port(port.value);
        let builder = builder.protocol_by_default(protocol).prefix(prefix.value);
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
            let given = environment("STATSD_ENABLED");
            given.is_none_or(|value| value.to_str().is_some_and(|text| is_truthy(text.trim())))
        })
    }

    fn host_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Sourced<String>>, BuildError> {
        if let Some(host) = &self.host {
            return Ok(Some(Sourced { value: host.clone(), by: "host" }));
        }
        let given = text(environment, "STATSD_HOST")?;
        Ok(given.map(|value| Sourced { value, by: "STATSD_HOST" }))
    }

    fn port_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Sourced<u16>, BuildError> {
        if let Some(value) = self.port {
            return Ok(Sourced { value, by: "port" });
        }
        let by = "STATSD_PORT";
        let value = match text(environment, by)? {
            Some(given) => match linked_port(&given).unwrap_or(&given).parse() {
                Ok(port @ 1..) => port,
                _ => return Err(refused(by, &given, PORTS)),
            },
            None => 8125,
        };
        Ok(Sourced { value, by })
    }

    /// None where it is stated already, or by nobody.
    fn protocol_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Protocol>, BuildError> {
        if self.builder.states_protocol() {
            return Ok(None);
        }
        let by = "STATSD_PROTOCOL";
        let Some(given) = text(environment, by)? else { return Ok(None) };
        let known = protocol(&given.to_ascii_lowercase());
        known.map(Some).ok_or_else(|| refused(by, &given, PROTOCOLS))
    }

    fn prefix_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Sourced<String>, BuildError> {
        match &self.prefix {
            Prefix::Given(prefix) => return Ok(Sourced { value: prefix.clone(), by: "prefix" }),
            Prefix::None => return Ok(Sourced { value: String::new(), by: "prefix" }),
            Prefix::Open => {}
        }
        if let Some(value) = text(environment, "STATSD_PREFIX")? {
            // Dots alone would come to none, and by accident.
            let accepted = !value.trim_matches('.').is_empty();
            require("STATSD_PREFIX", quoted(&value), accepted, "more than dots")?;
            return Ok(Sourced { value, by: "STATSD_PREFIX" });
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
                require(setting, quoted(given), !name.is_empty(), "a name").map(|()| name)
            });
        let (service, environment) = (service?, environment?);
        let value = format!("applications.{service}.{environment}");
        Ok(Sourced { value, by: "service and environment" })
    }
}

/// A variable's text without the white space around it; None where nothing is left.
fn text(
    environment: impl Fn(&str) -> Option<OsString>,
    variable: &'static str,
) -> Result<Option<String>, BuildError> {
    let text = environment(variable).map(OsString::into_string).transpose();
    let text = text.map_err(|given| refused(variable, &given, "text in UTF-8"))?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

fn refused(
    setting: &'static str,
    given: &(impl std::fmt::Debug + ?Sized),
    expected: &'static str,
) -> BuildError {
    BuildError { setting, value: quoted(given), expected }
}

/// The port in `tcp://host:port` or `udp://host:port`: what Kubernetes puts into `<NAME>_PORT` for a
/// Service of that name, and Docker for a link. Its host and transport have no say.
pub(crate) fn linked_port(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let is_link = scheme.eq_ignore_ascii_case("tcp") || scheme.eq_ignore_ascii_case("udp");
    let (host, port) = rest.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_link && !host.is_empty() && is_port).then_some(port)
}

/// Whether a text means yes: an integer other than 0, or one of four words in any case.
fn is_truthy(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = || ["on", "t", "true", "yes"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_integer { digits.bytes().any(|byte| byte != b'0') } else { is_word() }
}

/// A protocol by its name, which is that of URLs.
fn protocol(name: &str) -> Option<Protocol> {
    match name {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        #[cfg(unix)]
        "unixgram" => Some(Protocol::UnixDatagram),
        #[cfg(unix)]
        "unixstream" => Some(Protocol::UnixStream),
        _ => None,
    }
}

/// The same in a file, where it has one form.
#[cfg(feature = "serde")]
pub(super) fn protocol_setting(name: &str) -> Result<Protocol, BuildError> {
    protocol(name).ok_or_else(|| refused("protocol", name, PROTOCOLS))
}

//! Rules that turn settings and environment variables into a connector.

use super::{Prefix, Settings};
use crate::config::builder::{Builder, require_duration};
use crate::config::environment::Variables;
use crate::error::{BuildError, quoted, require};
use crate::log_thread::log;
use crate::options::{DEFAULT_PORT, Endpoint, PORTS, Protocol, Target};
use std::ffi::OsString;
use std::net::IpAddr;

const ENABLED: &str = "STATSD_ENABLED";
const PORT: &str = "STATSD_PORT";

/// Value of a setting, and the name of the setting or environment variable that provides it, for
/// error messages.
struct Sourced<T> {
    value: T,
    source: &'static str,
}

impl Settings {
    /// Returns a builder with these settings and environment variables, or `None` if the connector
    /// is disabled. The function `environment` returns the value of a variable.
    ///
    /// ```
    /// use freewheel::Settings;
    ///
    /// let environment = |variable: &str| match variable {
    ///     "STATSD_HOST" => Some("127.0.0.1".into()),
    ///     "STATSD_PORT" => Some("eighty".into()),
    ///     _ => None,
    /// };
    /// let error = Settings::new().prefix("shop").builder_from(environment).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"invalid value "eighty" for STATSD_PORT: expected 1 to 65535"#,
    /// );
    /// ```
    ///
    /// # Errors
    /// The same as for [`connector`](Self::connector).
    pub fn builder_from(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Builder>, BuildError> {
        let lookup = |variable: &'static str| environment(variable);
        let variables = Variables::new(&lookup);
        if !self.is_enabled(&variables) {
            // Warnings follow the last read, since a subscriber may read the environment too.
            log(variables.into_warnings());
            return Ok(None);
        }
        let Some(host) = self.resolve_host(&variables)? else {
            let text = "metrics are disabled: neither the setting `host` nor STATSD_HOST is given";
            log(vec![text.to_owned()]);
            return Ok(None);
        };
        let (port, link) = self.resolve_port(&variables)?;
        let protocol = self.resolve_protocol(&variables)?;
        let prefix = self.resolve_prefix(&variables)?;
        require_duration("shutdown_timeout", self.shutdown_timeout)?;
        let builder = self.builder.clone().host(host.value).port(port.value);
        let builder = builder.protocol_by_default(protocol).prefix(prefix.value);
        match builder.clone().check() {
            Ok((flusher, _)) => {
                if let Some(link) = link {
                    link.warn_unless_used(&flusher.endpoint, &variables);
                }
                log(variables.into_warnings());
                Ok(Some(builder))
            }
            Err(error) => {
                let setting = match error.setting {
                    "host" => host.source,
                    "port" => port.source,
                    "prefix" => prefix.source,
                    "reconnect_sleep" => "reconnect_timeout",
                    "flush_interval" => "wait_timeout",
                    other => other,
                };
                Err(BuildError { setting, ..error })
            }
        }
    }

    fn is_enabled(&self, variables: &Variables<'_>) -> bool {
        if let Some(enabled) = self.enabled {
            return enabled;
        }
        let Some(given) = variables.lossy_or_blank(ENABLED) else { return true };
        if !is_truthy(&given) && !is_falsy(&given) {
            variables.warn(ENABLED, &given, "disables metrics: expected true or false");
        }
        is_truthy(&given)
    }

    fn resolve_host(
        &self,
        variables: &Variables<'_>,
    ) -> Result<Option<Sourced<String>>, BuildError> {
        if let Some(host) = &self.host {
            return Ok(Some(Sourced { value: host.clone(), source: "host" }));
        }
        let source = "STATSD_HOST";
        Ok(variables.text(source)?.map(|value| Sourced { value, source }))
    }

    /// Returns the port, and the link that `STATSD_PORT` holds if the port is read from one.
    fn resolve_port(
        &self,
        variables: &Variables<'_>,
    ) -> Result<(Sourced<u16>, Option<Link>), BuildError> {
        if let Some(value) = self.port {
            return Ok((Sourced { value, source: "port" }, None));
        }
        let Some(given) = variables.text(PORT)? else {
            return Ok((Sourced { value: DEFAULT_PORT, source: PORT }, None));
        };
        let link = Link::parse(&given);
        match link.as_ref().map_or(&*given, |link| &link.port).parse() {
            Ok(value @ 1..) => Ok((Sourced { value, source: PORT }, link)),
            _ => Err(BuildError::quoting(PORT, &given, PORTS)),
        }
    }

    /// Returns the protocol that `STATSD_PROTOCOL` names, or `None` if the settings have a protocol
    /// or if the variable is unset.
    fn resolve_protocol(&self, variables: &Variables<'_>) -> Result<Option<Protocol>, BuildError> {
        if self.builder.has_protocol() {
            return Ok(None);
        }
        let source = "STATSD_PROTOCOL";
        let Some(given) = variables.text(source)? else { return Ok(None) };
        let protocol = given.to_ascii_lowercase().parse::<Protocol>();
        protocol.map(Some).map_err(|error| BuildError::quoting(source, &given, error.expected))
    }

    fn resolve_prefix(&self, variables: &Variables<'_>) -> Result<Sourced<String>, BuildError> {
        match &self.prefix {
            Prefix::Given(prefix) => {
                return Ok(Sourced { value: prefix.clone(), source: "prefix" });
            }
            Prefix::None => return Ok(Sourced { value: String::new(), source: "prefix" }),
            Prefix::Unset => {}
        }
        let source = "STATSD_PREFIX";
        if let Some(value) = variables.text(source)? {
            // Dots are trimmed, so a prefix of dots would accidentally select no prefix.
            let accepted = !value.trim_matches('.').is_empty();
            require(source, quoted(&value), accepted, "more than dots")?;
            return Ok(Sourced { value, source });
        }
        let (Some(service), Some(environment)) = (&self.service, &self.environment) else {
            return Err(BuildError {
                setting: "prefix",
                value: String::new(),
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
        Ok(Sourced { value, source: "service and environment" })
    }
}

/// Parts of a text such as `tcp://host:port` in `STATSD_PORT`.
///
/// Kubernetes sets `<NAME>_PORT` to such a text for a Service of that name, and Docker for a link.
/// Only the port is used.
struct Link {
    text: String,
    /// Protocol of the link, or `None` if it is none of the client's.
    protocol: Option<Protocol>,
    host: String,
    port: String,
}

impl Link {
    /// Returns the parts of the text, or `None` if it is not `tcp://host:port`, `udp://host:port` or
    /// `sctp://host:port`. Orchestrators set these forms for a service of that name.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            "sctp" => None,
            _ => return None,
        };
        let (host, port) = rest.rsplit_once(':')?;
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        (!host.is_empty() && is_port).then(|| Self {
            text: text.to_owned(),
            protocol,
            host: host.to_owned(),
            port: port.to_owned(),
        })
    }

    /// Adds a warning if the host or the protocol of the link differs from the endpoint that is
    /// used. A name and an IP address differ, since no name is looked up here.
    fn warn_unless_used(&self, endpoint: &Endpoint, variables: &Variables<'_>) {
        let is_used = match &endpoint.target {
            Target::Tcp(address) | Target::Udp(address) => {
                let bare = self.host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                let host = bare.unwrap_or(&self.host);
                let is_same = match (host.parse::<IpAddr>(), address.host.parse::<IpAddr>()) {
                    (Ok(given), Ok(used)) => given == used,
                    _ => host.eq_ignore_ascii_case(&address.host),
                };
                is_same && self.protocol == Some(endpoint.protocol())
            }
            #[cfg(unix)]
            Target::UnixDatagram(_) | Target::UnixStream(_) => false,
        };
        if !is_used {
            let endpoint = quoted(&endpoint.to_string());
            let consequence =
                format_args!("is used for no more than its port: the server is {endpoint}");
            variables.warn(PORT, &self.text, consequence);
        }
    }
}

/// Returns true if the text is 0 or a usual word for false, such as `off`, in any case.
fn is_falsy(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_zero = !digits.is_empty() && digits.bytes().all(|byte| byte == b'0');
    let words = ["false", "f", "no", "n", "off", "disabled", "none"];
    is_zero || words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Returns true if the text is an integer other than 0, or `on`, `t`, `true` or `yes` in any case.
fn is_truthy(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = || ["on", "t", "true", "yes"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_integer { digits.bytes().any(|byte| byte != b'0') } else { is_word() }
}

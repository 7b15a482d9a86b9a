//! The environment that users of DogStatsD expect a client to read.
//!
//! | variable | what it says |
//! |---|---|
//! | `DD_DOGSTATSD_URL` | the endpoint: `udp://host[:port]`, `unix:///path`, `unixgram:///path` or `unixstream:///path` |
//! | `DD_AGENT_HOST` | without that: the host, over UDP; with a port, or a URL, as some give it too |
//! | `DD_DOGSTATSD_PORT` | the port at that host; 8125 |
//! | `DD_TAGS` | tags: `key:value`, between commas, or between spaces |
//! | `DD_ENV`, `DD_SERVICE`, `DD_VERSION` | the tags `env`, `service` and `version`, before those of `DD_TAGS` |
//! | `DD_ENTITY_ID` | the tag `dd.internal.entity_id` |
//! | `DD_ORIGIN_DETECTION_ENABLED` | whether lines say where they are from: true |
//! | `DD_EXTERNAL_ENV` | what the orchestrator says of that |
//! | `DD_CARDINALITY` | of which cardinality the tags are that the Agent adds; `DATADOG_CARDINALITY` without that |
//!
//! One that is empty is as one that is not there. What is not asked for is not looked at: the port is
//! not, where there is a URL.

use crate::builder::{Protocol, require};
use crate::emit::Cardinality;
use crate::endpoint::{self, Endpoint};
use crate::error::BuildError;
use std::ffi::OsString;

/// What the environment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) protocol: Protocol,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Each key once.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) origin_detection: bool,
    /// None without origin detection.
    pub(crate) external_data: Option<String>,
    pub(crate) cardinality: Option<Cardinality>,
}

const DEFAULT_PORT: u16 = 8125;

/// Variables and the tags that they stand for.
const TAGS: [(&str, &str); 4] = [
    ("DD_ENTITY_ID", "dd.internal.entity_id"),
    ("DD_ENV", "env"),
    ("DD_SERVICE", "service"),
    ("DD_VERSION", "version"),
];

/// Reads variables by name.
struct Variables<F>(F);

impl Environment {
    /// By what `lookup` says of a variable: in earnest [`std::env::var_os`].
    pub(crate) fn read(
        lookup: impl Fn(&'static str) -> Option<OsString>,
    ) -> Result<Self, BuildError> {
        let variables = Variables(lookup);
        let (protocol, host, port) = variables.endpoint()?;
        let origin_detection = variables.origin_detection()?;
        let external_data = if origin_detection { variables.external_data()? } else { None };
        let (tags, cardinality) = (variables.tags()?, variables.cardinality()?);
        Ok(Self { protocol, host, port, tags, origin_detection, external_data, cardinality })
    }
}

impl<F: Fn(&'static str) -> Option<OsString>> Variables<F> {
    /// None for what is empty.
    fn get(&self, variable: &'static str) -> Result<Option<String>, BuildError> {
        let Some(value) = self.0(variable).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        value.into_string().map(Some).map_err(|value| refused(variable, value, "UTF-8"))
    }

    fn endpoint(&self) -> Result<(Protocol, String, u16), BuildError> {
        if let Some(url) = self.get("DD_DOGSTATSD_URL")? {
            return from_url("DD_DOGSTATSD_URL", &url);
        }
        let Some(given) = self.get("DD_AGENT_HOST")? else {
            return Ok((Protocol::Udp, "127.0.0.1".to_owned(), self.port()?));
        };
        if given.contains("://") {
            return from_url("DD_AGENT_HOST", &given);
        }
        let is_host = |host: &str| Endpoint::new(Protocol::Udp, host, DEFAULT_PORT).is_ok();
        if is_host(&given) {
            return Ok((Protocol::Udp, given, self.port()?));
        }
        let (host, port) = given.rsplit_once(':').unzip();
        match (host.filter(|host| is_host(host)), port.and_then(read_port)) {
            (Some(host), Some(port)) => Ok((Protocol::Udp, host.to_owned(), port)),
            _ => Err(refused("DD_AGENT_HOST", given, "an IP address or a host name")),
        }
    }

    fn port(&self) -> Result<u16, BuildError> {
        let Some(given) = self.get("DD_DOGSTATSD_PORT")? else { return Ok(DEFAULT_PORT) };
        read_port(&given).ok_or_else(|| refused("DD_DOGSTATSD_PORT", given, "1 to 65535"))
    }

    fn tags(&self) -> Result<Vec<(String, String)>, BuildError> {
        let mut tags = Vec::new();
        for (variable, key) in TAGS {
            if let Some(value) = self.get(variable)? {
                let accepted = is_clean(&value, &['|', ',']);
                let expected = "no `|`, `,` or control character";
                require(variable, format!("{value:?}"), accepted, expected)?;
                tags.push((key.to_owned(), value));
            }
        }
        let own = tags.len();
        let all = self.get("DD_TAGS")?.unwrap_or_default();
        let separator = if all.contains(',') { ',' } else { ' ' };
        for tag in all.split(separator).map(str::trim).filter(|tag| !tag.is_empty()) {
            let (key, value) = tag.split_once(':').unwrap_or_default();
            let accepted = !key.is_empty() && !value.is_empty() && is_clean(tag, &['|']);
            let expected = "tags as key:value, between commas or spaces";
            require("DD_TAGS", format!("{all:?}"), accepted, expected)?;
            match tags.iter().position(|(known, _)| known == key) {
                None => tags.push((key.to_owned(), value.to_owned())),
                // Of several the last, but variables of their own before all.
                Some(at) if at >= own => value.clone_into(&mut tags[at].1),
                Some(_) => {}
            }
        }
        Ok(tags)
    }

    fn origin_detection(&self) -> Result<bool, BuildError> {
        const VARIABLE: &str = "DD_ORIGIN_DETECTION_ENABLED";
        let Some(given) = self.get(VARIABLE)? else { return Ok(true) };
        match &*given.to_ascii_lowercase() {
            "true" | "t" | "1" | "yes" | "y" | "on" => Ok(true),
            "false" | "f" | "0" | "no" | "n" | "off" => Ok(false),
            _ => Err(refused(VARIABLE, given, "true or false")),
        }
    }

    fn external_data(&self) -> Result<Option<String>, BuildError> {
        let given = self.get("DD_EXTERNAL_ENV")?;
        if let Some(given) = &given {
            let expected = "no `|` or control character";
            require("DD_EXTERNAL_ENV", format!("{given:?}"), is_clean(given, &['|']), expected)?;
        }
        Ok(given)
    }

    fn cardinality(&self) -> Result<Option<Cardinality>, BuildError> {
        for variable in ["DD_CARDINALITY", "DATADOG_CARDINALITY"] {
            let Some(given) = self.get(variable)? else { continue };
            return match &*given.to_ascii_lowercase() {
                "none" => Ok(Some(Cardinality::None)),
                "low" => Ok(Some(Cardinality::Low)),
                "orchestrator" => Ok(Some(Cardinality::Orchestrator)),
                "high" => Ok(Some(Cardinality::High)),
                _ => Err(refused(variable, given, "none, low, orchestrator or high")),
            };
        }
        Ok(None)
    }
}

fn from_url(variable: &'static str, url: &str) -> Result<(Protocol, String, u16), BuildError> {
    let expected = if cfg!(unix) {
        "udp://host[:port], unix:///path, unixgram:///path or unixstream:///path"
    } else {
        "udp://host[:port]"
    };
    let accepted = || {
        let (protocol, host, port) = endpoint::from_url(url).ok()?;
        let port = port.unwrap_or(DEFAULT_PORT);
        // No agent of this dialect listens to TCP.
        let is_known = protocol != Protocol::Tcp;
        (is_known && Endpoint::new(protocol, &host, port).is_ok()).then_some((protocol, host, port))
    };
    accepted().ok_or_else(|| refused(variable, url, expected))
}

fn read_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

fn is_clean(text: &str, separators: &[char]) -> bool {
    !text.contains(separators) && !text.contains(char::is_control)
}

fn refused(
    variable: &'static str,
    value: impl std::fmt::Debug,
    expected: &'static str,
) -> BuildError {
    BuildError { setting: variable, value: format!("{value:?}"), expected }
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;

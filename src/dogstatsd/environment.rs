//! The environment that users of DogStatsD expect a client to read.
//!
//! | variable | what it says |
//! |---|---|
//! | `DD_DOGSTATSD_URL` | the endpoint: `udp://host[:port]`, `unix:///path`, `unixgram:///path` or `unixstream:///path` |
//! | `DD_AGENT_HOST` | without that: the host, over UDP; with a port, or a URL, as some give it too |
//! | `DD_DOGSTATSD_PORT` | the port at that host; 8125 |
//! | `DD_TAGS` | tags: `key:value`, between commas, or between white space; others are sent as they are |
//! | `DD_ENV`, `DD_SERVICE`, `DD_VERSION` | the tags `env`, `service` and `version`, before those of `DD_TAGS` |
//! | `DD_ENTITY_ID` | the tag `dd.internal.entity_id` |
//! | `DD_ORIGIN_DETECTION_ENABLED` | whether lines say where they are from: true |
//! | `DD_EXTERNAL_ENV` | what the orchestrator says of that |
//! | `DD_CARDINALITY` | of which cardinality the tags are that the Agent adds; `DATADOG_CARDINALITY` without that |
//!
//! White space around a value is no part of it. One that is empty is as one that is not there. What is not
//! asked for is not looked at: the port is not, where there is a URL.
//!
//! Datadog's own clients (those for Go, Python, Ruby and Java were read) strip or ignore some of what is
//! wrong, so that it does not stop a service. It is the same here, with a warning:
//!
//! | variable | what is wrong | what happens | as in |
//! |---|---|---|---|
//! | `DD_DOGSTATSD_URL` | another scheme, or none | it is ignored: host and port count | Go, Python |
//! | | a port that is no number, or above 65535 | 8125 | Python |
//! | | no host | 127.0.0.1 | Go, Python |
//! | | a user, a path, a query behind `udp://host` | ignored, without a warning | Go, Python, Java |
//! | `DD_DOGSTATSD_PORT` | no integer | 8125 | Python |
//! | `DD_ORIGIN_DETECTION_ENABLED` | neither yes nor no | yes | all |
//! | `DD_EXTERNAL_ENV` | `\|`, and what cannot be printed | stripped | Go, Java; Ruby the latter |
//! | `DD_CARDINALITY`, `DATADOG_CARDINALITY` | another word | the next one counts, then none | Go, Java |
//! | `DD_ENV` and the other tags, `DD_TAGS` | `\|`, `,`, control characters | stripped | Ruby the former, Go line breaks |
//!
//! So is external data of more than 256 bytes, which would leave lines no room.

use crate::builder::Protocol;
use crate::encode::Cardinality;
use crate::endpoint::{self, Endpoint};
use crate::error::{BuildError, quoted};
use crate::settings::warn;
use std::cell::RefCell;
use std::ffi::OsString;

/// What the environment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) protocol: Protocol,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Each key once. Those that are not key and value are all key.
    pub(crate) tags: Vec<(String, Option<String>)>,
    pub(crate) origin_detection: bool,
    /// None without origin detection.
    pub(crate) external_data: Option<String>,
    pub(crate) cardinality: Option<Cardinality>,
}

const DEFAULT_PORT: u16 = 8125;
/// What the builder takes for a field.
const MAX_FIELD: usize = 256;

/// Variables and the tags that they stand for.
const TAGS: [(&str, &str); 4] = [
    ("DD_ENTITY_ID", "dd.internal.entity_id"),
    ("DD_ENV", "env"),
    ("DD_SERVICE", "service"),
    ("DD_VERSION", "version"),
];

/// Reads variables by name.
struct Variables<F> {
    lookup: F,
    warnings: RefCell<Vec<String>>,
}

impl Environment {
    /// By what `lookup` says of a variable: in earnest [`std::env::var_os`].
    pub(crate) fn read(
        lookup: impl Fn(&'static str) -> Option<OsString>,
    ) -> Result<Self, BuildError> {
        let (environment, warnings) = Self::read_warily(lookup);
        // Not before: who is warned may read the environment too.
        warnings.iter().for_each(warn);
        environment
    }

    /// And what is to be warned of.
    fn read_warily(
        lookup: impl Fn(&'static str) -> Option<OsString>,
    ) -> (Result<Self, BuildError>, Vec<String>) {
        let variables = Variables { lookup, warnings: RefCell::default() };
        let environment = variables.all();
        (environment, variables.warnings.into_inner())
    }
}

impl<F: Fn(&'static str) -> Option<OsString>> Variables<F> {
    fn all(&self) -> Result<Environment, BuildError> {
        let (protocol, host, port) = self.endpoint()?;
        let origin_detection = self.origin_detection();
        let external_data = if origin_detection { self.external_data() } else { None };
        let (tags, cardinality) = (self.tags()?, self.cardinality());
        Ok(Environment { protocol, host, port, tags, origin_detection, external_data, cardinality })
    }

    /// None for what is empty.
    fn get(&self, variable: &'static str) -> Result<Option<String>, BuildError> {
        let value = (self.lookup)(variable).map(OsString::into_string).transpose();
        let value = value.map_err(|value| refused(variable, &value, "UTF-8"))?;
        Ok(value.as_deref().and_then(trimmed))
    }

    /// Of what is ignored where it is not understood: what is no text is not, either.
    fn get_any(&self, variable: &'static str) -> Option<String> {
        (self.lookup)(variable).and_then(|value| trimmed(&value.to_string_lossy()))
    }

    fn warn(&self, variable: &str, value: &str, of: impl std::fmt::Display) {
        self.warnings.borrow_mut().push(format!("{variable}: {} {of}", quoted(value)));
    }

    /// With a warning if it is not clean.
    fn cleaned(&self, variable: &str, value: &str, stripped: impl Fn(char) -> bool) -> String {
        let clean = value.replace(&stripped, "");
        if clean != value {
            self.warn(variable, value, format_args!("is taken as {}", quoted(&clean)));
        }
        clean
    }

    fn endpoint(&self) -> Result<(Protocol, String, u16), BuildError> {
        const URL: &str = "DD_DOGSTATSD_URL";
        match self.get_any(URL) {
            Some(url) if is_foreign(&url) => {
                self.warn(URL, &url, format_args!("is ignored: expected {URLS}"));
            }
            Some(url) => return self.read_url(URL, &url),
            None => {}
        }
        let Some(given) = self.get("DD_AGENT_HOST")? else {
            return Ok((Protocol::Udp, "127.0.0.1".to_owned(), self.port()?));
        };
        if given.contains("://") {
            return self.read_url("DD_AGENT_HOST", &given);
        }
        let is_host = |host: &str| Endpoint::new(Protocol::Udp, host, DEFAULT_PORT).is_ok();
        if is_host(&given) {
            return Ok((Protocol::Udp, given, self.port()?));
        }
        let (host, port) = given.rsplit_once(':').unzip();
        match (host.filter(|host| is_host(host)), port.and_then(read_port)) {
            (Some(host), Some(port)) => Ok((Protocol::Udp, host.to_owned(), port)),
            _ => Err(refused("DD_AGENT_HOST", &given, "an IP address or a host name")),
        }
    }

    fn read_url(
        &self,
        variable: &'static str,
        url: &str,
    ) -> Result<(Protocol, String, u16), BuildError> {
        let refused = || refused(variable, url, URLS);
        let bare = self.bare_url(variable, url);
        let (protocol, host, port) = endpoint::from_url(&bare).map_err(|_| refused())?;
        let port = port.unwrap_or(DEFAULT_PORT);
        // No agent of this dialect listens to TCP.
        let is_known = protocol != Protocol::Tcp;
        let accepted = is_known && Endpoint::new(protocol, &host, port).is_ok();
        if accepted { Ok((protocol, host, port)) } else { Err(refused()) }
    }

    /// Of `udp://user@host:port/path?query`, what matters.
    fn bare_url(&self, variable: &str, url: &str) -> String {
        let Some(("udp", rest)) = url.split_once("://").map(|(scheme, rest)| {
            (if scheme.eq_ignore_ascii_case("udp") { "udp" } else { scheme }, rest)
        }) else {
            return url.to_owned();
        };
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = place.rsplit('@').next().unwrap_or_default();
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (place, None),
        };
        let port = port.filter(|port| {
            let is_port = port.parse::<u16>().is_ok() && !port.starts_with('+');
            if !is_port {
                self.warn(variable, url, "has no port from 1 to 65535: taken as 8125");
            }
            is_port
        });
        if host.is_empty() {
            self.warn(variable, url, "has no host: taken as 127.0.0.1");
        }
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        port.map_or_else(|| format!("udp://{host}"), |port| format!("udp://{host}:{port}"))
    }

    fn port(&self) -> Result<u16, BuildError> {
        const VARIABLE: &str = "DD_DOGSTATSD_PORT";
        let Some(given) = self.get_any(VARIABLE) else { return Ok(DEFAULT_PORT) };
        let digits = given.strip_prefix(['+', '-']).unwrap_or(&given);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            self.warn(VARIABLE, &given, "is ignored: expected 1 to 65535");
            return Ok(DEFAULT_PORT);
        }
        read_port(&given).ok_or_else(|| refused(VARIABLE, &given, "1 to 65535"))
    }

    fn tags(&self) -> Result<Vec<(String, Option<String>)>, BuildError> {
        let mut tags = Vec::new();
        for (variable, key) in TAGS {
            let given = self.get(variable)?.unwrap_or_default();
            let value =
                self.cleaned(variable, &given, |c| matches!(c, '|' | ',') || c.is_control());
            if !value.is_empty() {
                tags.push((key.to_owned(), Some(value)));
            }
        }
        let own = tags.len();
        let given = self.get("DD_TAGS")?.unwrap_or_default();
        let is_separator = |c: char| if given.contains(',') { c == ',' } else { c.is_whitespace() };
        for tag in given.split(is_separator).map(str::trim) {
            let tag = self.cleaned("DD_TAGS", tag, |c| c == '|' || c.is_control());
            let pair =
                tag.split_once(':').filter(|(key, value)| !key.is_empty() && !value.is_empty());
            let (key, value) = pair.map_or((&*tag, None), |(key, value)| (key, Some(value)));
            let value = value.map(str::to_owned);
            let known = tags.iter().position(|(known, other): &(String, Option<String>)| {
                known == key && other.is_some() == value.is_some()
            });
            match known {
                _ if key.is_empty() => {}
                None => tags.push((key.to_owned(), value)),
                // Of several the last, but variables of their own before all.
                Some(at) if at >= own => tags[at].1 = value,
                Some(_) => {}
            }
        }
        Ok(tags)
    }

    fn origin_detection(&self) -> bool {
        const VARIABLE: &str = "DD_ORIGIN_DETECTION_ENABLED";
        let Some(given) = self.get_any(VARIABLE) else { return true };
        match &*given.to_ascii_lowercase() {
            "true" | "t" | "1" | "yes" | "y" | "on" => true,
            "false" | "f" | "0" | "no" | "n" | "off" => false,
            _ => {
                self.warn(VARIABLE, &given, "is taken as true: expected true or false");
                true
            }
        }
    }

    fn external_data(&self) -> Option<String> {
        const VARIABLE: &str = "DD_EXTERNAL_ENV";
        let given = self.get_any(VARIABLE)?;
        let data = self.cleaned(VARIABLE, &given, |c| c == '|' || !is_printable(c));
        if data.len() > MAX_FIELD {
            self.warn(VARIABLE, &given, "is ignored: expected at most 256 bytes");
        }
        Some(data).filter(|data| (1..=MAX_FIELD).contains(&data.len()))
    }

    fn cardinality(&self) -> Option<Cardinality> {
        let read = |variable| {
            let given = self.get_any(variable)?;
            match &*given.to_ascii_lowercase() {
                "none" => Some(Cardinality::None),
                "low" => Some(Cardinality::Low),
                "orchestrator" => Some(Cardinality::Orchestrator),
                "high" => Some(Cardinality::High),
                _ => {
                    let expected = "is ignored: expected none, low, orchestrator or high";
                    self.warn(variable, &given, expected);
                    None
                }
            }
        };
        ["DD_CARDINALITY", "DATADOG_CARDINALITY"].into_iter().find_map(read)
    }
}

const URLS: &str = if cfg!(unix) {
    "udp://host[:port], unix:///path, unixgram:///path or unixstream:///path"
} else {
    "udp://host[:port]"
};

/// Whether it is no URL of this dialect's, not even a bad one.
fn is_foreign(url: &str) -> bool {
    let (scheme, _) = url.split_once(':').unwrap_or_default();
    let known = ["udp", "unix", "unixgram", "unixstream"];
    !known.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

fn trimmed(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// As Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and the ASCII space.
fn is_printable(character: char) -> bool {
    match character {
        '\0'..='\u{7f}' => matches!(character, ' '..='~'),
        // Behind another one, what can be printed is shown as it is, marks too.
        _ => format!("a{character}").escape_debug().count() == 2,
    }
}

fn read_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

fn refused(
    variable: &'static str,
    value: &(impl std::fmt::Debug + ?Sized),
    expected: &'static str,
) -> BuildError {
    BuildError { setting: variable, value: quoted(value), expected }
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;

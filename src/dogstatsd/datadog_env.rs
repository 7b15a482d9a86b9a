//! Reader of the environment variables that configure Datadog's StatsD clients, such as
//! `DD_AGENT_HOST` and `DD_TAGS`.
//!
//! | variable | meaning |
//! |---|---|
//! | `DD_DOGSTATSD_URL` | the endpoint: `udp://host[:port]`, `unix:///path`, `unixgram:///path` or `unixstream:///path` |
//! | `DD_AGENT_HOST` | without a URL: the host, over UDP. Some users add a port, or give a URL here |
//! | `DD_DOGSTATSD_PORT` | the port at that host, by default 8125 |
//! | `DD_TAGS` | tags `key:value`, separated by commas or by white space; others are sent literally |
//! | `DD_ENV`, `DD_SERVICE`, `DD_VERSION` | the tags `env`, `service` and `version`, which precede `DD_TAGS` |
//! | `DD_ENTITY_ID` | the tag `dd.internal.entity_id` |
//! | `DD_ORIGIN_DETECTION_ENABLED` | true (the default) if lines carry their origin |
//! | `DD_EXTERNAL_ENV` | the orchestrator's data about the origin |
//! | `DD_CARDINALITY` | the cardinality of the tags that the Agent adds; otherwise `DATADOG_CARDINALITY` |
//!
//! White space around a value is removed, and a blank variable counts as unset. Variables that have no
//! effect are not read: with a URL, the port is not.
//!
//! Some invalid values are stripped or ignored with a warning, so that they do not stop a service.
//! Datadog's clients for Go, Python, Ruby and Java do the same, according to their source:
//!
//! | variable | invalid value | consequence | same in |
//! |---|---|---|---|
//! | `DD_DOGSTATSD_URL` | another scheme, or none | ignored: host and port apply | Go, Python |
//! | | a port that is no number, or above 65535 | 8125 | Python |
//! | | no host | 127.0.0.1 | Go, Python |
//! | | a user, a path, a query after `udp://host` | ignored, without a warning | Go, Python, Java |
//! | `DD_DOGSTATSD_PORT` | no integer | 8125 | Python |
//! | `DD_ORIGIN_DETECTION_ENABLED` | neither true nor false | true | all |
//! | `DD_EXTERNAL_ENV` | `\|`, and characters that cannot be printed | stripped | Go, Java; Ruby strips characters that cannot be printed |
//! | `DD_CARDINALITY`, `DATADOG_CARDINALITY` | another word | the next variable applies, then none | Go, Java |
//! | `DD_ENV` and the other tags, `DD_TAGS` | `\|`, `,`, control characters | stripped | Ruby strips `\|` and `,`, Go line breaks |
//!
//! External data of more than 256 bytes, which would leave no room for lines, is ignored too. So is each
//! tag that does not fit, at the build: 256 bytes of the longest line are left for calls, and the
//! application's own tags come first.

use crate::config::{MAX_ORIGIN_FIELD, Variables};
use crate::error::{BuildError, quoted};
use crate::log_thread::log;
use crate::options::{Cardinality, DEFAULT_PORT, Endpoint, PORTS, Protocol};
use std::ffi::OsString;

/// Values of the environment variables that clients of the Datadog Agent read.
#[derive(Debug, PartialEq)]
pub(crate) struct DatadogEnv {
    pub(crate) endpoint: Endpoint,
    /// Tags for all metrics. A key occurs at most once with a value and once without.
    pub(crate) tags: Vec<DatadogTag>,
    pub(crate) origin_detection: bool,
    /// Data about the container from `DD_EXTERNAL_ENV`. `None` if the variable is unset or invalid,
    /// or if origin detection is disabled.
    pub(crate) external_data: Option<String>,
    pub(crate) cardinality: Option<Cardinality>,
}

/// Tag that an environment variable holds.
#[derive(Debug, PartialEq)]
pub(crate) struct DatadogTag {
    pub(crate) variable: &'static str,
    pub(crate) key: String,
    /// Value of the tag, or `None` for a tag without a value.
    pub(crate) value: Option<String>,
}

/// Environment variables that each hold the value of one tag, as pairs of the variable's name and
/// the tag's key.
const TAGS: [(&str, &str); 4] = [
    ("DD_ENTITY_ID", "dd.internal.entity_id"),
    ("DD_ENV", "env"),
    ("DD_SERVICE", "service"),
    ("DD_VERSION", "version"),
];

impl DatadogEnv {
    /// Reads Datadog's environment variables through the function `lookup`. Logs a warning about
    /// each invalid value that is ignored or corrected.
    pub(crate) fn read(
        lookup: impl Fn(&'static str) -> Option<OsString>,
    ) -> Result<Self, BuildError> {
        let (values, warnings) = Self::read_with_warnings(lookup);
        // Warnings follow the last read, since a subscriber may read the environment too.
        log(warnings);
        values
    }

    /// Reads Datadog's environment variables through the function `lookup`. Returns the values or
    /// an error, together with the warnings, which are not logged here.
    fn read_with_warnings(
        lookup: impl Fn(&'static str) -> Option<OsString>,
    ) -> (Result<Self, BuildError>, Vec<String>) {
        let reader = Reader { variables: Variables::new(&lookup) };
        let values = reader.read();
        (values, reader.variables.into_warnings())
    }
}

/// Reader that turns the environment variables into a [`DatadogEnv`].
struct Reader<'a> {
    variables: Variables<'a>,
}

impl Reader<'_> {
    fn read(&self) -> Result<DatadogEnv, BuildError> {
        let endpoint = self.endpoint()?;
        let origin_detection = self.origin_detection();
        let external_data = if origin_detection { self.external_data() } else { None };
        let (tags, cardinality) = (self.tags()?, self.cardinality());
        Ok(DatadogEnv { endpoint, tags, origin_detection, external_data, cardinality })
    }

    /// Returns the environment variable's `value` without the characters that `is_stripped`
    /// selects. Adds a warning about `variable` if any character was removed.
    fn stripped(&self, variable: &str, value: &str, is_stripped: impl Fn(char) -> bool) -> String {
        let clean = value.replace(&is_stripped, "");
        if clean != value {
            self.variables.warn(variable, value, format_args!("is taken as {}", quoted(&clean)));
        }
        clean
    }

    fn endpoint(&self) -> Result<Endpoint, BuildError> {
        const URL: &str = "DD_DOGSTATSD_URL";
        const HOST: &str = "DD_AGENT_HOST";
        match self.variables.lossy_text(URL) {
            Some(url) if is_foreign(&url) => {
                self.variables.warn(URL, &url, format_args!("is ignored: expected {URLS}"));
            }
            Some(url) => return self.read_url(URL, &url),
            None => {}
        }
        let Some(given) = self.variables.text(HOST)? else {
            return Endpoint::new(Protocol::Udp, "127.0.0.1", self.port()?);
        };
        if given.contains("://") {
            return self.read_url(HOST, &given);
        }
        let udp = |host: &str, port| Endpoint::new(Protocol::Udp, host, port).ok();
        if udp(&given, DEFAULT_PORT).is_some() {
            return Endpoint::new(Protocol::Udp, &given, self.port()?);
        }
        let with_port = given.rsplit_once(':').and_then(|(host, port)| udp(host, read_port(port)?));
        let expected = "an IP address or a host name";
        with_port.ok_or_else(|| BuildError::quoting(HOST, &given, expected))
    }

    fn read_url(&self, variable: &'static str, url: &str) -> Result<Endpoint, BuildError> {
        let endpoint = self.simplified_url(variable, url).parse::<Endpoint>().ok();
        // No agent of this dialect listens on TCP.
        let endpoint = endpoint.filter(|endpoint| endpoint.protocol() != Protocol::Tcp);
        endpoint.ok_or_else(|| BuildError::quoting(variable, url, URLS))
    }

    /// Reduces a URL such as `udp://user@host:port/path?query` to `udp://host:port`. Warns about an
    /// invalid port and a missing host, and uses the defaults. Returns URLs with other schemes
    /// unchanged.
    fn simplified_url(&self, variable: &str, url: &str) -> String {
        let rest = url.split_once("://").filter(|(scheme, _)| scheme.eq_ignore_ascii_case("udp"));
        let Some((_, rest)) = rest else { return url.to_owned() };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = port.filter(|port| {
            let is_port = port.parse::<u16>().is_ok() && !port.starts_with('+');
            if !is_port {
                self.variables.warn(variable, url, "has no port from 1 to 65535: taken as 8125");
            }
            is_port
        });
        if host.is_empty() {
            self.variables.warn(variable, url, "has no host: taken as 127.0.0.1");
        }
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        port.map_or_else(|| format!("udp://{host}"), |port| format!("udp://{host}:{port}"))
    }

    fn port(&self) -> Result<u16, BuildError> {
        const VARIABLE: &str = "DD_DOGSTATSD_PORT";
        let Some(given) = self.variables.lossy_text(VARIABLE) else { return Ok(DEFAULT_PORT) };
        let digits = given.strip_prefix(['+', '-']).unwrap_or(&given);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            self.variables.warn(VARIABLE, &given, format_args!("is ignored: expected {PORTS}"));
            return Ok(DEFAULT_PORT);
        }
        read_port(&given).ok_or_else(|| BuildError::quoting(VARIABLE, &given, PORTS))
    }

    fn tags(&self) -> Result<Vec<DatadogTag>, BuildError> {
        const VARIABLE: &str = "DD_TAGS";
        let mut tags: Vec<DatadogTag> = Vec::new();
        for (variable, key) in TAGS {
            let given = self.variables.text(variable)?.unwrap_or_default();
            let value =
                self.stripped(variable, &given, |c| matches!(c, '|' | ',') || c.is_control());
            if !value.is_empty() {
                tags.push(DatadogTag { variable, key: key.to_owned(), value: Some(value) });
            }
        }
        let fixed = tags.len();
        let given = self.variables.text(VARIABLE)?.unwrap_or_default();
        let is_separator = |c: char| if given.contains(',') { c == ',' } else { c.is_whitespace() };
        for tag in given.split(is_separator).map(str::trim) {
            let tag = self.stripped(VARIABLE, tag, |c| c == '|' || c.is_control());
            let pair =
                tag.split_once(':').filter(|(key, value)| !key.is_empty() && !value.is_empty());
            let (key, value) = pair.map_or((&*tag, None), |(key, value)| (key, Some(value)));
            let value = value.map(str::to_owned);
            let known = tags
                .iter()
                .position(|known| known.key == key && known.value.is_some() == value.is_some());
            match known {
                _ if key.is_empty() => {}
                None => {
                    tags.push(DatadogTag { variable: VARIABLE, key: key.to_owned(), value });
                }
                // The last tag of a key in `DD_TAGS` applies, unless another variable holds the tag.
                Some(index) if index >= fixed => tags[index].value = value,
                Some(_) => {}
            }
        }
        Ok(tags)
    }

    fn origin_detection(&self) -> bool {
        const VARIABLE: &str = "DD_ORIGIN_DETECTION_ENABLED";
        let Some(given) = self.variables.lossy_text(VARIABLE) else { return true };
        match &*given.to_ascii_lowercase() {
            "true" | "t" | "1" | "yes" | "y" | "on" => true,
            "false" | "f" | "0" | "no" | "n" | "off" => false,
            _ => {
                self.variables.warn(VARIABLE, &given, "is taken as true: expected true or false");
                true
            }
        }
    }

    fn external_data(&self) -> Option<String> {
        const VARIABLE: &str = "DD_EXTERNAL_ENV";
        let given = self.variables.lossy_text(VARIABLE)?;
        let data = self.stripped(VARIABLE, &given, |c| c == '|' || !is_printable(c));
        if data.len() > MAX_ORIGIN_FIELD {
            self.variables.warn(VARIABLE, &given, "is ignored: expected at most 256 bytes");
        }
        Some(data).filter(|data| (1..=MAX_ORIGIN_FIELD).contains(&data.len()))
    }

    fn cardinality(&self) -> Option<Cardinality> {
        let read = |variable| {
            let given = self.variables.lossy_text(variable)?;
            let cardinality = given.to_ascii_lowercase().parse().ok();
            if cardinality.is_none() {
                let expected = format_args!("is ignored: expected {}", Cardinality::EXPECTED);
                self.variables.warn(variable, &given, expected);
            }
            cardinality
        };
        ["DD_CARDINALITY", "DATADOG_CARDINALITY"].into_iter().find_map(read)
    }
}

const URLS: &str = if cfg!(unix) {
    "udp://host[:port], unix:///path, unixgram:///path or unixstream:///path"
} else {
    "udp://host[:port]"
};

/// Returns true unless the URL begins with a scheme of DogStatsD, such as `udp:` or `unix:`.
fn is_foreign(url: &str) -> bool {
    let (scheme, _) = url.split_once(':').unwrap_or_default();
    let known = ["udp", "unix", "unixgram", "unixstream"];
    !known.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Returns the same as Go's `unicode.IsPrint`: true for letters, marks, numbers, punctuation, symbols
/// and the ASCII space.
fn is_printable(character: char) -> bool {
    match character {
        '\0'..='\u{7f}' => matches!(character, ' '..='~'),
        // After another character, `escape_debug` leaves every character unchanged that can be
        // printed, marks included.
        _ => format!("a{character}").escape_debug().count() == 2,
    }
}

/// Parses a port number from 1 to 65535. Returns `None` for other numbers, and for text that
/// contains anything but digits.
fn read_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

#[cfg(test)]
#[path = "datadog_env_tests.rs"]
mod tests;

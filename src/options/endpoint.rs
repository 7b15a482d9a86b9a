//! Endpoints: the validated protocol and address of a StatsD server.

use crate::error::{BuildError, quoted, require};
use crate::options::Protocol;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV6};
use std::path::PathBuf;
use std::str::FromStr;

/// Protocol and address of a StatsD server.
///
/// `FromStr` reads a URL, and `Display` writes one:
///
/// | URL | server |
/// |---|---|
/// | `udp://host[:port]` | UDP |
/// | `tcp://host[:port]` | TCP |
/// | `unixgram:///path` or `unix:///path` | datagram socket at a path, on Unix |
/// | `unixstream:///path` | stream socket at a path, on Unix |
///
/// IPv6 addresses stand in brackets. The default port is 8125. A path is taken literally: nothing in
/// it is escaped, and `unixgram://path` with two slashes is relative to the working directory. `unix://`
/// is a datagram socket, although some other clients use it for a stream.
///
/// ```
/// use freewheel::{Builder, Endpoint, Protocol};
///
/// let endpoint: Endpoint = "udp://[::1]".parse()?;
/// assert_eq!(endpoint.protocol(), Protocol::Udp);
/// assert_eq!(endpoint.to_string(), "udp://[::1]:8125");
/// let statsd = Builder::from(endpoint).prefix("my-service").build()?;
/// # Ok::<(), freewheel::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    pub(crate) target: Target,
}

/// Protocol of an endpoint, with the address or the socket path of the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Tcp(Address),
    Udp(Address),
    #[cfg(unix)]
    UnixDatagram(PathBuf),
    #[cfg(unix)]
    UnixStream(PathBuf),
}

/// Host and port of a TCP or UDP server. The host is an IP address, or a name that is resolved at
/// each connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Default port of a StatsD server, which is 8125 by convention.
pub(crate) const DEFAULT_PORT: u16 = 8125;

/// Description of the accepted ports for error messages.
pub(crate) const PORTS: &str = "1 to 65535";

impl Endpoint {
    /// Creates an endpoint after it has validated the parts. For a Unix socket, `host` is the path,
    /// and the port is ignored.
    pub(crate) fn new(protocol: Protocol, host: &str, port: u16) -> Result<Self, BuildError> {
        let address = || {
            let host = validate_host(host)?;
            require("port", port, port != 0, PORTS)?;
            Ok(Address { host, port })
        };
        let target = match protocol {
            Protocol::Tcp => Target::Tcp(address()?),
            Protocol::Udp => Target::Udp(address()?),
            #[cfg(unix)]
            Protocol::UnixDatagram => Target::UnixDatagram(validate_path(host)?),
            #[cfg(unix)]
            Protocol::UnixStream => Target::UnixStream(validate_path(host)?),
        };
        Ok(Self { target })
    }

    /// Returns the transport protocol of the endpoint.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match self.target {
            Target::Tcp(_) => Protocol::Tcp,
            Target::Udp(_) => Protocol::Udp,
            #[cfg(unix)]
            Target::UnixDatagram(_) => Protocol::UnixDatagram,
            #[cfg(unix)]
            Target::UnixStream(_) => Protocol::UnixStream,
        }
    }
}

const URL: &str =
    "udp://host[:port], tcp://host[:port], unixgram:///path (or unix:) or unixstream:///path";

impl FromStr for Endpoint {
    type Err = BuildError;

    /// Parses the URL of a server, such as `udp://host:8125`.
    ///
    /// # Errors
    /// The setting of the error is `url` for a malformed URL, otherwise `host` or `port`.
    fn from_str(url: &str) -> Result<Self, BuildError> {
        let error = || BuildError::quoting("url", url, URL);
        let (scheme, rest) = url.split_once("://").ok_or_else(error)?;
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            // The clients of the Datadog Agent use both schemes for its datagram socket.
            #[cfg(unix)]
            "unix" | "unixgram" => Protocol::UnixDatagram,
            #[cfg(unix)]
            "unixstream" => Protocol::UnixStream,
            _ => return Err(error()),
        };
        match protocol {
            Protocol::Tcp | Protocol::Udp => {
                let (host, port) = split_port(rest).ok_or_else(error)?;
                Self::new(protocol, host, port.unwrap_or(DEFAULT_PORT))
            }
            #[cfg(unix)]
            Protocol::UnixDatagram | Protocol::UnixStream => {
                Self::new(protocol, rest, DEFAULT_PORT)
            }
        }
    }
}

/// Splits `host[:port][/]` into host and port. Returns `None` if the port is not a valid number, or
/// if more than one colon stands outside brackets.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.strip_suffix('/').unwrap_or(text);
    // The last colon separates the port, unless the colon is part of an IPv6 address.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
            (host, Some(port.parse().ok().filter(|_| is_number)?))
        }
        _ => (text, None),
    };
    // Without brackets, the port of an IPv6 address is ambiguous.
    let is_clear = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    is_clear.then_some((host, port))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = self.protocol();
        match &self.target {
            Target::Tcp(address) | Target::Udp(address) => write!(f, "{protocol}://{address}"),
            #[cfg(unix)]
            Target::UnixDatagram(path) | Target::UnixStream(path) => {
                write!(f, "{protocol}://{}", path.display())
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Maximum length in bytes of a Unix socket's path: the size of `sun_path` less its final NUL.
/// `sun_path` has 108 bytes on Linux, and 104 on the BSDs and macOS.
#[cfg(unix)]
const MAX_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

#[cfg(unix)]
fn validate_path(given: &str) -> Result<PathBuf, BuildError> {
    // The path appears in logs, and a URL states it literally.
    let is_plain = !given.contains(char::is_control);
    let accepted = (1..=MAX_PATH).contains(&given.len()) && is_plain;
    let expected = "the path of a Unix socket: 1 to 107 bytes (103 on systems other than Linux), \
        no control characters";
    require("host", quoted(given), accepted, expected)?;
    Ok(given.into())
}

/// Validates a host: an IP address, in brackets or not, or a DNS name (RFC 1123, and also `_`).
/// Returns the host without brackets.
fn validate_host(given: &str) -> Result<String, BuildError> {
    let expected = "an IP address or a host name, without a port";
    let inner = given.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if inner.is_some() || given.contains(':') {
        let bare = inner.unwrap_or(given);
        // An IPv6 address can have a zone, which only the parser of `SocketAddr` accepts.
        let is_address = format!("[{bare}]:1").parse::<SocketAddrV6>().is_ok();
        require("host", quoted(given), is_address, expected)?;
        return Ok(bare.to_owned());
    }
    let name = given.strip_suffix('.').unwrap_or(given);
    let is_label = |label: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let has_outer_hyphen = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && label.bytes().all(is_allowed) && !has_outer_hyphen
    };
    // No top-level domain is a number, so a text that ends in a number is meant as an address.
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = name.len() <= 253 && name.split('.').all(is_label) && !is_number;
    let accepted = is_name || given.parse::<Ipv4Addr>().is_ok();
    require("host", quoted(given), accepted, expected)?;
    Ok(given.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_read_back_from_its_url() {
        let hosts = ["fe80::1%2", "[fe80::1%2]", "::1", "[::ffff:1.2.3.4]", "127.0.0.1", "a_b.c."];
        let hosts = hosts.map(|host| [(Protocol::Udp, host), (Protocol::Tcp, host)]);
        #[cfg(unix)]
        let paths = ["/run/a b é\\n%0a", "relative", "/a?b#c:1", "[::1]:1/"]
            .map(|path| [(Protocol::UnixDatagram, path), (Protocol::UnixStream, path)]);
        #[cfg(not(unix))]
        let paths = [];
        for (protocol, host) in hosts.into_iter().chain(paths).flatten() {
            let endpoint = Endpoint::new(protocol, host, 8126).expect("a host or a path");
            assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_path_with_control_characters_is_refused() {
        for path in ["/run/a\n", "/run/\u{1b}b", "/run/\u{85}", "/run/\0"] {
            let refused = Endpoint::new(Protocol::UnixStream, path, 1).expect_err("no path");
            assert_eq!(refused.setting(), "host");
        }
    }
}

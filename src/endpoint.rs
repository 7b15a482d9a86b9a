//! Endpoints: where lines go, checked once.

use crate::builder::{Protocol, require};
use crate::error::{BuildError, quoted};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// What the server listens at.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    Tcp(Address),
    Udp(Address),
    #[cfg(unix)]
    UnixDatagram(PathBuf),
    #[cfg(unix)]
    UnixStream(PathBuf),
}

/// An IP address or a name that is looked up at each connection, and a port.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Endpoint {
    /// For a Unix socket, `host` is its path.
    pub(crate) fn new(protocol: Protocol, host: &str, port: u16) -> Result<Self, BuildError> {
        let address = || {
            let host = self::host(host)?;
            require("port", port, port != 0, "1 to 65535")?;
            Ok(Address { host, port })
        };
        Ok(match protocol {
            Protocol::Tcp => Self::Tcp(address()?),
            Protocol::Udp => Self::Udp(address()?),
            #[cfg(unix)]
            Protocol::UnixDatagram => Self::UnixDatagram(path(host)?),
            #[cfg(unix)]
            Protocol::UnixStream => Self::UnixStream(path(host)?),
        })
    }
}

/// As a URL.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Udp(address) => write!(f, "udp://{address}"),
            #[cfg(unix)]
            Self::UnixDatagram(path) => write!(f, "unixgram://{}", shown(path)),
            #[cfg(unix)]
            Self::UnixStream(path) => write!(f, "unixstream://{}", shown(path)),
        }
    }
}

/// A path may hold anything, and stands in logs.
#[cfg(unix)]
fn shown(path: &std::path::Path) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    path.to_string_lossy().chars().map(escaped).collect()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

const URL: &str =
    "udp://host[:port], tcp://host[:port], unixgram:///path (or unix:) or unixstream:///path";

/// Protocol, host or path, and port where one is given.
pub(crate) fn from_url(url: &str) -> Result<(Protocol, String, Option<u16>), BuildError> {
    let refused = || BuildError { setting: "url", value: quoted(url), expected: URL };
    let (scheme, rest) = url.split_once("://").ok_or_else(refused)?;
    let protocol = match scheme.to_ascii_lowercase().as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        // What the agents of the datagram dialects mean by it.
        #[cfg(unix)]
        "unix" | "unixgram" => Protocol::UnixDatagram,
        #[cfg(unix)]
        "unixstream" => Protocol::UnixStream,
        _ => return Err(refused()),
    };
    if !matches!(protocol, Protocol::Tcp | Protocol::Udp) {
        return Ok((protocol, rest.to_owned(), None));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    // The last colon, unless it is within an IPv6 address.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
            let port = port.parse().ok().filter(|_| is_number);
            (host, Some(port.ok_or_else(refused)?))
        }
        _ => (rest, None),
    };
    // Where there is more than one colon, only brackets tell what is the port.
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(refused());
    }
    Ok((protocol, host.to_owned(), port))
}

/// What `sun_path` holds on Linux, less its NUL; the BSDs and macOS have 104.
#[cfg(unix)]
const MAX_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

#[cfg(unix)]
fn path(given: &str) -> Result<PathBuf, BuildError> {
    let accepted = (1..=MAX_PATH).contains(&given.len()) && !given.contains('\0');
    let expected = "the path of a Unix socket: 1 to 107 bytes (103 but for Linux), no NUL";
    require("host", quoted(given), accepted, expected)?;
    Ok(given.into())
}

/// An IP address, in brackets or not, or what can be a name in the DNS (RFC 1123, and `_`).
fn host(given: &str) -> Result<String, BuildError> {
    let expected = "an IP address or a host name, without a port";
    let bare = given.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(inner) = bare {
        require("host", quoted(given), inner.parse::<Ipv6Addr>().is_ok(), expected)?;
        return Ok(inner.to_owned());
    }
    // An IPv6 address can have a zone, which only this parser knows.
    if given.contains(':') {
        let is_address = format!("[{given}]:1").parse::<SocketAddr>().is_ok();
        require("host", quoted(given), is_address, expected)?;
        return Ok(given.to_owned());
    }
    let name = given.strip_suffix('.').unwrap_or(given);
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let hyphened = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && label.bytes().all(allowed) && !hyphened
    };
    // No top-level domain is a number: what ends in one is meant as an address.
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = name.len() <= 253 && name.split('.').all(is_label) && !is_number;
    let accepted = is_name || given.parse::<Ipv4Addr>().is_ok();
    require("host", quoted(given), accepted, expected)?;
    Ok(given.to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_control_characters() {
        let endpoint = Endpoint::new(Protocol::UnixStream, "/run/a\n\u{1b}b é", 1).expect("a path");
        assert_eq!(endpoint.to_string(), r"unixstream:///run/a\n\u{1b}b é");
    }
}

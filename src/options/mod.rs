//! Options with a fixed set of values, and the names of these values in settings files and
//! environment variables.

mod cardinality;
mod dialect;
mod dogstatsd_version;
mod endpoint;

pub use cardinality::Cardinality;
pub use dialect::Dialect;
pub use dogstatsd_version::DogStatsDVersion;
pub use endpoint::Endpoint;

#[cfg(feature = "client")]
pub(crate) use {
    dogstatsd_version::Feature,
    endpoint::{Address, DEFAULT_PORT, PORTS, Target},
};

use crate::names::names;

/// Transport protocol between the connector and the server.
///
/// `FromStr` and `Display` use the names `tcp`, `udp`, `unixgram` and `unixstream`, the last two on
/// Unix only.
///
/// ```
/// use freewheel::Protocol;
///
/// let protocol: Protocol = "udp".parse()?;
/// assert_eq!(protocol, Protocol::Udp);
/// assert_eq!(protocol.to_string(), "udp");
/// # Ok::<(), freewheel::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// TCP stream, with large writes and automatic reconnection. [`Delivery`] defines what a broken
    /// connection can lose.
    Tcp,
    /// UDP datagrams, each filled with lines up to the maximum payload.
    Udp,
    /// Datagrams to a Unix socket on the same machine. The argument of
    /// [`Connector::builder`](crate::Connector::builder) is the path of the socket.
    ///
    /// Unlike UDP, a receiver that is full or gone refuses the datagram, and its lines are kept.
    #[cfg(unix)]
    UnixDatagram,
    /// Stream to a Unix socket on the same machine. The argument of
    /// [`Connector::builder`](crate::Connector::builder) is the path of the socket.
    #[cfg(unix)]
    UnixStream,
}

impl Protocol {
    /// Returns true if the protocol carries a stream of bytes, false if it carries datagrams.
    pub(crate) const fn is_stream(self) -> bool {
        match self {
            Self::Tcp => true,
            Self::Udp => false,
            #[cfg(unix)]
            Self::UnixDatagram => false,
            #[cfg(unix)]
            Self::UnixStream => true,
        }
    }

    /// Returns the default maximum size in bytes of a datagram, or of a length-prefixed frame in a
    /// stream.
    pub(crate) const fn default_payload(self) -> usize {
        match self {
            // Fits an Ethernet frame of 1,500 bytes together with the headers of IP and UDP.
            Self::Tcp | Self::Udp => 1432,
            // The receive buffer of the Datadog Agent.
            #[cfg(unix)]
            Self::UnixDatagram | Self::UnixStream => 8192,
        }
    }
}

/// Condition under which a line on a stream counts as sent. Datagrams are never acknowledged.
///
/// # Lines that make a server close the connection
///
/// An unacknowledged line is the first line on each new connection. The Datadog Agent, for example,
/// closes the connection on a frame above its buffer of 8,192 bytes. Such a line would block all
/// others, so the connector isolates it:
///
/// 1. The trigger is five connections in a row that end with the same first line in flight and
///    nothing acknowledged.
/// 2. From then on lines go one by one, in frames of one line. They go only to a server that has
///    read an empty line first and kept the connection for 100 ms.
/// 3. A line that ends the connection is quarantined, and the next line is tried. At most eight lines
///    are quarantined.
/// 4. Once a later line is acknowledged, the lines quarantined before it are discarded with a warning.
///    They count as [rejected](crate::Losses::rejected).
/// 5. If no later line is acknowledged, the fault is the server's: all lines are kept in order.
///
/// A server that closes every connection before it acknowledges anything costs only time. Over TCP
/// its operating system may acknowledge lines before the close, and they count as sent. One case costs up to
/// eight good lines: a server that reads empty lines, closes on all others, and later reads lines
/// again. The lines quarantined at that moment are lost.
///
/// Isolation needs lines that are kept until they are acknowledged: [`Acknowledged`] on Linux. Over
/// TCP the server's operating system nearly always acknowledges a line before the server closes, and
/// the line then counts as sent. With [`Written`] and on other systems such a line counts as sent
/// too, together with everything written after it. There nothing is sent twice, and no line blocks
/// another.
///
/// [`Acknowledged`]: Self::Acknowledged
/// [`Written`]: Self::Written
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// A line counts as sent once the peer's operating system has acknowledged it. On a Unix socket,
    /// it counts once the server has read it.
    ///
    /// Until then the line is kept within the capacity. After a broken connection the next one
    /// begins with the first line that was not wholly acknowledged. A cut cable, a crashed host or a
    /// reset therefore loses nothing that the peer did not already have.
    ///
    /// The price is duplicates. A line arrives twice if only its acknowledgement was lost, or if a
    /// server on a Unix socket dies after it has read part of a buffer.
    ///
    /// Needs Linux; on other systems this is the same as [`Written`](Self::Written).
    #[default]
    Acknowledged,
    /// A line counts as sent once the local operating system has accepted it.
    ///
    /// Bytes in flight on a connection that breaks are lost, although they count as sent. That can
    /// be megabytes if the server had stalled. No line arrives twice.
    Written,
}

/// Way in which lines are separated in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// Lines end with a newline.
    #[default]
    Newlines,
    /// Lines are grouped into frames. The length of each frame, a 32-bit little-endian integer,
    /// precedes the frame, as the Datadog Agent reads it from a Unix stream.
    ///
    /// Frames are filled like datagrams.
    LengthPrefixed,
}

/// Choice of the lines to drop once the [queue capacity](crate::Builder::queue_capacity) is used
/// up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// Drops the line that is being emitted.
    #[default]
    DropNewest,
    /// Drops the oldest lines that are not in flight, one block (a buffer of up to 16 KiB) at a
    /// time. Use it if current values matter more than history.
    ///
    /// Eviction begins once three quarters of the blocks wait, or half of them if there are few.
    /// Evicted lines count as [evicted](crate::Losses::evicted). Threads that emit faster than the
    /// flusher can evict still drop the line that is being emitted.
    ///
    /// Bytes that the operating system has accepted for a stalled server are in flight and may still
    /// arrive: some 300 KiB over TCP, or as much as the server's kernel holds. A
    /// [capacity](crate::Builder::queue_capacity) of that size or less is then entirely in flight,
    /// and the newest lines are dropped. Use a megabyte or more if the newest lines matter.
    DropOldest,
}

names! { Protocol, setting: "protocol",
    expected: "tcp or udp, or on Unix unixgram or unixstream";
    Tcp => "tcp",
    Udp => "udp",
    #[cfg(unix)]
    UnixDatagram => "unixgram",
    #[cfg(unix)]
    UnixStream => "unixstream",
}

names! { Delivery, setting: "delivery";
    Acknowledged => "acknowledged",
    Written => "written",
}

names! { Framing, setting: "framing";
    Newlines => "newlines",
    LengthPrefixed => "length_prefixed",
}

names! { WhenFull, setting: "when_full";
    DropNewest => "drop_newest",
    DropOldest => "drop_oldest",
}

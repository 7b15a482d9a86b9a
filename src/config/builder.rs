//! Builder of a connector (the StatsD client), which validates all settings together.

mod aggregation;
mod dialect_options;
mod latency;
mod validate;

use crate::error::BuildError;
use crate::options::{DEFAULT_PORT, Delivery, Endpoint, Framing, Protocol, Target, WhenFull};
use aggregation::AggregationOptions;
use dialect_options::DialectOptions;
use latency::LatencyOptions;
use std::time::Duration;

pub(crate) use dialect_options::MAX_ORIGIN_FIELD;
pub(super) use validate::require_duration;

/// Builder of a [`Connector`](crate::Connector) (the StatsD client), with a method for each setting.
///
/// [`build`](Self::build) validates all settings. Its error names the setting and its value.
///
/// ```
/// use freewheel::{Connector, Protocol};
/// use std::time::Duration;
///
/// let statsd = Connector::builder("statsd.example")
///     .protocol(Protocol::Udp)
///     .prefix("applications.my-service")
///     .flush_interval(Duration::from_millis(50))
///     .build()?;
/// # Ok::<(), freewheel::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    host: String,
    port: u16,
    /// Transport protocol, if the caller has set it, directly or by an endpoint. `None` selects the
    /// default of the StatsD dialect.
    protocol: Option<Protocol>,
    prefix: String,
    type_prefixes: Option<bool>,
    dialect_options: DialectOptions,
    latency: LatencyOptions,
    aggregation: AggregationOptions,
    queue_capacity: usize,
    max_datagram_payload: Option<usize>,
    hold_when_refused: bool,
    segmentation_offload: bool,
    delivery: Delivery,
    /// Separation of the lines in a stream, if the caller has set it. `None` selects the default
    /// for the dialect and the protocol.
    framing: Option<Framing>,
    when_full: WhenFull,
    flush_interval: Duration,
    reconnect_sleep: Duration,
    connect_timeout: Duration,
    peer_timeout: Duration,
    lookup_interval: Duration,
    stop_timeout: Duration,
}

impl From<Endpoint> for Builder {
    fn from(endpoint: Endpoint) -> Self {
        Self::new(String::new()).endpoint(endpoint)
    }
}

impl Builder {
    pub(crate) fn new(host: String) -> Self {
        Self {
            host,
            port: DEFAULT_PORT,
            protocol: None,
            prefix: String::new(),
            type_prefixes: None,
            dialect_options: DialectOptions::default(),
            latency: LatencyOptions::default(),
            aggregation: AggregationOptions::default(),
            queue_capacity: 5 << 20,
            max_datagram_payload: None,
            hold_when_refused: true,
            segmentation_offload: true,
            delivery: Delivery::default(),
            framing: None,
            when_full: WhenFull::default(),
            flush_interval: Duration::from_millis(100),
            reconnect_sleep: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(5),
            peer_timeout: Duration::from_secs(60),
            lookup_interval: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(5),
        }
    }

    /// Creates a builder for a connector to the server with this URL, such as `udp://[::1]:9125`.
    /// [`Endpoint`] lists all forms.
    ///
    /// ```
    /// use freewheel::Builder;
    ///
    /// let statsd = Builder::from_url("udp://[::1]:9125")?.prefix("my-service").build()?;
    /// let error = Builder::from_url("http://127.0.0.1").unwrap_err();
    /// assert_eq!(error.setting(), "url");
    /// # Ok::<(), freewheel::BuildError>(())
    /// ```
    ///
    /// # Errors
    /// The URL is malformed, or its host, port or path is invalid.
    pub fn from_url(url: &str) -> Result<Self, BuildError> {
        url.parse::<Endpoint>().map(Self::from)
    }

    /// Sets the protocol and the address of the server, in place of the host, port and protocol
    /// that were set before.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.protocol = Some(endpoint.protocol());
        match endpoint.target {
            Target::Tcp(address) | Target::Udp(address) => {
                self.host = address.host;
                self.port = address.port;
            }
            #[cfg(unix)]
            Target::UnixDatagram(path) | Target::UnixStream(path) => {
                // The path was validated as text, so the conversion is lossless.
                self.host = path.to_string_lossy().into_owned();
            }
        }
        self
    }

    pub(crate) fn host(mut self, host: String) -> Self {
        self.host = host;
        self
    }

    /// Sets the port of the server. Default: 8125. Must not be 0. Unix sockets have no port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the transport protocol.
    ///
    /// The default is the protocol of the [endpoint](Self::endpoint), if one was set. Otherwise the
    /// default depends on the dialect: [`Protocol::Udp`] in
    /// [`Dialect::DogStatsD`](crate::Dialect::DogStatsD), whose servers do not listen on TCP, and
    /// [`Protocol::Tcp`] in all others. [`build`](Self::build) resolves the default, so the order of
    /// the settings does not matter.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Sets the transport protocol, unless a protocol was set before.
    pub(crate) fn protocol_by_default(mut self, protocol: Option<Protocol>) -> Self {
        self.protocol = self.protocol.or(protocol);
        self
    }

    /// Returns true if the caller has set the transport protocol, directly or by an endpoint.
    pub(crate) fn has_protocol(&self) -> bool {
        self.protocol.is_some()
    }

    /// Sets the prefix of every metric path. Default: none.
    ///
    /// Dots at both ends are removed. The prefix must not exceed 256 bytes, and must not contain
    /// characters that the [dialect](crate::Dialect#clean-input) forbids in names.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets whether the metric's type (`counters.`, `gauges.`, `timers.`, `sets.`, `histograms.`,
    /// `distributions.` or `meters.`) is inserted between the prefix and the path.
    ///
    /// Default: true in dialects without tags, false in the others. Turn this off for servers that
    /// add such prefixes themselves.
    pub fn type_prefixes(mut self, on: bool) -> Self {
        self.type_prefixes = Some(on);
        self
    }

    /// Sets the maximum backlog of unsent lines in bytes, for all threads together. Default: 5 MiB.
    /// Must be from 1 KiB to 1 GiB.
    ///
    /// The backlog includes lines in flight on a stream that are not yet [acknowledged](Delivery). A
    /// fifth of the capacity (at least 5 KiB) is the ordered queue, which is allocated with the
    /// connector. It keeps gauges, gauge deltas and service checks in order across threads, and its
    /// records move on to the rest of the capacity as they arrive. Records longer than 246 bytes take
    /// at most a fifth of the queue.
    ///
    /// Lines without room are dropped and counted, as are lines that are
    /// [too long](crate::Dialect#long-lines). A line is never
    /// split across blocks. Long lines therefore use a block less well, as does a capacity that is
    /// no multiple of the block size.
    ///
    /// Memory is bounded by the capacity, plus one block for each living thread that has emitted,
    /// plus one block for the flusher, plus up to a tenth of the capacity for blocks that the flusher
    /// keeps ready for busy threads. A block has 16 KiB, or another [size](Self::block_size); it has at most a
    /// fifth of the capacity, and at least 1 KiB. Blocks are allocated on first use.
    pub fn queue_capacity(mut self, bytes: usize) -> Self {
        self.queue_capacity = bytes;
        self
    }

    /// Sets the maximum size in bytes of a datagram, or of a length-prefixed frame in a stream: 1
    /// to 65,507.
    ///
    /// The default over UDP is 1432, which fits an Ethernet frame. The default to a Unix socket is
    /// 8192. Useful values are 8932 for jumbo frames, 8192 for the Datadog Agent, and 512 for any
    /// network.
    ///
    /// A datagram is longer only if a single line is longer, or the two lines that set a gauge to a
    /// negative number.
    ///
    /// A server that closes the connection on frames too long for it receives their lines
    /// [one by one](Delivery#lines-that-make-a-server-close-the-connection). Each time, five
    /// attempts to reconnect come before that.
    pub fn max_datagram_payload(mut self, bytes: usize) -> Self {
        self.max_datagram_payload = Some(bytes);
        self
    }

    /// Sets whether lines wait in memory while a UDP server refuses datagrams, because no process
    /// listens on its port. Default: true.
    ///
    /// Lines are held up to the capacity, and one datagram at a time probes whether the server is
    /// back. If off, datagrams are sent regardless, lost one by one and counted as refused. At first
    /// up to 64 are lost at once, because [offload](Self::segmentation_offload) sends that many
    /// together.
    ///
    /// Turn this off for servers behind a device that sends refusals now and then but delivers. In
    /// both modes, a refusal makes the flusher try the next address of the host's name.
    pub fn hold_when_refused(mut self, on: bool) -> Self {
        self.hold_when_refused = on;
        self
    }

    /// Sets whether one system call passes up to 64 UDP datagrams to the operating system. Default:
    /// true.
    ///
    /// The operating system cuts them apart (Linux's `UDP_SEGMENT`, see udp(7)). This sends several
    /// times as many lines in the same time. Without support, as on other systems or on some
    /// routes, datagrams go one by one. After any error of a batch, they go one by one until the
    /// socket is replaced, at a [lookup](Self::lookup_interval) or a failure.
    ///
    /// All datagrams of a call have the same length on the wire. Shorter ones end with more than one
    /// newline, at most an eighth of their length. Nothing else changes on the wire.
    pub fn segmentation_offload(mut self, on: bool) -> Self {
        self.segmentation_offload = on;
        self
    }

    /// Sets the condition under which a line on a TCP or Unix stream counts as sent. Default:
    /// [`Delivery::Acknowledged`].
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Sets how lines are separated in a stream: by newlines, or by length prefixes. Datagrams do
    /// not support [`Framing::LengthPrefixed`].
    ///
    /// The default is [`Framing::LengthPrefixed`] for DogStatsD over a Unix stream, which the Datadog
    /// Agent reads, and [`Framing::Newlines`] otherwise. [`build`](Self::build) resolves it, so the
    /// order of the settings does not matter.
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = Some(framing);
        self
    }

    /// Sets which lines to drop once the [queue capacity](Self::queue_capacity) is used up.
    /// Default: [`WhenFull::DropNewest`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Sets the maximum time that a line waits before it is sent, while the server accepts lines.
    /// Default: 100 ms.
    ///
    /// The resolution is 1 ms, the resolution of tokio's timers. This and every other duration of
    /// the builder must be more than 0 and at most a day.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// Sets the delay before a reconnection, which is randomized by up to a quarter in both
    /// directions. Default: 1 s.
    pub fn reconnect_sleep(mut self, sleep: Duration) -> Self {
        self.reconnect_sleep = sleep;
        self
    }

    /// Sets the timeout of resolving the host's name, and of connecting to each of its addresses.
    /// Default: 5 s.
    ///
    /// If the lookup fails, the addresses that were found last are tried. If a TCP connection ends
    /// within this time after the server's side has acknowledged lines, the next one carries lines
    /// only after the server has kept it open for 250 ms, or for this time if it is shorter. So a
    /// proxy whose server is down costs the lines of one connection.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the time after which a server that accepts no data is treated as dead. Default: 60 s.
    /// Must be at least 1 ms.
    ///
    /// - With every protocol, [`connected`](crate::Connector::connected) returns false and a warning is
    ///   logged if lines waited that long and none were accepted or acknowledged.
    /// - A TCP connection whose bytes stay unacknowledged that long is replaced by a new one. This
    ///   detects a dead host or a cut cable. A live server that does not read is abandoned too, and
    ///   another address of its name is tried first. Unacknowledged lines are not lost. Linux only:
    ///   other operating systems retry for their own time, often a quarter of an hour.
    /// - A stream to a Unix socket is replaced only if another server listens at the path by then.
    ///   Otherwise the same server would receive the lines twice. Lines that the old server has not
    ///   read go to the new one; an old server that resumes reads them as well.
    /// - Datagram sockets are not abandoned. At a path that accepts no datagrams, the socket is
    ///   replaced after each [reconnect delay](Self::reconnect_sleep), to find a new receiver at the
    ///   path.
    pub fn peer_timeout(mut self, timeout: Duration) -> Self {
        self.peer_timeout = timeout;
        self
    }

    /// Sets the interval at which the flusher resolves the host's name again while it sends over
    /// UDP. Default: 60 s.
    ///
    /// Over UDP nothing else reveals that a server has moved. Sending continues during the lookup.
    /// A failure or a refusal also causes a lookup, and over TCP each connection does.
    ///
    /// The socket is replaced after the same interval, also if the host is an address: a device that
    /// translates addresses may have forgotten the local port. Pending errors of the old socket are
    /// read first. Lookup and replacement are deferred while there is nothing to send.
    pub fn lookup_interval(mut self, interval: Duration) -> Self {
        self.lookup_interval = interval;
        self
    }

    /// Sets the maximum time that [`Connector::stop`](crate::Connector::stop) spends on sending the
    /// remaining lines, and the timeout of [`Connector::flush`](crate::Connector::flush). Default:
    /// 5 s.
    ///
    /// `stop` returns at most a quarter of a second after this time.
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }
}

//! The builder: settings given one by one, refused or accepted together.

mod vocabulary;

use crate::connector::Connector;
use crate::emit::{Sampling, Scope};
use crate::endpoint::{self, Endpoint};
use crate::error::{BuildError, quoted};
use std::time::Duration;
use vocabulary::{Checked, Vocabulary};

/// How lines travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// A stream: large writes, and reconnection. What a connection that breaks may cost, its
    /// [`Delivery`] says.
    Tcp,
    /// Datagrams, filled to the maximum payload.
    Udp,
    /// Datagrams to a Unix socket, on the same machine. Unlike UDP, a receiver that is full or
    /// gone refuses the datagram at hand, which is kept. The host is the socket's path.
    #[cfg(unix)]
    UnixDatagram,
    /// A stream to a Unix socket. The host is the socket's path.
    #[cfg(unix)]
    UnixStream,
}

/// When lines over a stream count as sent. Datagrams are never acknowledged.
///
/// # Lines that a server goes away on
///
/// A line that is kept until it is acknowledged comes first at each new connection. If a server goes away on it
/// before it has read it (the Datadog Agent does so on a frame above its buffer of 8,192 bytes), the line would
/// stop all others. So after five connections in a row that ended with the same line the first under way and
/// nothing acknowledged, lines go one by one, in frames of one line: to a server that has taken an empty
/// line first, and stayed for 100 ms. One that ends the connection is set aside, and the next is tried, up to eight. As
/// soon as a next one is acknowledged, those before it that lie aside are given up, warned of and counted as
/// [rejected](crate::Losses::rejected). If none is, it is the server: all of them are kept, in their order.
/// A server that goes away whatever it is sent costs nothing but the wait. One that took empty lines, went away on all
/// others, and takes them again later can cost the lines, eight at most, that lay aside at that moment.
///
/// That can be told where lines are kept until they are acknowledged: with
/// [`Acknowledged`](Self::Acknowledged), on Linux. Over TCP the server's operating system nearly always acknowledges
/// a line before the server goes away on it; then it counts as sent. So it does with
/// [`Written`](Self::Written) and on other systems, together with what was written after it: nothing
/// is sent twice there, and no line stops another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// When the other side's operating system has acknowledged them; to a Unix socket, whose
    /// operating system is ours, when the server has read them. Until then they are kept, within the capacity, and where a
    /// connection breaks the next one begins with the first line that was not wholly acknowledged.
    ///
    /// So a cut cable, a crashed host or a reset costs nothing that the other side did not have in
    /// its hands. The price: a line arrives twice where it was the acknowledgement that got
    /// lost, or where a server at a path dies having read a part of a buffer. Needs Linux; elsewhere it is as [`Written`](Self::Written).
    #[default]
    Acknowledged,
    /// When the operating system has taken them. What is under way when a connection
    /// breaks is lost, and was counted as sent: up to megabytes, if the server had stalled. No line
    /// arrives twice.
    Written,
}

/// How lines are told apart in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// By their newlines.
    #[default]
    Newlines,
    /// As datagrams are filled, each behind its length in 32 bits, the low byte first: what the
    /// Datadog Agent reads from a Unix stream.
    LengthPrefixed,
}

/// What to drop when the capacity is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// The line at hand.
    #[default]
    DropNewest,
    /// The oldest lines that are not under way, a block at a time and once three quarters of the
    /// capacity wait (half of it where that is less than 8 KiB): for who would rather see how things
    /// are now. They count as [displaced](crate::Losses::displaced). Threads that are faster than
    /// the flusher can make room still drop the line at hand.
    ///
    /// What the operating system took for a server that stalls is under way, and may well arrive: over
    /// TCP some 300 KiB, or what the server's kernel holds. A
    /// [capacity](Builder::queue_capacity) that is no larger is all under way then, and the newest are
    /// dropped: leave a megabyte or more where the newest matter.
    DropOldest,
}

/// Builds a [`Connector`].
///
/// Nothing is checked before [`build`](Self::build), which refuses every bad setting by its
/// name and value.
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
    /// As stated, by itself or in a URL; otherwise the dialect says.
    protocol: Option<Protocol>,
    prefix: String,
    type_prefixes: Option<bool>,
    vocabulary: Vocabulary,
    queue_capacity: usize,
    max_datagram_payload: Option<usize>,
    hold_when_refused: bool,
    segmentation_offload: bool,
    delivery: Delivery,
    framing: Framing,
    when_full: WhenFull,
    flush_interval: Duration,
    reconnect_sleep: Duration,
    connect_timeout: Duration,
    peer_timeout: Duration,
    lookup_interval: Duration,
    stop_timeout: Duration,
}

/// What the flusher works by: checked, and never wrong after.
#[derive(Clone, Debug)]
pub(crate) struct SendSettings {
    pub(crate) endpoint: Endpoint,
    pub(crate) max_datagram_payload: usize,
    pub(crate) pack_values: bool,
    pub(crate) hold_when_refused: bool,
    pub(crate) segmentation_offload: bool,
    /// When so many bytes wait, datagrams go without pace.
    pub(crate) hurry_beyond: usize,
    pub(crate) delivery: Delivery,
    pub(crate) framing: Framing,
    /// When so many full blocks wait, the oldest make room for newer ones.
    pub(crate) displace_beyond: Option<usize>,
    pub(crate) flush_interval: Duration,
    pub(crate) reconnect_sleep: Duration,
    pub(crate) connect_timeout: Duration,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code))]
    pub(crate) peer_timeout: Duration,
    pub(crate) lookup_interval: Duration,
    pub(crate) stop_timeout: Duration,
}

/// What the emitting side works by.
pub(crate) struct Shape {
    pub(crate) scope: Scope,
    pub(crate) sampling: Sampling,
    pub(crate) block_size: usize,
    pub(crate) blocks: usize,
    pub(crate) ring_at: usize,
    /// No line is longer.
    pub(crate) longest: usize,
}

/// The size of a block, unless the whole capacity is too small for several of it.
const BLOCK_SIZE: usize = 16 << 10;
const MIN_CAPACITY: usize = 1 << 10;
const MAX_CAPACITY: usize = 1 << 30;
const MAX_PREFIX: usize = 256;
const UDP_PAYLOAD: usize = 1432;
#[cfg(unix)]
const UNIX_PAYLOAD: usize = 8192;
/// What an IPv4 datagram can carry: 65,535 bytes less the IP and UDP headers.
const MAX_PAYLOAD: usize = 65_507;
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);
pub(crate) const DURATION: &str = "more than 0, at most a day";

impl Builder {
    pub(crate) fn new(host: String) -> Self {
        Self {
            host,
            port: 8125,
            protocol: None,
            prefix: String::new(),
            type_prefixes: None,
            vocabulary: Vocabulary::default(),
            queue_capacity: 5 << 20,
            max_datagram_payload: None,
            hold_when_refused: true,
            segmentation_offload: true,
            delivery: Delivery::default(),
            framing: Framing::default(),
            when_full: WhenFull::default(),
            flush_interval: Duration::from_millis(100),
            reconnect_sleep: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(5),
            peer_timeout: Duration::from_secs(60),
            lookup_interval: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(5),
        }
    }

    /// See [`Connector::from_url`].
    pub(crate) fn from_url(url: &str) -> Result<Self, BuildError> {
        let (protocol, host, port) = endpoint::from_url(url)?;
        let builder = Self::new(host).protocol(protocol);
        Ok(if let Some(port) = port { builder.port(port) } else { builder })
    }

    pub(crate) fn host(mut self, host: String) -> Self {
        self.host = host;
        self
    }

    /// The server's port. Default: 8125. Refused: 0. Unix sockets have none.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// How lines travel. Default: as the [URL](Connector::from_url) says, if there is one; otherwise
    /// [`Protocol::Udp`] in [`Dialect::DogStatsD`](crate::Dialect::DogStatsD), whose servers do not
    /// listen to TCP, and [`Protocol::Tcp`] in all others. That is settled when the connector is
    /// built, in whatever order the settings come.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Unless it was stated.
    pub(crate) fn protocol_by_default(mut self, protocol: Option<Protocol>) -> Self {
        self.protocol = self.protocol.or(protocol);
        self
    }

    pub(crate) fn states_protocol(&self) -> bool {
        self.protocol.is_some()
    }

    /// What every metric path begins with. Default: nothing.
    ///
    /// Dots at both ends are removed. Refused: what the [dialect](crate::Dialect#clean-input)
    /// forbids in names, and more than 256 bytes.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Whether `counters.`, `gauges.`, `timers.`, `sets.`, `histograms.`, `distributions.` or
    /// `meters.` stands between the prefix and the path. Default: true in dialects without tags,
    /// false in the others. Turn it off for servers that add their own.
    pub fn type_prefixes(mut self, on: bool) -> Self {
        self.type_prefixes = Some(on);
        self
    }

    /// How many bytes of lines are kept at most, for all threads together, while they cannot be
    /// sent. Lines are not split over blocks: long ones fill them less well, as do capacities that
    /// are no multiple of a block. Default: 5 MiB. Refused: less than 1 KiB, more than 1 GiB.
    ///
    /// What is under way on a stream, and not yet [acknowledged](Delivery), is kept within it.
    ///
    /// A fifth of it (at least 5 KiB) is a queue of its own, made when the connector is: for gauges, their
    /// changes and service checks, which keep their order across threads. They are moved to the
    /// rest as they come. A fifth of that is for those of more than 246 bytes.
    ///
    /// Memory is bounded by this, plus one block (16 KiB; a fifth of a capacity below
    /// 80 KiB, and at least 1 KiB) for each living thread that has emitted, and one for the flusher. It is
    /// allocated when first needed. Lines that find no room are dropped and counted, as are
    /// lines longer than a block.
    pub fn queue_capacity(mut self, bytes: usize) -> Self {
        self.queue_capacity = bytes;
        self
    }

    /// How many bytes a datagram, or a frame, carries at most, unless a single line is longer, or the two
    /// that set a gauge to a number below zero. Default: 1432 over UDP, which fits an Ethernet
    /// frame, and 8192 to a Unix socket. Refused: 0, more than 65,507.
    ///
    /// 8932 fits jumbo frames; 8192 is what the Datadog Agent reads; 512 is safe anywhere. A server that
    /// closes the connection on frames that are too long for it gets their lines
    /// [one by one](Delivery#lines-that-a-server-goes-away-on), with five attempts to reconnect before that, again and again.
    pub fn max_datagram_payload(mut self, bytes: usize) -> Self {
        self.max_datagram_payload = Some(bytes);
        self
    }

    /// Over UDP: whether lines are held, up to the capacity, while nobody listens at the server's
    /// port, and one datagram at a time asks whether it is back. Default: true. Turned off,
    /// datagrams are sent on, to be lost one by one (at first up to 64 at once, where
    /// [offload](Self::segmentation_offload) sends so many) and counted as refused: for servers
    /// behind something that refuses now and then, though it delivers. Of a name with several addresses the next
    /// one is turned to at a refusal, either way.
    pub fn hold_when_refused(mut self, on: bool) -> Self {
        self.hold_when_refused = on;
        self
    }

    /// Over UDP: whether up to 64 datagrams are given to the operating system by one call, which cuts them
    /// (Linux's `UDP_SEGMENT`, see udp(7)): several times as many lines for the same time. Default:
    /// true, and no matter where it is not to be had, as on other systems or a route that does
    /// not support it: a batch that is refused, whatever the error, goes as single datagrams, and so does what
    /// follows until the socket is made anew, at a [look-up](Self::lookup_interval) or a failure. On the wire nothing changes but that all datagrams of a call have one length: the
    /// shorter ones end with more than one newline, at most an eighth of their length.
    pub fn segmentation_offload(mut self, on: bool) -> Self {
        self.segmentation_offload = on;
        self
    }

    /// When lines over a stream count as sent. Default: [`Delivery::Acknowledged`].
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// How lines are told apart in a stream. Default: [`Framing::Newlines`]. Refused:
    /// [`Framing::LengthPrefixed`] with datagrams.
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// What to drop when the capacity is used up. Default: [`WhenFull::DropNewest`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// How long a line waits at most before it is sent, while the server takes lines. Default:
    /// 100 ms, and no less than the millisecond that tokio's timers can tell. Refused: 0, more
    /// than a day, as for every duration here.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// How long to wait before connecting again, a quarter more or less at random. Default:
    /// 1 s.
    pub fn reconnect_sleep(mut self, sleep: Duration) -> Self {
        self.reconnect_sleep = sleep;
        self
    }

    /// How long the look-up of the host's name may take, and each attempt to connect to one
    /// of its addresses. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a server may take nothing before it counts as gone. Default: 60 s; refused: less than 1 ms.
    ///
    /// - Whatever the protocol, [`connected`](Connector::connected) says false where nothing was taken, or
    ///   acknowledged, for so long though there was something to take.
    /// - Over TCP the connection is given up for a new one where what was sent is not acknowledged for so
    ///   long: this is how a dead host is noticed, or a cut cable. A server that is alive and reads nothing is
    ///   left too, with nothing lost that it had not acknowledged, and another address of its name is tried first.
    ///   Linux only; elsewhere that takes as long as the operating system tries, often a quarter of an hour.
    /// - A stream to a Unix socket is given up only if another server listens at the path by then. Otherwise
    ///   it is the same one that would get the lines, twice. What the old one has not read goes to the new one;
    ///   should the old one wake up, it reads that too.
    /// - Over datagrams nothing is given up. At a path that takes none, a new socket is made after each
    ///   [reconnect sleep](Self::reconnect_sleep), so that a receiver that has taken the path is found.
    pub fn peer_timeout(mut self, timeout: Duration) -> Self {
        self.peer_timeout = timeout;
        self
    }

    /// Over UDP, how long until the host's name is looked up again while all seems well: a
    /// server that moved leaves no other trace. Nothing waits for it. Default: 60 s. After a failure
    /// it is looked up in any case, as over TCP at each connection.
    ///
    /// After so long the socket is made anew as well, also where the host is an address: what lies between, and translates
    /// addresses, may have forgotten the port that lines come from. What came back to the old one is heard
    /// before. Both wait while there is nothing to send.
    pub fn lookup_interval(mut self, interval: Duration) -> Self {
        self.lookup_interval = interval;
        self
    }

    /// How long [`Connector::stop`] may take to send what is left (it answers a quarter of a second
    /// later at the latest), and how long [`Connector::flush`] waits at most. Default: 5 s.
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// Checks all settings and makes the connector. It connects when it is started.
    ///
    /// # Errors
    /// The first setting that is refused.
    pub fn build(self) -> Result<Connector, BuildError> {
        let (settings, shape) = self.check()?;
        Ok(Connector::new(settings, shape))
    }

    pub(crate) fn check(self) -> Result<(SendSettings, Shape), BuildError> {
        let protocol = self.protocol.unwrap_or(self.vocabulary.protocol());
        let endpoint = Endpoint::new(protocol, &self.host, self.port)?;
        let prefix = self.prefix.trim_matches('.').to_owned();
        let clean = self.vocabulary.accepts_prefix(&prefix);
        let given = quoted(&self.prefix);
        require("prefix", &given, clean, "no `:`, `|`, control, or what the dialect forbids")?;
        require("prefix", &given, prefix.len() <= MAX_PREFIX, "at most 256 bytes")?;
        let capacity = self.queue_capacity;
        let in_bounds = (MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity);
        require("queue_capacity", capacity, in_bounds, "1024 to 1073741824 bytes")?;
        let default = match endpoint {
            #[cfg(unix)]
            Endpoint::UnixDatagram(_) | Endpoint::UnixStream(_) => UNIX_PAYLOAD,
            _ => UDP_PAYLOAD,
        };
        let is_stream = !matches!(protocol, Protocol::Udp);
        #[cfg(unix)]
        let is_stream = is_stream && !matches!(protocol, Protocol::UnixDatagram);
        let accepted = is_stream || self.framing == Framing::Newlines;
        require("framing", format!("{:?}", self.framing), accepted, "Newlines for datagrams")?;
        let payload = self.max_datagram_payload.unwrap_or(default);
        let in_bounds = (1..=MAX_PAYLOAD).contains(&payload);
        require("max_datagram_payload", payload, in_bounds, "1 to 65507 bytes")?;
        for (setting, duration) in [
            ("flush_interval", self.flush_interval),
            ("reconnect_sleep", self.reconnect_sleep),
            ("connect_timeout", self.connect_timeout),
            ("peer_timeout", self.peer_timeout),
            ("lookup_interval", self.lookup_interval),
            ("stop_timeout", self.stop_timeout),
        ] {
            let in_bounds = !duration.is_zero() && duration <= MAX_DURATION;
            require(setting, format!("{duration:?}"), in_bounds, DURATION)?;
        }
        // The operating system counts milliseconds, and takes none as its own default.
        let in_bounds = self.peer_timeout >= Duration::from_millis(1);
        let given = format!("{:?}", self.peer_timeout);
        require("peer_timeout", given, in_bounds, "a millisecond at least")?;
        let block_size = BLOCK_SIZE.min(capacity / 5).max(MIN_CAPACITY);
        let blocks = capacity / block_size;
        // The ordered queue takes a fifth of the capacity.
        let blocks = blocks - blocks / 5;
        // A wake-up costs the caller microseconds: worth it for an eighth of the capacity,
        // and for less the tick comes soon enough.
        let ring_at = blocks.div_ceil(8);
        let type_prefixes = self.type_prefixes.unwrap_or(self.vocabulary.has_type_prefixes());
        let longest = self.vocabulary.longest_line(self.max_datagram_payload);
        let checked = self.vocabulary.check(&prefix, type_prefixes, is_stream)?;
        let Checked { scope, sampling, pack_values } = checked;
        let shape = Shape { scope, sampling, block_size, blocks, ring_at, longest };
        let settings = SendSettings {
            endpoint,
            max_datagram_payload: payload,
            pack_values,
            hold_when_refused: self.hold_when_refused,
            segmentation_offload: self.segmentation_offload,
            // Well before threads drop lines.
            hurry_beyond: capacity / 2,
            delivery: self.delivery,
            framing: self.framing,
            displace_beyond: (self.when_full == WhenFull::DropOldest)
                .then(|| displace_beyond(&shape)),
            flush_interval: self.flush_interval,
            reconnect_sleep: self.reconnect_sleep,
            connect_timeout: self.connect_timeout,
            peer_timeout: self.peer_timeout,
            lookup_interval: self.lookup_interval,
            stop_timeout: self.stop_timeout,
        };
        Ok((settings, shape))
    }
}

pub(crate) fn require(
    setting: &'static str,
    value: impl ToString,
    accepted: bool,
    expected: &'static str,
) -> Result<(), BuildError> {
    if accepted { Ok(()) } else { Err(BuildError { setting, value: value.to_string(), expected }) }
}

/// So many full blocks may wait: three quarters of them, and of a few at least the half, but never
/// all, or no thread could ring.
fn displace_beyond(shape: &Shape) -> usize {
    let three_quarters = shape.blocks.saturating_sub(2 * shape.ring_at);
    three_quarters.max(shape.blocks.div_ceil(2).min(shape.blocks - 1))
}

//! StatsD receiver of the demo that validates and counts every line.

use freewheel::{Protocol, Tally};
use socket2::SockRef;
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Prefix of all metric names in the demo. The receiver rejects lines with another prefix.
pub(crate) const PREFIX: &str = "demo";

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// StatsD receiver that runs on a background thread.
pub(crate) struct Receiver {
    port: u16,
    lines: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Received>>,
}

/// Counts that the receiver keeps of the lines that it has received.
#[derive(Default)]
pub(crate) struct Received {
    /// Number of lines and bytes that the receiver has received.
    pub(crate) size: Tally,
    /// Sum of the increments of all received counter lines.
    pub(crate) counter_sum: u64,
    /// Number of malformed lines that the receiver has received.
    pub(crate) malformed: u64,
    /// First malformed line that the receiver received.
    pub(crate) first_malformed: Option<String>,
    /// Number of datagrams that the kernel discarded because the socket buffer was full, or `None`
    /// if this cannot happen or is unknown.
    pub(crate) overflowed: Option<u64>,
    /// Time at which the last lines arrived, or `None` if no line has arrived.
    pub(crate) last: Option<Instant>,
    /// Number of lines received so far, shared with the progress display.
    lines: Arc<AtomicU64>,
}

impl Receiver {
    pub(crate) fn start(protocol: Protocol) -> io::Result<Self> {
        let lines = Arc::new(AtomicU64::new(0));
        let closing = Arc::new(AtomicBool::new(false));
        let received = Received { lines: Arc::clone(&lines), ..Received::default() };
        let (port, thread) = if protocol == Protocol::Udp {
            let socket = UdpSocket::bind(LOOPBACK)?;
            enlarge_buffer(&socket);
            socket.set_read_timeout(Some(Duration::from_millis(10)))?;
            let closing = Arc::clone(&closing);
            let port = socket.local_addr()?.port();
            (port, thread::spawn(move || received.read_datagrams(&socket, &closing)))
        } else {
            let listener = TcpListener::bind(LOOPBACK)?;
            let port = listener.local_addr()?.port();
            (port, thread::spawn(move || received.read_stream(listener.accept()?.0)))
        };
        Ok(Self { port, lines, closing, thread })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the number of lines received so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.load(Relaxed)
    }

    /// Receives the lines that are still in flight, stops the receiver, and returns its counts. The
    /// client must have sent all lines before.
    pub(crate) fn finish(self) -> io::Result<Received> {
        self.closing.store(true, Relaxed);
        self.thread.join().expect("the receiver never panics")
    }
}

impl Received {
    /// Reads lines from a TCP stream until the peer closes the connection.
    fn read_stream(mut self, mut stream: impl Read) -> io::Result<Self> {
        let mut buffer = vec![0; 256 << 10];
        let mut filled = 0;
        loop {
            let count = stream.read(&mut buffer[filled..])?;
            filled += count;
            let consumed = self.consume_lines(&buffer[..filled]);
            buffer.copy_within(consumed..filled, 0);
            filled -= consumed;
            if count == 0 || filled == buffer.len() {
                self.reject_torn(&buffer[..filled]);
                return Ok(self);
            }
        }
    }

    /// Reads datagrams until `closing` is set and the socket buffer is empty. Sender and receiver
    /// share the host, so each sent datagram is already in the buffer or was discarded.
    fn read_datagrams(mut self, socket: &UdpSocket, closing: &AtomicBool) -> io::Result<Self> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let is_last = closing.load(Relaxed);
            match socket.recv(&mut buffer) {
                Ok(count) => {
                    let consumed = self.consume_lines(&buffer[..count]);
                    self.reject_torn(&buffer[consumed..count]);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut if is_last => break,
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        self.overflowed = overflowed(socket.local_addr()?);
        Ok(self)
    }

    /// Counts and validates the complete lines in `bytes`. Returns the number of bytes of these
    /// lines.
    fn consume_lines(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        if end == 0 {
            return 0;
        }
        let text = String::from_utf8_lossy(&bytes[..end]);
        // Datagrams may be padded with empty lines, which do not count.
        for line in text.split_terminator('\n').filter(|line| !line.is_empty()) {
            self.size.lines += 1;
            self.size.bytes += line.len() as u64 + 1;
            match parse(line) {
                Some(amount) => self.counter_sum += amount,
                None => self.reject(line),
            }
        }
        self.last = Some(Instant::now());
        self.lines.store(self.size.lines, Relaxed);
        end
    }

    /// Counts `rest`, if not empty, as a malformed line: the end of a datagram or connection
    /// without a newline.
    fn reject_torn(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.reject(&String::from_utf8_lossy(rest));
        }
    }

    fn reject(&mut self, line: &str) {
        self.malformed += 1;
        self.first_malformed.get_or_insert_with(|| line.to_owned());
    }
}

/// Returns the increment of a counter's line, 0 for other lines, or `None` if the line is
/// malformed.
fn parse(line: &str) -> Option<u64> {
    let (name, rest) = line.split_once(':')?;
    let (value, code) = rest.split_once('|')?;
    let (kind, amount) = match code {
        "c" => (".counters.", value.parse().ok()?),
        "g" => (".gauges.", 0),
        "ms" => (".timers.", 0),
        _ => return None,
    };
    let path = name.strip_prefix(PREFIX)?.strip_prefix(kind)?;
    let is_number = value.parse::<f64>().is_ok_and(f64::is_finite);
    (!path.is_empty() && is_number).then_some(amount)
}

/// Sets the largest possible receive buffer. Linux caps the size silently (`net.core.rmem_max`);
/// other systems reject a size that is too large.
fn enlarge_buffer(socket: &UdpSocket) {
    let mut sizes = (18..=23).rev().map(|power| 1 << power);
    sizes.any(|size| SockRef::from(socket).set_recv_buffer_size(size).is_ok());
}

/// Returns the number of datagrams that Linux discarded for the socket at this address: the last
/// column of its row in `/proc/net/udp`.
fn overflowed(address: SocketAddr) -> Option<u64> {
    let SocketAddr::V4(address) = address else { return None };
    // The address is formatted as a number in native byte order.
    let ip = u32::from_ne_bytes(address.ip().octets());
    let local = format!("{ip:08X}:{:04X}", address.port());
    let sockets = std::fs::read_to_string("/proc/net/udp").ok()?;
    let row = sockets.lines().find(|row| row.split_whitespace().nth(1) == Some(&local))?;
    row.split_whitespace().last()?.parse().ok()
}

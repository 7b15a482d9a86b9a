//! The receiver: a StatsD server that believes nothing and counts everything.

use freewheel::{Protocol, Tally};
use socket2::SockRef;
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What every name must begin with.
pub(crate) const PREFIX: &str = "demo";

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Listens on a thread of its own.
pub(crate) struct Receiver {
    port: u16,
    lines: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Received>>,
}

/// What arrived.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) size: Tally,
    /// What the lines add to counters, summed.
    pub(crate) counted: u64,
    /// How many lines are not as freewheel should write them, and the first of them.
    pub(crate) malformed: u64,
    pub(crate) first_malformed: Option<String>,
    /// Datagrams that the kernel threw away because the socket's buffer was full; None where
    /// that cannot happen, or is not told.
    pub(crate) overflowed: Option<u64>,
    /// When the last line arrived.
    pub(crate) last: Option<Instant>,
    /// The lines so far, for the progress.
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

    /// Lines received by now.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.load(Relaxed)
    }

    /// Receives what is still on its way, and ends. All must have been sent before.
    pub(crate) fn finish(self) -> io::Result<Received> {
        self.closing.store(true, Relaxed);
        self.thread.join().expect("the receiver never panics")
    }
}

impl Received {
    /// Until the other side ends the connection.
    fn read_stream(mut self, mut stream: impl Read) -> io::Result<Self> {
        let mut buffer = vec![0; 256 << 10];
        let mut filled = 0;
        loop {
            let count = stream.read(&mut buffer[filled..])?;
            filled += count;
            let taken = self.take(&buffer[..filled]);
            buffer.copy_within(taken..filled, 0);
            filled -= taken;
            if count == 0 || filled == buffer.len() {
                self.refuse_torn(&buffer[..filled]);
                return Ok(self);
            }
        }
    }

    /// Until nothing is left after `closing`. On this machine a datagram that was sent is in
    /// the socket's buffer already, or was thrown away.
    fn read_datagrams(mut self, socket: &UdpSocket, closing: &AtomicBool) -> io::Result<Self> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let is_last = closing.load(Relaxed);
            match socket.recv(&mut buffer) {
                Ok(count) => {
                    let taken = self.take(&buffer[..count]);
                    self.refuse_torn(&buffer[taken..count]);
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

    /// Counts and checks the whole lines; says how many bytes they are.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        if end == 0 {
            return 0;
        }
        let text = String::from_utf8_lossy(&bytes[..end]);
        // Datagrams may be filled up by empty lines, which are none.
        for line in text.split_terminator('\n').filter(|line| !line.is_empty()) {
            self.size.lines += 1;
            self.size.bytes += line.len() as u64 + 1;
            match parse(line) {
                Some(amount) => self.counted += amount,
                None => self.refuse(line),
            }
        }
        self.last = Some(Instant::now());
        self.lines.store(self.size.lines, Relaxed);
        end
    }

    /// A datagram, and a connection, must end with a line's end.
    fn refuse_torn(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.refuse(&String::from_utf8_lossy(rest));
        }
    }

    fn refuse(&mut self, line: &str) {
        self.malformed += 1;
        self.first_malformed.get_or_insert_with(|| line.to_owned());
    }
}

/// What a line adds to a counter, 0 if it is no counter's; None if it is malformed.
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

/// As large a buffer as may be. Linux caps the size without a word (`net.core.rmem_max`),
/// other systems refuse one that is too large.
fn enlarge_buffer(socket: &UdpSocket) {
    let mut sizes = (18..=23).rev().map(|power| 1 << power);
    sizes.any(|size| SockRef::from(socket).set_recv_buffer_size(size).is_ok());
}

/// What Linux says about the socket at this address: the last column of its row.
fn overflowed(address: SocketAddr) -> Option<u64> {
    let SocketAddr::V4(address) = address else { return None };
    // Written there as a number in the machine's own byte order.
    let ip = u32::from_ne_bytes(address.ip().octets());
    let local = format!("{ip:08X}:{:04X}", address.port());
    let sockets = std::fs::read_to_string("/proc/net/udp").ok()?;
    let row = sockets.lines().find(|row| row.split_whitespace().nth(1) == Some(&local))?;
    row.split_whitespace().last()?.parse().ok()
}

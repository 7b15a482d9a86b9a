//! Server to which all benchmarked clients send. It counts the lines that arrive, and discards
//! them.

use crate::clock;
use crate::subject::{Target, Transport};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Size of the receive buffer of the server's UDP socket. Other transports ignore this setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketBuffer {
    /// Buffer of 4 MiB, a size that operators of busy servers configure.
    Large,
    /// Default buffer size of the operating system.
    Default,
}

/// Server that counts and discards lines on background threads until it is dropped.
pub struct Receiver {
    target: Target,
    counts: Arc<Counts>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Path of the server's Unix socket, or `None` for other transports. The server removes the
    /// file when it is dropped.
    path: Option<PathBuf>,
}

#[derive(Default)]
struct Counts {
    lines: AtomicU64,
    bytes: AtomicU64,
    reads: AtomicU64,
    last_at: AtomicU64,
}

/// Counts of the lines, bytes and reads of a server so far, and the time of the last arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceivedCounts {
    /// Number of received lines, without empty lines.
    pub lines: u64,
    pub bytes: u64,
    /// Number of received datagrams, or of reads of a stream.
    pub reads: u64,
    /// Time at which the last datagram or bytes of the client arrived, in nanoseconds of
    /// [`clock::monotonic_ns`].
    pub last_at: u64,
}

/// Timeout of each socket read of the server thread. After a timeout, the thread checks whether it
/// must stop.
const READ_TIMEOUT: Duration = Duration::from_millis(50);

impl Receiver {
    /// Starts a server for this transport, on a free loopback port or at a new Unix socket path.
    ///
    /// # Panics
    /// If a socket cannot be opened.
    #[must_use]
    pub fn start(transport: Transport, buffer: SocketBuffer) -> Self {
        let counts = Arc::new(Counts::default());
        let stopping = Arc::new(AtomicBool::new(false));
        let (thread_counts, stop) = (Arc::clone(&counts), Arc::clone(&stopping));
        let mut path = None;
        let (target, thread) = match transport {
            Transport::Udp => {
                let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)
                    .expect("the socket can be opened and configured");
                if buffer == SocketBuffer::Large {
                    socket
                        .set_recv_buffer_size(4 << 20)
                        .expect("the socket can be opened and configured");
                }
                let any_port: SocketAddr = ([127, 0, 0, 1], 0).into();
                socket.bind(&any_port.into()).expect("loopback is available");
                let socket = UdpSocket::from(socket);
                socket
                    .set_read_timeout(Some(READ_TIMEOUT))
                    .expect("the socket can be opened and configured");
                let port = socket.local_addr().expect("the socket is bound").port();
                let body = move || thread_counts.datagrams(&stop, |bytes| socket.recv(bytes));
                (Target::Udp(port), std::thread::spawn(body))
            }
            Transport::UnixDatagram => {
                static NEXT_ID: AtomicU64 = AtomicU64::new(0);
                let id = NEXT_ID.fetch_add(1, Relaxed);
                let name = format!("freewheel-suite-{}-{id}.sock", std::process::id());
                let file = std::env::temp_dir().join(name);
                let socket = UnixDatagram::bind(&file).expect("the socket's file name is unused");
                socket
                    .set_read_timeout(Some(READ_TIMEOUT))
                    .expect("the socket can be opened and configured");
                path = Some(file.clone());
                let body = move || thread_counts.datagrams(&stop, |bytes| socket.recv(bytes));
                (Target::UnixDatagram(file), std::thread::spawn(body))
            }
            Transport::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is available");
                let port = listener.local_addr().expect("the socket is bound").port();
                (
                    Target::Tcp(port),
                    std::thread::spawn(move || thread_counts.accept(&stop, &listener)),
                )
            }
        };
        Self { target, counts, stopping, thread: Some(thread), path }
    }

    #[must_use]
    pub fn target(&self) -> Target {
        self.target.clone()
    }

    #[must_use]
    pub fn counts(&self) -> ReceivedCounts {
        ReceivedCounts {
            lines: self.counts.lines.load(Relaxed),
            bytes: self.counts.bytes.load(Relaxed),
            reads: self.counts.reads.load(Relaxed),
            last_at: self.counts.last_at.load(Relaxed),
        }
    }

    /// Waits until `expected` lines have arrived, nothing has arrived for the duration `quiet`, or
    /// 20 s have passed. Returns the counts.
    pub fn wait_until_quiet(&self, quiet: Duration, expected: u64) -> ReceivedCounts {
        let deadline = Instant::now() + Duration::from_secs(20);
        let (mut before, mut since) = (self.counts(), Instant::now());
        while since.elapsed() < quiet && before.lines < expected && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            let now = self.counts();
            if now != before {
                (before, since) = (now, Instant::now());
            }
        }
        before
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stopping.store(true, Relaxed);
        if let Target::Tcp(port) = self.target {
            // The thread may be blocked in `accept`.
            let _ = TcpStream::connect(("127.0.0.1", port));
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Counts {
    fn add(&self, lines: u64, bytes: usize) {
        self.last_at.store(clock::monotonic_ns(), Relaxed);
        // Relaxed is enough: the counts order no other memory.
        self.lines.fetch_add(lines, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
        self.reads.fetch_add(1, Relaxed);
    }

    /// Receives datagrams and counts their lines until the server stops. Each datagram takes one
    /// system call, as in most servers.
    fn datagrams(
        &self,
        stopping: &AtomicBool,
        receive: impl Fn(&mut [u8]) -> std::io::Result<usize>,
    ) {
        let mut bytes = vec![0; 64 << 10];
        while !stopping.load(Relaxed) {
            if let Ok(length) = receive(&mut bytes) {
                self.add(line_ends(b'\n', &bytes[..length], true), length);
            }
        }
    }

    fn accept(self: Arc<Self>, stopping: &Arc<AtomicBool>, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept() {
            if stopping.load(Relaxed) {
                return;
            }
            let (this, stopping) = (Arc::clone(&self), Arc::clone(stopping));
            std::thread::spawn(move || this.read(&stopping, stream));
        }
    }

    fn read(&self, stopping: &AtomicBool, mut stream: TcpStream) {
        stream
            .set_read_timeout(Some(READ_TIMEOUT))
            .expect("the socket can be opened and configured");
        let (mut bytes, mut last) = (vec![0; 256 << 10], b'\n');
        while !stopping.load(Relaxed) {
            match stream.read(&mut bytes) {
                Ok(0) => return,
                Ok(length) => {
                    self.add(line_ends(last, &bytes[..length], false), length);
                    last = bytes[length - 1];
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

/// Returns the number of non-empty lines that end within `bytes`, given the preceding byte
/// `before`. The last line of a datagram counts even without a newline.
fn line_ends(before: u8, bytes: &[u8], is_datagram: bool) -> u64 {
    let Some((&first, &last)) = bytes.first().zip(bytes.last()) else { return 0 };
    let mut lines = u64::from(first == b'\n' && before != b'\n');
    // The compiler vectorises sums of bytes. 255 additions of at most 1 cannot overflow a byte.
    let pairs = bytes.len() - 1;
    for start in (0..pairs).step_by(255) {
        let end = (start + 255).min(pairs);
        let ends = bytes[start..end].iter().zip(&bytes[start + 1..=end]);
        let ends = ends.map(|(&one, &next)| u8::from(next == b'\n' && one != b'\n'));
        lines += u64::from(ends.fold(0_u8, |sum, end| sum.wrapping_add(end)));
    }
    lines + u64::from(is_datagram && last != b'\n')
}

#[test]
fn line_ends_are_counted() {
    for (bytes, lines) in [("", 0), ("\n", 0), ("a\nb\n", 2), ("a\nb", 2), ("\na\n\n\nb\n\n", 2)] {
        assert_eq!(line_ends(b'\n', bytes.as_bytes(), true), lines, "{bytes:?}");
    }
    let many = "a.name:1|c\n\n".repeat(10_000);
    assert_eq!(line_ends(b'\n', many.as_bytes(), true), 10_000);
    assert_eq!(line_ends(b'a', b"\nb", false), 1);
    assert_eq!(line_ends(b'\n', b"\nb", false), 0);
}

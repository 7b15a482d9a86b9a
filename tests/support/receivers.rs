//! Test servers that record the lines that they receive. Servers stop reading, close connections or
//! shut down when the test requests it.

use super::{WAIT_TIMEOUT, eventually};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream as BlockingTcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime;
use tokio::sync::{oneshot, watch};

/// Way in which a test server closes its connections when it stops.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// Closes each connection with a FIN, or with a reset if unread bytes remain.
    Orderly,
    /// Closes each connection with a reset.
    Abrupt,
}

/// TCP server that records the bytes received on each connection.
pub(crate) struct TcpReceiver {
    port: u16,
    received: Arc<Received>,
    commands: watch::Sender<Commands>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Received {
    /// Connections of the server, in the order in which they were accepted.
    connections: Mutex<Vec<Connection>>,
    /// Number of whole lines received so far on all connections, without empty ones.
    lines: AtomicU64,
}

#[derive(Default)]
struct Connection {
    bytes: Vec<u8>,
    ended: bool,
}

#[derive(Clone, Copy)]
struct Commands {
    reading: bool,
    /// Generation of newly accepted connections: the number of earlier requests to close all
    /// connections. The server closes the connections of earlier generations.
    generation: u64,
}

impl TcpReceiver {
    /// Starts a TCP server at a free port of 127.0.0.1.
    pub(crate) fn start() -> Self {
        Self::listen(Ipv4Addr::LOCALHOST, 0, Close::Orderly)
    }

    /// Starts a TCP server at this address and port. Port 0 picks a free port.
    pub(crate) fn listen(address: impl Into<IpAddr>, port: u16, close: Close) -> Self {
        let address = SocketAddr::new(address.into(), port);
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("the machine has the resources for a runtime");
        let listener =
            runtime.block_on(async { listener(address, close) }).expect("the port is free");
        let port = listener.local_addr().expect("the socket is bound").port();
        let received = Arc::<Received>::default();
        let (commands, received_commands) =
            watch::channel(Commands { reading: true, generation: 0 });
        let (end, ended) = oneshot::channel();
        let accepting = accept(listener, Arc::clone(&received), received_commands);
        // The end of the thread drops the runtime, which closes the sockets.
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! { () = accepting => {} _ = ended => {} }
            });
        });
        Self { port, received, commands, end: Some(end), thread: Some(thread) }
    }

    /// Returns the port of the TCP server.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Stops reading from all connections, which stay open. A read in progress may still complete.
    pub(crate) fn stall(&self) {
        self.commands.send_modify(|commands| commands.reading = false);
    }

    /// Resumes reading from all connections.
    pub(crate) fn resume_reading(&self) {
        self.commands.send_modify(|commands| commands.reading = true);
    }

    /// Closes all connections accepted so far. The server keeps listening.
    pub(crate) fn close_connections(&self) {
        let accepted = self.received.connections().len();
        self.commands.send_modify(|commands| commands.generation += 1);
        eventually("all connections end", || {
            self.received.connections()[..accepted].iter().all(|connection| connection.ended)
        });
    }

    /// Waits until the server has received this many whole lines.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, lines: u64) {
        let arrived = || self.received.lines.load(Ordering::Relaxed);
        let event = format!("{lines} lines arrive, of which {} are received", arrived());
        eventually(&event, || arrived() >= lines);
    }

    /// Waits until every connection accepted so far has been closed by both sides.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) {
        eventually("all connections end", || {
            self.received.connections().iter().all(|connection| connection.ended)
        });
    }

    /// Waits until the connection accepted last has been closed by both sides.
    ///
    /// A connection that the client gave up while its network was partitioned may stay open here:
    /// nothing tells a host of a reset that the network lost.
    #[track_caller]
    pub(crate) fn wait_for_last_end(&self) {
        eventually("the last connection ends", || {
            self.received.connections().last().is_none_or(|connection| connection.ended)
        });
    }

    /// Returns the whole lines received so far, separately for each connection.
    ///
    /// A tail without a newline is not a line: a broken connection left it.
    pub(crate) fn lines_by_connection(&self) -> Vec<Vec<String>> {
        self.received
            .connections()
            .iter()
            .map(|connection| whole_lines(&connection.bytes))
            .collect()
    }

    /// Returns the whole lines received so far on all connections.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines_by_connection().concat()
    }

    /// Stops the server, and closes its connections with a FIN or a reset, as chosen at its start.
    ///
    /// Returns the whole lines that the server received.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.end();
        self.lines()
    }

    fn end(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server did not panic");
        }
    }
}

impl Drop for TcpReceiver {
    fn drop(&mut self) {
        self.end();
    }
}

impl Received {
    fn connections(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, connection: usize, bytes: &[u8]) {
        let received = &mut self.connections()[connection].bytes;
        let first = received.last().copied().unwrap_or(b'\n');
        let before = [&[first], bytes].concat();
        let lines = before.iter().zip(bytes).filter(|pair| *pair.0 != b'\n' && *pair.1 == b'\n');
        received.extend_from_slice(bytes);
        self.lines.fetch_add(lines.count() as u64, Ordering::Relaxed);
    }
}

fn listener(address: SocketAddr, close: Close) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit both options. The less the kernel buffers for a server that does
    // not read, the sooner the client notices.
    socket.set_recv_buffer_size(16 << 10)?;
    if close == Close::Abrupt {
        socket.set_zero_linger()?;
    }
    socket.bind(address)?;
    socket.listen(64)
}

async fn accept(
    listener: TcpListener,
    received: Arc<Received>,
    commands: watch::Receiver<Commands>,
) {
    loop {
        let (stream, _) = listener.accept().await.expect("the socket listens");
        let generation = commands.borrow().generation;
        let index = {
            let mut connections = received.connections();
            connections.push(Connection::default());
            connections.len() - 1
        };
        let (received, commands) = (Arc::clone(&received), commands.clone());
        tokio::spawn(async move {
            let record = |bytes: &[u8]| received.record(index, bytes);
            tokio::select! {
                biased;
                () = close_requested(commands.clone(), generation) => {}
                () = read(stream, commands, record) => {}
            }
            received.connections()[index].ended = true;
        });
    }
}

/// Reads a connection until its end, and passes the bytes to `record`. Does not read while the test
/// has told the server to stop reading.
async fn read(
    mut stream: TcpStream,
    mut commands: watch::Receiver<Commands>,
    record: impl Fn(&[u8]),
) {
    let mut chunk = vec![0; 64 << 10];
    while commands.wait_for(|commands| commands.reading).await.is_ok() {
        match stream.read(&mut chunk).await {
            Ok(length @ 1..) => record(&chunk[..length]),
            _ => break,
        }
    }
}

/// Waits until the test requests that the connections of this generation are closed. (A generation
/// is all connections accepted between two such requests.)
async fn close_requested(mut commands: watch::Receiver<Commands>, generation: u64) {
    let _ = commands.wait_for(|commands| commands.generation > generation).await;
}

/// Returns the lines in the bytes of a connection. An unfinished line at the end, without a
/// newline, is left out, and so are empty lines, by which the client probes a server.
fn whole_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Returns the lines of a datagram, without the empty lines with which the client pads some
/// datagrams.
pub(crate) fn lines_of(datagram: &str) -> impl Iterator<Item = &str> {
    datagram.lines().filter(|line| !line.is_empty())
}

/// UDP server that reads only when the test calls for it.
///
/// Its socket buffers at least 200 small datagrams, or 90 full ones.
pub(crate) struct UdpReceiver {
    socket: UdpSocket,
}

impl UdpReceiver {
    /// Starts a UDP server at a free port of 127.0.0.1.
    pub(crate) fn start() -> Self {
        Self::listen(Ipv4Addr::LOCALHOST, 0)
    }

    /// Starts a UDP server at this address and port. Port 0 picks a free port.
    pub(crate) fn listen(address: impl Into<IpAddr>, port: u16) -> Self {
        let socket = UdpSocket::bind((address.into(), port)).expect("the port is free");
        socket.set_read_timeout(Some(WAIT_TIMEOUT)).expect("the timeout is not zero");
        Self { socket }
    }

    /// Returns the port of the UDP server.
    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().expect("the socket is bound").port()
    }

    /// Waits for the next datagram, reads it, and returns its source port.
    pub(crate) fn next_source_port(&self) -> u16 {
        let (_, sender) = self.socket.recv_from(&mut [0; 1 << 16]).expect("a datagram arrives");
        sender.port()
    }

    /// Returns true if an unread datagram has arrived, without waiting.
    pub(crate) fn has_datagram(&self) -> bool {
        self.socket.set_nonblocking(true).expect("the socket is open");
        let peeked = self.socket.peek(&mut [0]);
        self.socket.set_nonblocking(false).expect("the socket is open");
        peeked.is_ok()
    }

    /// Reads datagrams until they hold at least this many lines, and returns the datagrams.
    #[track_caller]
    pub(crate) fn datagrams(&self, lines: u64) -> Vec<String> {
        let mut buffer = vec![0; 1 << 16];
        let (mut datagrams, mut arrived) = (Vec::new(), 0);
        while arrived < lines {
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) => panic!("expected {lines} lines, received {arrived}: {error}"),
            };
            let datagram = std::str::from_utf8(&buffer[..length]).expect("lines are UTF-8");
            arrived += lines_of(datagram).count() as u64;
            datagrams.push(datagram.to_owned());
        }
        datagrams
    }

    /// Reads the datagrams that have arrived so far, without waiting, and returns their lines.
    pub(crate) fn lines_so_far(&self) -> Vec<String> {
        let mut lines = Vec::new();
        while self.has_datagram() {
            lines.append(&mut self.lines(1));
        }
        lines
    }

    /// Reads datagrams until they hold at least this many lines, and returns the lines.
    #[track_caller]
    pub(crate) fn lines(&self, lines: u64) -> Vec<String> {
        self.datagrams(lines)
            .iter()
            .flat_map(|datagram| lines_of(datagram))
            .map(str::to_owned)
            .collect()
    }
}

/// TCP listener that never accepts and has a full accept queue, so that no client's connection
/// attempt completes.
pub(crate) struct FullAcceptQueue {
    port: u16,
    _listener: std::net::TcpListener,
    _queue: Vec<BlockingTcpStream>,
}

impl FullAcceptQueue {
    /// Listens at a free port of 127.0.0.1, and fills the accept queue with connections.
    pub(crate) fn open() -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let listener =
            runtime.expect("the machine has the resources for a runtime").block_on(async {
                let socket = TcpSocket::new_v4()?;
                socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
                socket.listen(1)?.into_std()
            });
        let listener = listener.expect("loopback has free ports");
        let address = listener.local_addr().expect("the socket is bound");
        let mut queue = Vec::new();
        loop {
            match BlockingTcpStream::connect_timeout(&address, Duration::from_millis(200)) {
                Ok(stream) => queue.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                Err(error) => panic!("cannot fill the accept queue: {error}"),
            }
            assert!(queue.len() < 64, "the accept queue does not fill up");
        }
        Self { port: address.port(), _listener: listener, _queue: queue }
    }

    /// Returns the port of the listener.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

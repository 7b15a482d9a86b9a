//! Servers that keep what they receive, and misbehave when told to.

use super::{PATIENCE, eventually};
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

/// How a server's connections end when it does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// With a FIN; but what it has not read by then turns that into a reset.
    Orderly,
    /// With a reset.
    Abrupt,
}

/// A TCP server that keeps every connection's bytes.
pub(crate) struct TcpReceiver {
    port: u16,
    received: Arc<Received>,
    orders: watch::Sender<Orders>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Received {
    /// In the order in which they were accepted.
    connections: Mutex<Vec<Connection>>,
    /// Newlines so far.
    lines: AtomicU64,
}

#[derive(Default)]
struct Connection {
    bytes: Vec<u8>,
    ended: bool,
}

#[derive(Clone, Copy)]
struct Orders {
    reading: bool,
    /// Connections accepted before the generation changed are hung up on.
    generation: u64,
}

impl TcpReceiver {
    /// Listens at a port that is free.
    pub(crate) fn start() -> Self {
        Self::listen(Ipv4Addr::LOCALHOST, 0, Close::Orderly)
    }

    /// Listens at this address; port 0 is one that is free.
    pub(crate) fn listen(address: impl Into<IpAddr>, port: u16, close: Close) -> Self {
        let address = SocketAddr::new(address.into(), port);
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("the machine has room for a runtime");
        let listener =
            runtime.block_on(async { listener(address, close) }).expect("the port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let received = Arc::<Received>::default();
        let (orders, obeyed) = watch::channel(Orders { reading: true, generation: 0 });
        let (end, ended) = oneshot::channel();
        let accepting = accept(listener, Arc::clone(&received), obeyed);
        // The runtime ends with its thread, and all sockets with the runtime.
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! { () = accepting => {} _ = ended => {} }
            });
        });
        Self { port, received, orders, end: Some(end), thread: Some(thread) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Reads no more, apart from what may be on its way out of the socket already.
    pub(crate) fn stall(&self) {
        self.orders.send_modify(|orders| orders.reading = false);
    }

    /// Reads again.
    pub(crate) fn read_on(&self) {
        self.orders.send_modify(|orders| orders.reading = true);
    }

    /// Ends all connections made so far, and goes on listening.
    pub(crate) fn hang_up(&self) {
        let so_far = self.received.connections().len();
        self.orders.send_modify(|orders| orders.generation += 1);
        eventually("all connections end", || {
            self.received.connections()[..so_far].iter().all(|connection| connection.ended)
        });
    }

    /// Waits until this many whole lines are here.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, lines: u64) {
        let here = || self.received.lines.load(Ordering::Relaxed);
        eventually(&format!("{lines} lines come, of which {} are here", here()), || {
            here() >= lines
        });
    }

    /// Waits until no connection is left open, by either side.
    #[track_caller]
    pub(crate) fn wait_for_end(&self) {
        eventually("all connections end", || {
            self.received.connections().iter().all(|connection| connection.ended)
        });
    }

    /// Each connection's whole lines so far. An end without a newline is no line: it is what
    /// a broken connection left of one.
    pub(crate) fn lines_by_connection(&self) -> Vec<Vec<String>> {
        self.received
            .connections()
            .iter()
            .map(|connection| whole_lines(&connection.bytes))
            .collect()
    }

    /// The whole lines of all connections.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines_by_connection().concat()
    }

    /// Ends everything, as it was told to close. Returns the whole lines of all connections.
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

    fn keep(&self, place: usize, bytes: &[u8]) {
        self.connections()[place].bytes.extend_from_slice(bytes);
        let newlines = bytes.iter().filter(|&&byte| byte == b'\n').count();
        self.lines.fetch_add(newlines as u64, Ordering::Relaxed);
    }
}

fn listener(address: SocketAddr, close: Close) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit both of these. The less the operating system keeps for a
    // server that does not read, the sooner its client notices.
    socket.set_recv_buffer_size(16 << 10)?;
    if close == Close::Abrupt {
        socket.set_zero_linger()?;
    }
    socket.bind(address)?;
    socket.listen(64)
}

async fn accept(listener: TcpListener, received: Arc<Received>, orders: watch::Receiver<Orders>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a listener listens");
        let generation = orders.borrow().generation;
        let place = {
            let mut connections = received.connections();
            connections.push(Connection::default());
            connections.len() - 1
        };
        let (received, orders) = (Arc::clone(&received), orders.clone());
        tokio::spawn(async move {
            let connection = |bytes: &[u8]| received.keep(place, bytes);
            tokio::select! {
                biased;
                () = hang_up(orders.clone(), generation) => {}
                () = read(stream, orders, connection) => {}
            }
            received.connections()[place].ended = true;
        });
    }
}

/// Hands on what arrives, while it is to be read, until the other side ends it.
async fn read(mut stream: TcpStream, mut orders: watch::Receiver<Orders>, arrived: impl Fn(&[u8])) {
    let mut chunk = vec![0; 64 << 10];
    while orders.wait_for(|orders| orders.reading).await.is_ok() {
        match stream.read(&mut chunk).await {
            Ok(length @ 1..) => arrived(&chunk[..length]),
            _ => break,
        }
    }
}

/// Waits until connections of this generation are to end.
async fn hang_up(mut orders: watch::Receiver<Orders>, generation: u64) {
    let _ = orders.wait_for(|orders| orders.generation > generation).await;
}

/// The lines of a stream; an end without a newline is none.
fn whole_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    lines.map(str::to_owned).collect()
}

/// The lines of a datagram: empty ones, with which some are filled up, are none.
pub(crate) fn lines_of(datagram: &str) -> impl Iterator<Item = &str> {
    datagram.lines().filter(|line| !line.is_empty())
}

/// A UDP server that is read when a test wants to.
///
/// Its socket holds what was sent meanwhile: at least 200 small datagrams, or 90 full ones.
pub(crate) struct UdpReceiver {
    socket: UdpSocket,
}

impl UdpReceiver {
    /// Listens at a port that is free.
    pub(crate) fn start() -> Self {
        Self::listen(Ipv4Addr::LOCALHOST, 0)
    }

    /// Listens at this address; port 0 is one that is free.
    pub(crate) fn listen(address: impl Into<IpAddr>, port: u16) -> Self {
        let socket = UdpSocket::bind((address.into(), port)).expect("the port is free");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout above 0 is accepted");
        Self { socket }
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().expect("it is bound").port()
    }

    /// Reads the next datagram, and says from which port it came.
    pub(crate) fn sender(&self) -> u16 {
        let (_, sender) = self.socket.recv_from(&mut [0; 1 << 16]).expect("a datagram comes");
        sender.port()
    }

    /// Whether something has arrived that is not read yet. Does not wait.
    pub(crate) fn has_line(&self) -> bool {
        self.socket.set_nonblocking(true).expect("sockets can");
        let peeked = self.socket.peek(&mut [0]);
        self.socket.set_nonblocking(false).expect("sockets can");
        peeked.is_ok()
    }

    /// Reads datagrams until they hold this many lines.
    #[track_caller]
    pub(crate) fn datagrams(&self, lines: u64) -> Vec<String> {
        let mut buffer = vec![0; 1 << 16];
        let (mut datagrams, mut here) = (Vec::new(), 0);
        while here < lines {
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) => panic!("{lines} lines were to come, {here} came: {error}"),
            };
            let datagram = std::str::from_utf8(&buffer[..length]).expect("lines are text");
            here += lines_of(datagram).count() as u64;
            datagrams.push(datagram.to_owned());
        }
        datagrams
    }

    /// Reads what is here by now.
    pub(crate) fn lines_so_far(&self) -> Vec<String> {
        let mut lines = Vec::new();
        while self.has_line() {
            lines.append(&mut self.lines(1));
        }
        lines
    }

    /// Reads this many lines.
    #[track_caller]
    pub(crate) fn lines(&self, lines: u64) -> Vec<String> {
        self.datagrams(lines)
            .iter()
            .flat_map(|datagram| lines_of(datagram))
            .map(str::to_owned)
            .collect()
    }
}

/// Where connecting takes for ever: a listener that accepts nobody, and whose queue is full.
pub(crate) struct BlackHole {
    port: u16,
    _listener: std::net::TcpListener,
    _queue: Vec<BlockingTcpStream>,
}

impl BlackHole {
    pub(crate) fn open() -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let listener = runtime.expect("the machine has room for a runtime").block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            socket.listen(1)?.into_std()
        });
        let listener = listener.expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let mut queue = Vec::new();
        loop {
            match BlockingTcpStream::connect_timeout(&address, Duration::from_millis(200)) {
                Ok(stream) => queue.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                Err(error) => panic!("the queue cannot be filled: {error}"),
            }
            assert!(queue.len() < 64, "the queue has no end");
        }
        Self { port: address.port(), _listener: listener, _queue: queue }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

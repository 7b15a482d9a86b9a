//! Stream servers under manual control: the test accepts, reads and closes each connection.

use super::eventually;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// Listening TCP or Unix socket that accepts a connection only when the test calls for it.
pub(crate) struct Listener(Socket);

impl Listener {
    /// Listens at this TCP port of 127.0.0.1. Port 0 picks a free port.
    pub(crate) fn tcp(port: u16) -> Self {
        Self::tcp_at(Ipv4Addr::LOCALHOST, port)
    }

    /// Listens at this TCP address and port. Port 0 picks a free port.
    pub(crate) fn tcp_at(address: impl Into<IpAddr>, port: u16) -> Self {
        let address = SocketAddr::new(address.into(), port);
        Self::bound(Domain::for_address(address), &address.into())
    }

    /// Listens with a Unix stream socket at this path, and replaces any file there.
    #[cfg(unix)]
    pub(crate) fn unix(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        Self::bound(
            Domain::UNIX,
            &SockAddr::unix(path).expect("the path is short enough for a socket address"),
        )
    }

    fn bound(domain: Domain, address: &SockAddr) -> Self {
        let listen = || {
            let socket = Socket::new(domain, Type::STREAM, None)?;
            if domain != Domain::UNIX {
                socket.set_reuse_address(true)?;
            }
            // Accepted sockets inherit the size. The less the kernel buffers for a server that
            // does not read, the sooner the client notices.
            socket.set_recv_buffer_size(16 << 10)?;
            socket.bind(address)?;
            socket.listen(16)?;
            socket.set_nonblocking(true)?;
            std::io::Result::Ok(socket)
        };
        Self(listen().expect("the address is free"))
    }

    /// Returns the port of a TCP listener.
    pub(crate) fn port(&self) -> u16 {
        let address = self.0.local_addr().expect("the socket is bound");
        address.as_socket().expect("the listener has an IP address").port()
    }

    /// Waits for the next connection and accepts it.
    #[track_caller]
    pub(crate) fn accept(&self) -> ServerConnection {
        let mut accepted = None;
        eventually("a client connects", || {
            accepted = self.0.accept().ok();
            accepted.is_some()
        });
        let (socket, _) = accepted.expect("the wait ended with a connection");
        socket.set_nonblocking(false).expect("the socket is open");
        socket.set_read_timeout(Some(super::WAIT_TIMEOUT)).expect("the timeout is not zero");
        ServerConnection(socket)
    }

    /// Accepts a pending connection and closes it at once, without waiting. Returns true if a
    /// connection was pending.
    pub(crate) fn drop_pending_connection(&self) -> bool {
        self.0.accept().is_ok()
    }
}

/// Server's end of a connection that a `Listener` has accepted.
///
/// Its drop closes the connection with a FIN if everything was read, and otherwise with a reset.
pub(crate) struct ServerConnection(Socket);

impl ServerConnection {
    /// Waits for exactly `count` bytes from the client, and reads them.
    #[track_caller]
    pub(crate) fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("the client sends that many bytes");
        bytes
    }

    /// Waits for exactly `count` bytes of lines, and reads them. The empty line by which the client
    /// probes the server may precede them, and does not count.
    #[track_caller]
    pub(crate) fn read_lines(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = self.read(1);
        let is_probe = bytes == b"\n";
        bytes.append(&mut self.read(count - usize::from(!is_probe)));
        bytes
    }

    /// Waits for bytes, and reads at most `max_len` of them. Returns an empty vector if the client
    /// has closed the connection.
    #[track_caller]
    pub(crate) fn read_some(&mut self, max_len: usize) -> Vec<u8> {
        let mut bytes = vec![0; max_len];
        let count = self.0.read(&mut bytes).expect("bytes or a FIN arrive within the timeout");
        bytes.truncate(count);
        bytes
    }

    /// Reads the bytes that have arrived so far, at most `max_len` of them, without waiting.
    pub(crate) fn read_so_far(&mut self, max_len: u64) -> Vec<u8> {
        self.0.set_nonblocking(true).expect("the socket is open");
        let mut bytes = Vec::new();
        // The read ends with `WouldBlock` once the buffer is empty.
        let _ = (&mut self.0).take(max_len).read_to_end(&mut bytes);
        self.0.set_nonblocking(false).expect("the socket is open");
        bytes
    }

    /// Reads `count` bytes, at most 1 KiB at a time, and sleeps for `pause` after each read.
    #[track_caller]
    pub(crate) fn read_slowly(&mut self, count: usize, pause: Duration) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            bytes.append(&mut self.read((count - bytes.len()).min(1 << 10)));
            std::thread::sleep(pause);
        }
        bytes
    }

    /// Reads until the client closes the connection with a FIN, and returns the bytes.
    #[track_caller]
    pub(crate) fn read_to_end(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).expect("the client closes the connection with a FIN");
        bytes
    }

    /// Reads until the connection ends, and returns the bytes. The flag is true if the client
    /// closed the connection with a FIN, and false after a reset.
    pub(crate) fn read_to_any_end(mut self) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        let result = self.0.read_to_end(&mut bytes);
        (bytes, result.is_ok())
    }

    /// Shuts down the sending direction of the connection, like a server that is about to close.
    pub(crate) fn half_close(&self) {
        self.0.shutdown(Shutdown::Write).expect("the socket is connected");
    }

    /// Closes the connection with a reset, even if the server has read all bytes.
    pub(crate) fn reset(self) {
        self.0.set_linger(Some(Duration::ZERO)).expect("the socket is open");
    }

    /// Returns the size in bytes of the kernel's receive buffer for this connection, including the
    /// kernel's overhead.
    pub(crate) fn buffer(&self) -> u64 {
        self.0.recv_buffer_size().expect("the socket is open") as u64
    }
}

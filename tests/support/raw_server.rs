//! Streams held by hand: a test accepts a connection, and does to it what it likes.

use super::eventually;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// Listens, over TCP or at a path, and accepts when told to.
pub(crate) struct Listener(Socket);

impl Listener {
    /// At this port of 127.0.0.1; 0 is one that is free.
    pub(crate) fn tcp(port: u16) -> Self {
        Self::tcp_at(Ipv4Addr::LOCALHOST, port)
    }

    pub(crate) fn tcp_at(address: impl Into<IpAddr>, port: u16) -> Self {
        let address = SocketAddr::new(address.into(), port);
        Self::bound(Domain::for_address(address), &address.into())
    }

    /// At this path, of which it takes possession.
    #[cfg(unix)]
    pub(crate) fn unix(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        Self::bound(Domain::UNIX, &SockAddr::unix(path).expect("a short path"))
    }

    fn bound(domain: Domain, address: &SockAddr) -> Self {
        let listen = || {
            let socket = Socket::new(domain, Type::STREAM, None)?;
            if domain != Domain::UNIX {
                socket.set_reuse_address(true)?;
            }
            // Inherited by what is accepted: the less the operating system keeps for a server
            // that does not read, the sooner its client notices.
            socket.set_recv_buffer_size(16 << 10)?;
            socket.bind(address)?;
            socket.listen(16)?;
            socket.set_nonblocking(true)?;
            std::io::Result::Ok(socket)
        };
        Self(listen().expect("the address is free"))
    }

    pub(crate) fn port(&self) -> u16 {
        let address = self.0.local_addr().expect("it is bound");
        address.as_socket().expect("an IP address").port()
    }

    /// The next connection.
    #[track_caller]
    pub(crate) fn accept(&self) -> Peer {
        let mut accepted = None;
        eventually("a connection comes", || {
            accepted = self.0.accept().ok();
            accepted.is_some()
        });
        let (socket, _) = accepted.expect("it came");
        socket.set_nonblocking(false).expect("sockets can");
        socket.set_read_timeout(Some(super::PATIENCE)).expect("a timeout above 0 is accepted");
        Peer(socket)
    }

    /// Whether a connection waits to be accepted; if so, it is.
    pub(crate) fn is_called(&self) -> bool {
        self.0.accept().is_ok()
    }
}

/// The server's end of a connection. Dropped, it closes: by a FIN if all was read, and by a
/// reset if not.
pub(crate) struct Peer(Socket);

impl Peer {
    /// So many bytes, no more and no less.
    #[track_caller]
    pub(crate) fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("so many come");
        bytes
    }

    /// What has come, and at most so many bytes: none at the client's end.
    #[track_caller]
    pub(crate) fn read_some(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; most];
        let count = self.0.read(&mut bytes).expect("something comes");
        bytes.truncate(count);
        bytes
    }

    /// What is here by now, and at most so many bytes.
    pub(crate) fn read_so_far(&mut self, most: u64) -> Vec<u8> {
        self.0.set_nonblocking(true).expect("sockets can");
        let mut bytes = Vec::new();
        // Ends by an error if all is read.
        let _ = (&mut self.0).take(most).read_to_end(&mut bytes);
        self.0.set_nonblocking(false).expect("sockets can");
        bytes
    }

    /// A kibibyte at most at a time, and a rest after each, until it has so many bytes.
    #[track_caller]
    pub(crate) fn read_slowly(&mut self, count: usize, rest: Duration) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            bytes.append(&mut self.read((count - bytes.len()).min(1 << 10)));
            std::thread::sleep(rest);
        }
        bytes
    }

    /// All until the client's end.
    #[track_caller]
    pub(crate) fn read_to_end(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).expect("the client ends in order");
        bytes
    }

    /// All until the client's end, in order or by a reset; says whether it was in order.
    pub(crate) fn read_to_any_end(mut self) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        let result = self.0.read_to_end(&mut bytes);
        (bytes, result.is_ok())
    }

    /// Says that it will send nothing more, as a server that is about to go.
    pub(crate) fn half_close(&self) {
        self.0.shutdown(Shutdown::Write).expect("it is connected");
    }

    /// Ends the connection by a reset, whatever was read.
    pub(crate) fn reset(self) {
        self.0.set_linger(Some(Duration::ZERO)).expect("sockets can");
    }

    /// What the operating system holds for it at most, headers included.
    pub(crate) fn buffer(&self) -> u64 {
        self.0.recv_buffer_size().expect("sockets can") as u64
    }
}

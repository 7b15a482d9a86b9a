//! Stream sockets, TCP and Unix, of the connections to the server.

use super::NO_SIGNAL;
use socket2::SockRef;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    pub(super) async fn ready(&self, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            #[cfg(unix)]
            Self::Unix(stream) => stream.ready(interest).await,
        }
        .map(drop)
    }

    pub(super) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let write = || self.reference().send_vectored_with_flags(slices, NO_SIGNAL);
        match self {
            Self::Tcp(stream) => stream.try_io(Interest::WRITABLE, write),
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_io(Interest::WRITABLE, write),
        }
    }

    pub(super) fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_read(bytes),
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    pub(super) fn reference(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => stream.into(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.into(),
        }
    }

    /// Ends the sending side of the connection.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        self.reference().shutdown(Shutdown::Write)
    }
}

/// Returns an error if the socket is connected to itself.
///
/// A connect to a local port that no process listens at can be given this very port as its own.
/// Such a socket is closed by a reset: an orderly close would keep the server from its port for a
/// minute.
pub(super) fn refuse_self_connect(socket: SockRef<'_>) -> io::Result<()> {
    if socket.local_addr()? == socket.peer_addr()? {
        socket.set_linger(Some(Duration::ZERO))?;
        return Err(ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    #[test]
    fn self_connect_is_reset_and_frees_the_port() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let itself = socket.local_addr().unwrap();
        socket.connect(&itself).unwrap();
        let refused = refuse_self_connect(SockRef::from(&socket)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        drop(socket);
        TcpListener::bind(itself.as_socket().unwrap()).unwrap();
    }
}

//! Connections: TCP, and streams to Unix sockets.

use super::TURN;
use crate::handoff::Collector;
use crate::send::stream::Remainder;
use crate::stats::Account;
use socket2::SockRef;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Slices for one write: what the operating system takes at once.
const SLICES: usize = 64;

/// How long to wait for the server's end after our own. Most end at once; the deadline of the
/// stop comes first in any case.
const LINGER: Duration = Duration::from_secs(1);

pub(in crate::send) struct Connection {
    socket: Socket,
    remainder: Remainder,
}

impl Connection {
    pub(super) async fn to(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        // On this machine a port that nobody listens at can be given to the caller itself,
        // which is then connected to itself.
        if stream.local_addr()? == stream.peer_addr()? {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        // Writes are as large as can be; what is small was waited for long enough.
        stream.set_nodelay(true)?;
        Ok(Self { socket: Socket::Tcp(stream), remainder: Remainder::default() })
    }

    #[cfg(unix)]
    pub(super) async fn to_path(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path).await?;
        Ok(Self { socket: Socket::Unix(stream), remainder: Remainder::default() })
    }

    pub(super) async fn ready(&self, to_send: bool) -> io::Result<()> {
        let news = Interest::READABLE;
        self.socket.ready(if to_send { news | Interest::WRITABLE } else { news }).await
    }

    pub(super) fn send(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        // A write to a closed peer succeeds once and is lost: look first.
        self.look_for_end()?;
        for _ in 0..TURN {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.remainder.unsent(lines, &mut slices);
            if filled == 0 {
                break;
            }
            match self.socket.try_write_vectored(&slices[..filled]) {
                Ok(count) => account.sent.add(self.remainder.wrote(lines, count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads and discards what a server has no reason to send; its end is an error here.
    fn look_for_end(&self) -> io::Result<()> {
        // Asks the operating system itself: tokio's `try_read` knows of an end only once its
        // reactor has run, which may be after the write that is about to be lost.
        let mut discarded = [MaybeUninit::uninit(); 512];
        let socket = self.socket.reference();
        for _ in 0..TURN {
            match socket.recv(&mut discarded) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // And tells tokio that nothing is left, so that it waits for more.
        match self.socket.try_read(&mut [0]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) async fn close(mut self) {
        // Bytes that the server sends to a socket that is gone, or that were left unread in
        // it, would be answered by a reset, which discards what the server has not read yet
        // and ends some servers' process. So wait for the server's own end.
        let until_its_end = async {
            self.socket.shutdown().await?;
            while self.look_for_end().is_ok() {
                self.socket.ready(Interest::READABLE).await?;
            }
            io::Result::Ok(())
        };
        let _ = timeout(LINGER, until_its_end).await;
    }
}

enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    async fn ready(&self, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            #[cfg(unix)]
            Self::Unix(stream) => stream.ready(interest).await,
        }
        .map(drop)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_write_vectored(slices),
        }
    }

    fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_read(bytes),
        }
    }

    fn reference(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => stream.into(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.into(),
        }
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown().await,
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown().await,
        }
    }
}

//! Connections: TCP, and streams to Unix sockets.

use super::TURN;
#[cfg(target_os = "linux")]
use super::unacknowledged::unacknowledged;
use crate::handoff::{Collector, Tally};
use crate::send::stream::Stream;
use crate::settings::{Delivery, Settings};
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
use tokio::time::{Instant, sleep_until, timeout};

/// Slices for one write: what the operating system takes at once.
const SLICES: usize = 64;

/// How long to wait for the server's end after our own. Most end at once; the deadline of the
/// stop comes first in any case.
const LINGER: Duration = Duration::from_secs(1);

/// How long to wait, after the server's end and from one to the next, for acknowledgements of
/// what was under way: from a server that only writes no more they come, from one that is gone
/// a reset does.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Between looks at what was acknowledged, of which nobody tells: at first, and at most.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LATER_LOOKS: Duration = Duration::from_millis(64);

pub(in crate::send) struct Connection {
    socket: Socket,
    stream: Stream,
    delivery: Delivery,
    /// While something is unacknowledged: when to look again, and how long that is from the
    /// look before.
    look: Option<(Instant, Duration)>,
    /// The server has ended its side: until when to wait for its last acknowledgements.
    ended: Option<Instant>,
}

impl Connection {
    pub(super) async fn to(address: SocketAddr, settings: &Settings) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        // On this machine a port that nobody listens at can be given to the caller itself,
        // which is then connected to itself.
        if stream.local_addr()? == stream.peer_addr()? {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        // Writes are as large as can be; what is small was waited for long enough.
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        SockRef::from(&stream).set_tcp_user_timeout(Some(settings.peer_timeout))?;
        Ok(Self::new(Socket::Tcp(stream), settings))
    }

    #[cfg(unix)]
    pub(super) async fn to_path(path: &Path, settings: &Settings) -> io::Result<Self> {
        let stream = UnixStream::connect(path).await?;
        Ok(Self::new(Socket::Unix(stream), settings))
    }

    fn new(socket: Socket, settings: &Settings) -> Self {
        let stream = Stream::new(settings.framing, settings.max_datagram_payload);
        Self { socket, stream, delivery: settings.delivery, look: None, ended: None }
    }

    pub(super) async fn ready(&self, to_send: bool) -> io::Result<()> {
        let news = Interest::READABLE;
        let interest = if to_send { news | Interest::WRITABLE } else { news };
        let look = self.look.map_or_else(Instant::now, |(at, _)| at);
        tokio::select! {
            ready = self.socket.ready(interest), if self.ended.is_none() => ready,
            () = sleep_until(look), if self.look.is_some() => Ok(()),
        }
    }

    pub(super) fn send(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        // A write to a closed peer succeeds once and is lost: look first.
        match self.look_for_end() {
            Ok(()) => self.write(lines, account)?,
            Err(end) if end.kind() == ErrorKind::UnexpectedEof => {
                let before = lines.in_flight();
                self.settle(lines, account);
                let now = Instant::now();
                let until = match self.ended {
                    Some(until) if lines.in_flight() == before => until,
                    _ => now + LAST_WORDS,
                };
                self.ended = Some(until);
                if self.look.is_none() || now >= until {
                    return Err(end);
                }
                return self.socket.reference().take_error()?.map_or(Ok(()), Err);
            }
            Err(error) => return Err(error),
        }
        self.settle(lines, account);
        Ok(())
    }

    fn write(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        for _ in 0..TURN {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.stream.next(lines, &mut slices);
            if filled == 0 {
                break;
            }
            match self.socket.try_write_vectored(&slices[..filled]) {
                Ok(count) => self.stream.wrote(lines, count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // What is acknowledged by now makes room for the threads.
            self.settle(lines, account);
        }
        Ok(())
    }

    /// Lets go of the lines that the other side has, and counts them as sent. What it has not
    /// can be asked for once more after a failure.
    pub(super) fn settle(&mut self, lines: &mut Collector, account: &Account) {
        if lines.in_flight() == 0 {
            self.look = None;
            return;
        }
        let unacknowledged = self.unacknowledged();
        let arrived = self.stream.settle(lines, unacknowledged);
        account.sent.add(arrived);
        self.look = (unacknowledged > 0).then(|| {
            let pause = match self.look {
                Some((_, pause)) if arrived.lines == 0 => LATER_LOOKS.min(pause * 2),
                _ => FIRST_LOOK,
            };
            (Instant::now() + pause, pause)
        });
    }

    pub(super) fn begun(&self) -> usize {
        self.stream.begun()
    }

    /// Leaves what is in flight to the operating system, which goes on delivering it: the lines
    /// that it has whole count as sent. Says which these are.
    pub(super) fn hand_over(&mut self, lines: &mut Collector, account: &Account) -> Tally {
        self.settle(lines, account);
        let whole = self.stream.settle(lines, 0);
        account.sent.add(whole);
        whole
    }

    /// What the other side's operating system is not known to have, as far as that matters. Of
    /// a Unix socket it is ours, and has all.
    fn unacknowledged(&self) -> usize {
        match (&self.socket, self.delivery) {
            #[cfg(target_os = "linux")]
            (Socket::Tcp(stream), Delivery::Acknowledged) => {
                unacknowledged(&stream.into()).unwrap_or(0)
            }
            _ => 0,
        }
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

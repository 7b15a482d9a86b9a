//! The link to the server: the only file that has sockets.

use super::datagram;
use super::stream::Remainder;
use crate::handoff::{Collector, Tally};
use crate::settings::{Protocol, Settings};
use crate::stats::Account;
use bytes::{Buf, BytesMut};
use socket2::SockRef;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;

pub(super) enum Link {
    Tcp(Tcp),
    Udp(Udp),
}

pub(super) struct Tcp {
    stream: TcpStream,
    remainder: Remainder,
}

pub(super) struct Udp {
    socket: UdpSocket,
    max_payload: usize,
    scratch: BytesMut,
}

/// Sends before the flusher looks at its other duties.
const TURN: usize = 64;

/// Slices for one write: what the operating system takes at once.
const SLICES: usize = 64;

/// How long to wait for the server's end after our own. Most end at once; the deadline of the
/// stop comes first in any case.
const LINGER: Duration = Duration::from_secs(1);

impl Link {
    /// # Panics
    /// If the runtime has no I/O driver.
    pub(super) async fn try_driver() {
        let _ = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    }

    /// Looks the name up and tries each of its addresses, the `attempt`th first: over UDP,
    /// where the first always takes a connection, another one is reached so.
    pub(super) async fn connect(settings: &Settings, attempt: usize) -> io::Result<Self> {
        let limit = settings.connect_timeout;
        let found = timeout(limit, lookup_host((&*settings.host, settings.port))).await??;
        let mut addresses: Vec<_> = found.collect();
        if settings.protocol == Protocol::Udp && !addresses.is_empty() {
            let first = attempt % addresses.len();
            addresses.rotate_left(first);
        }
        let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            let attempt = async {
                match settings.protocol {
                    Protocol::Tcp => Tcp::connect(address).await.map(Self::Tcp),
                    Protocol::Udp => {
                        Udp::connect(address, settings.max_datagram_payload).await.map(Self::Udp)
                    }
                }
            };
            match timeout(limit, attempt).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error)) => failure = error,
                Err(elapsed) => failure = elapsed.into(),
            }
        }
        Err(failure)
    }

    /// Waits until there is something to do: room to send, if that is wanted, or news from
    /// the other side. Cancel safe.
    pub(super) async fn ready(&self, to_send: bool) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) if to_send => {
                tcp.stream.ready(Interest::READABLE | Interest::WRITABLE).await.map(drop)
            }
            Self::Tcp(tcp) => tcp.stream.readable().await,
            Self::Udp(udp) if to_send => udp.socket.writable().await,
            Self::Udp(_) => std::future::pending().await,
        }
    }

    /// Sends lines until none are left, the operating system takes no more, or the turn is
    /// over. An error means that the link is to be made anew; what it did not send remains.
    pub(super) fn send(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.send(lines, account),
            Self::Udp(udp) => udp.send(lines, account),
        }
    }

    /// Ends the link, so that the other side has what was sent.
    pub(super) async fn close(self) {
        if let Self::Tcp(mut tcp) = self {
            // Bytes that the server sends to a socket that is gone, or that were left unread
            // in it, would be answered by a reset, which discards what the server has not read
            // yet and ends some servers' process. So wait for the server's own end.
            let until_its_end = async {
                tcp.stream.shutdown().await?;
                while tcp.look_for_end().is_ok() {
                    tcp.stream.readable().await?;
                }
                io::Result::Ok(())
            };
            let _ = timeout(LINGER, until_its_end).await;
        }
    }
}

impl Tcp {
    async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        // On this machine a port that nobody listens at can be given to the caller itself,
        // which is then connected to itself.
        if stream.local_addr()? == stream.peer_addr()? {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        // Writes are as large as can be; what is small was waited for long enough.
        stream.set_nodelay(true)?;
        Ok(Self { stream, remainder: Remainder::default() })
    }

    fn send(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        // A write to a closed peer succeeds once and is lost: look first.
        self.look_for_end()?;
        for _ in 0..TURN {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.remainder.unsent(lines, &mut slices);
            if filled == 0 {
                break;
            }
            match self.stream.try_write_vectored(&slices[..filled]) {
                Ok(count) => account.sent.add(self.remainder.wrote(lines, count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads and discards what a server has no reason to send; its end is an error here.
    fn look_for_end(&mut self) -> io::Result<()> {
        // Asks the operating system itself: tokio's `try_read` knows of an end only once its
        // reactor has run, which may be after the write that is about to be lost.
        let mut discarded = [MaybeUninit::uninit(); 512];
        let socket = SockRef::from(&self.stream);
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
        match self.stream.try_read(&mut [0]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

impl Udp {
    async fn connect(address: SocketAddr, max_payload: usize) -> io::Result<Self> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        // A connected socket is told when nobody listens.
        socket.connect(address).await?;
        let scratch = BytesMut::with_capacity(max_payload);
        Ok(Self { socket, max_payload, scratch })
    }

    /// A datagram counts as sent once the next call on the socket brought no refusal: on
    /// this machine a refusal is known at once, from afar it may come too late.
    fn send(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        let mut last = Tally::default();
        let result = self.send_turn(lines, account, &mut last);
        let refusal = match result {
            Ok(()) => self.socket.take_error().and_then(|error| error.map_or(Ok(()), Err)),
            Err(error) => Err(error),
        };
        match &refusal {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => account.refused.add(last),
            _ => account.sent.add(last),
        }
        refusal
    }

    fn send_turn(
        &mut self,
        lines: &mut Collector,
        account: &Account,
        last: &mut Tally,
    ) -> io::Result<()> {
        for _ in 0..TURN {
            let next = datagram::next(lines.runs(), self.max_payload, &mut self.scratch);
            let Some(datagram) = next else { break };
            let (size, taken) = (datagram.size(), datagram.taken);
            match self.socket.try_send(datagram.payload) {
                Ok(_) => {
                    account.sent.add(std::mem::replace(last, size));
                    lines.advance(taken);
                }
                Err(error) if is_too_long(&error) => {
                    account.too_long.add(size);
                    lines.advance(taken);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Linux: EMSGSIZE, 90; the BSDs and macOS: 40; Windows: WSAEMSGSIZE, 10040.
fn is_too_long(error: &io::Error) -> bool {
    let code = if cfg!(windows) {
        10040
    } else if cfg!(target_os = "linux") {
        90
    } else {
        40
    };
    error.raw_os_error() == Some(code)
}

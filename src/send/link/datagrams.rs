//! Datagrams: UDP, and datagrams to Unix sockets.

use super::TURN;
use crate::handoff::{Collector, Tally};
use crate::send::datagram;
use crate::settings::Settings;
use crate::stats::Account;
use bytes::{Buf, BytesMut};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(unix)]
use std::path::Path;
use tokio::net::UdpSocket;
#[cfg(unix)]
use tokio::net::UnixDatagram;

pub(in crate::send) struct Datagrams {
    socket: Socket,
    max_payload: usize,
    hold_when_refused: bool,
    scratch: BytesMut,
}

impl Datagrams {
    pub(super) async fn to(address: SocketAddr, settings: &Settings) -> io::Result<Self> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        // A connected socket is told when nobody listens.
        socket.connect(address).await?;
        Ok(Self::new(Socket::Udp(socket), settings))
    }

    #[cfg(unix)]
    pub(super) fn to_path(path: &Path, settings: &Settings) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self::new(Socket::Unix(socket), settings))
    }

    fn new(socket: Socket, settings: &Settings) -> Self {
        let max_payload = settings.max_datagram_payload;
        let hold_when_refused = settings.hold_when_refused;
        let scratch = BytesMut::with_capacity(max_payload);
        Self { socket, max_payload, hold_when_refused, scratch }
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Udp(socket) => socket.writable().await,
            #[cfg(unix)]
            Socket::Unix(socket) => socket.writable().await,
        }
    }

    /// A datagram over UDP counts as sent once the next call on the socket brought no refusal:
    /// on this machine a refusal is known at once, from afar it may come too late.
    pub(super) fn send(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        let mut last = Tally::default();
        let result = self.send_turn(lines, account, &mut last);
        let refusal = match (result, &self.socket) {
            (Ok(()), Socket::Udp(socket)) => {
                socket.take_error().and_then(|error| error.map_or(Ok(()), Err))
            }
            (result, _) => result,
        };
        match (&refusal, &self.socket) {
            (Err(error), Socket::Udp(_)) if error.kind() == ErrorKind::ConnectionRefused => {
                account.refused.add(last);
                if self.hold_when_refused { refusal } else { Ok(()) }
            }
            // A Unix socket refuses the datagram at hand, which was not taken.
            _ => {
                account.sent.add(last);
                refusal
            }
        }
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

enum Socket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
}

impl Socket {
    fn try_send(&self, payload: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.try_send(payload),
            #[cfg(unix)]
            Self::Unix(socket) => socket.try_send(payload),
        }
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

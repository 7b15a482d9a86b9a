//! Datagrams: UDP, and datagrams to Unix sockets.
//!
//! The newest datagram over UDP stays in flight until the next call on the socket brought no
//! refusal: on this machine a refusal is known at once, and the datagram is sent again. From
//! afar it may come too late for what went out meanwhile; so what follows a refusal is a
//! *probe*, one datagram that is given time to be refused.

use super::TURN;
use super::lookup::Lookups;
use crate::endpoint::Endpoint;
use crate::handoff::{Collector, Tally};
use crate::send::datagram;
use crate::settings::Settings;
use crate::stats::Account;
use bytes::{Buf, BytesMut};
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
#[cfg(unix)]
use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep_until};

/// How long a probe can be refused.
const PROBE: Duration = Duration::from_millis(100);

/// How long to wait where the operating system is out of buffers, which it tells by no event.
const NO_BUFFERS: Duration = Duration::from_millis(10);

pub(in crate::send) struct Datagrams {
    socket: Socket,
    max_payload: usize,
    hold_when_refused: bool,
    scratch: BytesMut,
    /// In flight: what a refusal would be about.
    newest: Tally,
    /// The newest is a probe, or will be.
    probing: bool,
    /// Nothing is sent before.
    pause: Option<Instant>,
    lookups: Option<Lookups>,
}

impl Datagrams {
    pub(super) fn to(address: SocketAddr, settings: &Settings, probing: bool) -> io::Result<Self> {
        let lookups = match &settings.endpoint {
            Endpoint::Udp(address) => Lookups::new(address, settings.lookup_interval),
            _ => None,
        };
        Ok(Self { probing, lookups, ..Self::new(Socket::udp(address)?, settings) })
    }

    #[cfg(unix)]
    pub(super) fn to_path(path: &Path, settings: &Settings) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self::new(Socket::Unix(socket), settings))
    }

    fn new(socket: Socket, settings: &Settings) -> Self {
        Self {
            socket,
            max_payload: settings.max_datagram_payload,
            hold_when_refused: settings.hold_when_refused,
            scratch: BytesMut::with_capacity(settings.max_datagram_payload),
            newest: Tally::default(),
            probing: false,
            pause: None,
            lookups: None,
        }
    }

    pub(super) fn is_probing(&self) -> bool {
        self.probing
    }

    pub(super) async fn ready(&mut self, to_send: bool) -> io::Result<()> {
        loop {
            let pause = self.pause;
            let until = pause.unwrap_or_else(Instant::now);
            tokio::select! {
                () = sleep_until(until), if pause.is_some() => return Ok(()),
                ready = self.socket.ready(to_send && pause.is_none()) => return ready,
                addresses = next_lookup(&mut self.lookups) => self.follow(&addresses),
            }
        }
    }

    /// Turns to the first of these addresses, unless the one in use is still among them. What
    /// cannot be turned to is tried again after the next look-up.
    fn follow(&mut self, addresses: &[SocketAddr]) {
        if let Socket::Udp(socket) = &self.socket
            && let Ok(current) = socket.peer_addr()
            && !addresses.contains(&current)
            && let Some(first) = addresses.first()
            && let Ok(socket) = Socket::udp(*first)
        {
            self.socket = socket;
        }
    }

    pub(super) fn send(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        self.hear_refusal(lines, account)?;
        if self.pause.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        self.pause = None;
        self.confirm(lines, account);
        self.send_turn(lines, account)?;
        self.hear_refusal(lines, account)?;
        if self.pause.is_none() {
            self.confirm(lines, account);
        }
        Ok(())
    }

    fn send_turn(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        for _ in 0..TURN {
            let next = datagram::next(lines.runs(), self.max_payload, &mut self.scratch);
            let Some(datagram) = next else { break };
            let (size, taken, length) = (datagram.size(), datagram.taken, datagram.payload.len());
            match self.socket.try_send(datagram.payload) {
                Ok(_) => {
                    self.confirm(lines, account);
                    lines.advance(taken);
                    self.newest = size;
                    if self.probing {
                        self.pause = Some(Instant::now() + PROBE);
                        break;
                    }
                }
                Err(error) if is_too_long(&error) => {
                    if length <= self.max_payload && size.lines > 1 {
                        self.max_payload = length / 2;
                        continue;
                    }
                    self.confirm(lines, account);
                    account.too_long.add(size);
                    lines.consume(taken);
                }
                Err(error) if is_out_of_buffers(&error) => {
                    self.pause = Some(Instant::now() + NO_BUFFERS);
                    break;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    self.refused(error, lines, account)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Nothing was heard against the newest datagram.
    fn confirm(&mut self, lines: &mut Collector, account: &Account) {
        let newest = std::mem::take(&mut self.newest);
        if newest.bytes > 0 {
            account.sent.add(newest);
            lines.settle(newest.bytes as usize);
            self.probing = false;
        }
    }

    fn hear_refusal(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        match self.socket.take_error(self.newest.bytes > 0) {
            None => Ok(()),
            Some(error) if error.kind() == ErrorKind::ConnectionRefused => {
                self.refused(error, lines, account)
            }
            Some(error) => Err(error),
        }
    }

    /// Nobody listened: the newest datagram is lost, or sent again when somebody does.
    fn refused(
        &mut self,
        error: io::Error,
        lines: &mut Collector,
        account: &Account,
    ) -> io::Result<()> {
        // A Unix socket refuses the datagram at hand, which is not in flight yet.
        if self.hold_when_refused || !matches!(self.socket, Socket::Udp(_)) {
            return Err(error);
        }
        let newest = std::mem::take(&mut self.newest);
        account.refused.add(newest);
        lines.settle(newest.bytes as usize);
        Ok(())
    }
}

async fn next_lookup(lookups: &mut Option<Lookups>) -> Vec<SocketAddr> {
    match lookups {
        Some(lookups) => lookups.next().await,
        None => pending().await,
    }
}

enum Socket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
}

impl Socket {
    fn udp(address: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = std::net::UdpSocket::bind(any)?;
        // A connected socket is told when nobody listens.
        socket.connect(address)?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket).map(Self::Udp)
    }

    /// Waits for room, if there is something to send; for a refusal in any case. Cancel safe.
    async fn ready(&self, to_send: bool) -> io::Result<()> {
        match self {
            Self::Udp(socket) => {
                let interest =
                    if to_send { Interest::ERROR | Interest::WRITABLE } else { Interest::ERROR };
                socket.ready(interest).await.map(drop)
            }
            #[cfg(unix)]
            Self::Unix(socket) if to_send => socket.writable().await,
            #[cfg(unix)]
            Self::Unix(_) => pending().await,
        }
    }

    fn try_send(&self, payload: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.try_send(payload),
            #[cfg(unix)]
            Self::Unix(socket) => socket.try_send(payload),
        }
    }

    /// What came back since it was last asked: as far as tokio was told, or `by_now`.
    fn take_error(&self, by_now: bool) -> Option<io::Error> {
        match self {
            Self::Udp(socket) => {
                let ask = || match socket.take_error() {
                    Ok(None) => Err(ErrorKind::WouldBlock.into()),
                    Ok(Some(error)) | Err(error) => Ok(error),
                };
                // Where there is none, tokio is to wait for one again.
                let told = socket.try_io(Interest::ERROR, ask).ok();
                told.or_else(|| if by_now { socket.take_error().ok()? } else { None })
            }
            #[cfg(unix)]
            Self::Unix(_) => None,
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

/// Linux: ENOBUFS, 105; the BSDs and macOS: 55; Windows: WSAENOBUFS, 10055. Or ENOMEM, 12.
fn is_out_of_buffers(error: &io::Error) -> bool {
    let codes = if cfg!(windows) {
        [10055, 10055]
    } else if cfg!(target_os = "linux") {
        [105, 12]
    } else {
        [55, 12]
    };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

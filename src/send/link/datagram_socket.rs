//! The sockets that take datagrams, and what their errors mean.

use super::NO_SIGNAL;
#[cfg(any(target_os = "linux", test))]
use crate::send::segments::Batch;
#[cfg(target_os = "linux")]
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use socket2::SockRef;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
#[cfg(unix)]
use std::path::Path;
use tokio::io::Interest;
use tokio::net::UdpSocket;
#[cfg(unix)]
use tokio::net::UnixDatagram;

pub(super) enum Socket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
    /// Answers as it was told, and then takes everything.
    #[cfg(test)]
    Scripted(super::datagrams::tests::Script),
}

impl Socket {
    pub(super) fn udp(address: SocketAddr) -> io::Result<Self> {
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

    /// Where it leads, over UDP.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Udp(socket) => socket.peer_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
            #[cfg(test)]
            Self::Scripted(_) => None,
        }
    }

    /// Waits for room, if there is something to send; for a refusal in any case. Cancel safe.
    pub(super) async fn ready(&self, to_send: bool) -> io::Result<()> {
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
            #[cfg(test)]
            Self::Scripted(_) => Ok(()),
        }
    }

    pub(super) fn try_send(&self, payload: &[u8]) -> io::Result<usize> {
        let send = |socket: SockRef<'_>| socket.send_with_flags(payload, NO_SIGNAL);
        match self {
            Self::Udp(socket) => socket.try_io(Interest::WRITABLE, || send(socket.into())),
            #[cfg(unix)]
            Self::Unix(socket) => socket.try_io(Interest::WRITABLE, || send(socket.into())),
            #[cfg(test)]
            Self::Scripted(script) => script.try_send(payload),
        }
    }

    /// Sends several datagrams by one call: each has the length of a segment, save the last.
    #[cfg(any(target_os = "linux", test))]
    pub(super) fn try_send_batch(&self, batch: &Batch<'_>) -> io::Result<usize> {
        match self {
            // The length goes with the call. As an option of the socket it would also cut a line that
            // is longer, and is sent by itself.
            #[cfg(target_os = "linux")]
            Self::Udp(socket) => socket.try_io(Interest::WRITABLE, || {
                let segment = u16::try_from(batch.segment).map_err(|_| ErrorKind::InvalidInput)?;
                let cut = [ControlMessage::UdpGsoSegments(&segment)];
                let connected = None::<&()>;
                let (socket, pieces) = (socket.as_raw_fd(), &batch.pieces);
                Ok(sendmsg(socket, pieces, &cut, MsgFlags::MSG_NOSIGNAL, connected)?)
            }),
            #[cfg(not(target_os = "linux"))]
            Self::Udp(_) => Err(ErrorKind::Unsupported.into()),
            #[cfg(unix)]
            Self::Unix(_) => Err(ErrorKind::Unsupported.into()),
            #[cfg(test)]
            Self::Scripted(script) => script.try_send_batch(batch),
        }
    }

    /// What came back since it was last asked: as far as tokio was told, or `by_now`.
    pub(super) fn take_error(&self, by_now: bool) -> Option<io::Error> {
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
            #[cfg(test)]
            Self::Scripted(script) => script.refusal(),
        }
    }
}

/// A socket to who receives at this path by now.
#[cfg(unix)]
pub(super) fn to_path(path: &Path) -> io::Result<Socket> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(Socket::Unix(socket))
}

/// Whether the same lines may go by single datagrams where a batch was answered so: always, but for
/// what is no answer, and what single ones have answers of their own for.
pub(super) fn is_about_a_batch(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionRefused, Interrupted, WouldBlock};
    !matches!(error.kind(), ConnectionRefused | Interrupted | WouldBlock)
        && !is_out_of_buffers(error)
}

/// What Linux says where it cannot cut a batch: EIO, 5, without checksum offload on the route;
/// EINVAL, 22, if it is too old, and it or EMSGSIZE, 90, if a segment is longer than the route's
/// datagrams.
pub(super) fn is_not_to_be_cut(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(5 | 22 | 90)) || error.kind() == ErrorKind::Unsupported
}

/// Linux: EMSGSIZE, 90; the BSDs and macOS: 40; Windows: WSAEMSGSIZE, 10040.
pub(super) fn is_too_long(error: &io::Error) -> bool {
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
pub(super) fn is_out_of_buffers(error: &io::Error) -> bool {
    let codes = if cfg!(windows) {
        [10055, 10055]
    } else if cfg!(target_os = "linux") {
        [105, 12]
    } else {
        [55, 12]
    };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

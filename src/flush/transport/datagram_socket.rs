//! Datagram sockets (UDP and Unix), and the meaning of their errors.

use super::NO_SIGNAL;
#[cfg(any(target_os = "linux", test))]
use crate::flush::packing::segments::Batch;
#[cfg(target_os = "linux")]
use crate::flush::system::knows_segmentation;
#[cfg(target_os = "linux")]
use socket2::MsgHdr;
use socket2::SockRef;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(unix)]
use std::path::Path;
use tokio::io::Interest;
use tokio::net::UdpSocket;
#[cfg(unix)]
use tokio::net::UnixDatagram;

/// Connects a UDP socket to the server, so that the operating system reports an error if no process
/// listens there. Refuses to connect a socket to itself.
fn connect(socket: &std::net::UdpSocket, address: SocketAddr) -> io::Result<()> {
    socket.connect(address)?;
    // While no server listens, this socket may be given the server's port. It would then receive its
    // own datagrams. The peer of a socket that is connected to the unspecified address is this host.
    if socket.local_addr()? == socket.peer_addr()? {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}

pub(super) enum Socket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
    /// Simulated socket for tests. It gives scripted answers, and then accepts everything.
    #[cfg(test)]
    Scripted(Box<super::datagrams::tests::Script>),
}

impl Socket {
    pub(super) fn udp(address: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = std::net::UdpSocket::bind(any)?;
        connect(&socket, address)?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket).map(Self::Udp)
    }

    /// Returns the address of the peer over UDP, or `None` for other sockets.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Udp(socket) => socket.peer_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
            #[cfg(test)]
            Self::Scripted(_) => None,
        }
    }

    /// Waits until a datagram is refused, or until the socket has room if `to_send`. Cancel safe.
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

    /// Returns true if the operating system can cut a batch into datagrams (UDP segmentation
    /// offload).
    ///
    /// Linux before 4.18 ignores the request and sends the whole batch as one datagram, without an
    /// error. Such a version does not know the option of the socket.
    pub(super) fn can_cut_batches(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Udp(socket) => knows_segmentation(socket),
            #[cfg(not(target_os = "linux"))]
            Self::Udp(_) => false,
            #[cfg(unix)]
            Self::Unix(_) => false,
            #[cfg(test)]
            Self::Scripted(_) => true,
        }
    }

    /// Sends a batch of datagrams in one system call. All have the same length, except the last,
    /// which may be shorter.
    #[cfg(any(target_os = "linux", test))]
    pub(super) fn try_send_batch(&self, batch: &Batch<'_>) -> io::Result<usize> {
        match self {
            // The segment length is an argument of the call. An option of the socket would also cut
            // a longer line that is sent in a single datagram.
            #[cfg(target_os = "linux")]
            Self::Udp(socket) => socket.try_io(Interest::WRITABLE, || {
                let segment = u16::try_from(batch.segment).map_err(|_| ErrorKind::InvalidInput)?;
                let control = segment_length(segment);
                let message = MsgHdr::new().with_buffers(&batch.pieces).with_control(&control);
                SockRef::from(socket).sendmsg(&message, NO_SIGNAL)
            }),
            #[cfg(not(target_os = "linux"))]
            Self::Udp(_) => Err(ErrorKind::Unsupported.into()),
            #[cfg(unix)]
            Self::Unix(_) => Err(ErrorKind::Unsupported.into()),
            #[cfg(test)]
            Self::Scripted(script) => script.try_send_batch(batch),
        }
    }

    /// Takes the pending error of the socket, such as a refused datagram. With `query`, asks the
    /// operating system even if tokio has reported no error.
    pub(super) fn take_error(&self, query: bool) -> Option<io::Error> {
        match self {
            Self::Udp(socket) => {
                let take = || match socket.take_error() {
                    Ok(None) => Err(ErrorKind::WouldBlock.into()),
                    Ok(Some(error)) | Err(error) => Ok(error),
                };
                // If there is none, `try_io` makes tokio wait for one again.
                let reported = socket.try_io(Interest::ERROR, take).ok();
                reported.or_else(|| if query { socket.take_error().ok()? } else { None })
            }
            #[cfg(unix)]
            Self::Unix(_) => None,
            #[cfg(test)]
            Self::Scripted(script) => script.take_pending(),
        }
    }
}

/// Length in bytes of the header of a control message: `struct cmsghdr` of Linux.
#[cfg(target_os = "linux")]
const CONTROL_HEADER: usize = size_of::<usize>() + 2 * size_of::<i32>();

/// Returns the control message that states the length of a batch's segments: see cmsg(3), and
/// `UDP_SEGMENT` in udp(7).
#[cfg(target_os = "linux")]
fn segment_length(segment: u16) -> [u8; CONTROL_HEADER + size_of::<usize>()] {
    let length = CONTROL_HEADER + size_of_val(&segment);
    let mut message = [0; _];
    let (header, data) = message.split_at_mut(CONTROL_HEADER);
    let (header_length, level_and_type) = header.split_at_mut(size_of::<usize>());
    header_length.copy_from_slice(&length.to_ne_bytes());
    let (level, kind) = level_and_type.split_at_mut(size_of::<i32>());
    level.copy_from_slice(&libc::SOL_UDP.to_ne_bytes());
    kind.copy_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
    data[..size_of_val(&segment)].copy_from_slice(&segment.to_ne_bytes());
    message
}

/// Opens a Unix datagram socket to the receiver that is bound to this path now.
#[cfg(unix)]
pub(super) fn to_path(path: &Path) -> io::Result<Socket> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(Socket::Unix(socket))
}

/// Returns true if the lines of a batch that failed with this error should be sent again in single
/// datagrams. Excluded are refusals, interrupts, a full socket and missing buffers, which the
/// sender handles for batches and single datagrams alike.
pub(super) fn may_send_singly(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionRefused, Interrupted, WouldBlock};
    !matches!(error.kind(), ConnectionRefused | Interrupted | WouldBlock)
        && !is_out_of_buffers(error)
}

/// Returns true if this error means that the operating system cannot cut the batch into datagrams.
/// Linux returns `EIO` without checksum offload on the route, and `EINVAL` or `EMSGSIZE` if a
/// segment is longer than a datagram of the route.
pub(super) fn is_batch_unsupported(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_cut_error =
        matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE));
    #[cfg(not(unix))]
    let is_cut_error = false;
    is_cut_error || error.kind() == ErrorKind::Unsupported
}

/// Returns true if this error means that a datagram is longer than the socket or the route accepts.
pub(super) fn is_datagram_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(codes::TOO_LONG)
}

pub(super) fn is_out_of_buffers(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| codes::OUT_OF_BUFFERS.contains(&code))
}

/// Unix error codes that [`ErrorKind`] does not distinguish: for a datagram that is too long, and
/// for missing buffers.
#[cfg(unix)]
mod codes {
    pub(super) const TOO_LONG: i32 = libc::EMSGSIZE;
    pub(super) const OUT_OF_BUFFERS: [i32; 2] = [libc::ENOBUFS, libc::ENOMEM];
}

/// Winsock error codes for a datagram that is too long (`WSAEMSGSIZE`), and for missing buffers
/// (`WSAENOBUFS`).
#[cfg(not(unix))]
mod codes {
    pub(super) const TOO_LONG: i32 = 10_040;
    pub(super) const OUT_OF_BUFFERS: [i32; 1] = [10_055];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_connected_to_itself_is_refused() {
        // A connect to the unspecified address reaches this host.
        for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
            let socket = std::net::UdpSocket::bind((address, 0)).unwrap();
            let own = socket.local_addr().unwrap();
            assert_eq!(connect(&socket, own).unwrap_err().kind(), ErrorKind::ConnectionRefused);
            connect(&socket, (Ipv4Addr::LOCALHOST, own.port() ^ 1).into()).unwrap();
        }
    }
}

//! The link to the server: a stream connection or a datagram socket. Only this module uses sockets.

mod connection;
mod datagram_socket;
mod datagrams;
mod lookup;
#[cfg(unix)]
mod socket_identity;
mod stall;
mod stream_socket;

use crate::config::FlusherConfig;
use crate::flush::outbox::Outbox;
use crate::flush::poison::PoisonDetector;
use crate::flush::refusals::RefusalDetector;
use crate::options::Target;
use crate::tally::Tally;
use connection::Connection;
use datagrams::Datagrams;
pub(super) use lookup::Resolver;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Maximum number of sending system calls in one [`Link::send`], after which the flusher checks for
/// other events.
const MAX_CALLS_PER_SEND: usize = 64;

/// Flag for each system call that sends, which suppresses SIGPIPE. A closed peer then makes the
/// call return an error, instead of a signal that ends the process by default.
///
/// Apple's systems have no such flag. There the standard library and mio set an option of each
/// socket.
#[cfg(all(unix, not(target_vendor = "apple")))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const NO_SIGNAL: i32 = 0;

pub(super) enum Link {
    Connection(Connection),
    Datagrams(Datagrams),
}

impl Link {
    /// Checks that the tokio runtime has an I/O driver, which sockets need.
    ///
    /// # Panics
    /// Panics if it has none.
    pub(super) async fn try_driver() {
        let _ = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    }

    /// Connects to the server: looks up its name and tries each of the addresses found, or connects
    /// to its Unix socket. If the lookup fails, tries the addresses that were found last.
    ///
    /// Over UDP the address at index `attempt` is the first, since a UDP socket always connects.
    /// Over TCP the address at index `first_address` is the first, so that a server that closes its
    /// connections at once does not hide the others. Both indices wrap around.
    pub(super) async fn connect(
        settings: &FlusherConfig,
        resolver: &Resolver,
        attempt: usize,
        first_address: usize,
    ) -> io::Result<Self> {
        let limit = settings.connect_timeout;
        match &settings.endpoint.target {
            Target::Tcp(_) => {
                let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
                let addresses = resolver.addresses(limit).await?;
                for address in rotated(addresses, first_address) {
                    match timeout(limit, Connection::to(address, settings)).await {
                        Ok(Ok(connection)) => return Ok(Self::Connection(connection)),
                        Ok(Err(error)) => failure = error,
                        Err(elapsed) => failure = elapsed.into(),
                    }
                }
                Err(failure)
            }
            Target::Udp(_) => {
                let addresses = rotated(resolver.addresses(limit).await?, attempt);
                Datagrams::to(addresses, settings, resolver, attempt > 0).map(Self::Datagrams)
            }
            #[cfg(unix)]
            Target::UnixDatagram(path) => Datagrams::to_path(path, settings).map(Self::Datagrams),
            #[cfg(unix)]
            Target::UnixStream(path) => {
                let attempt = timeout(limit, Connection::to_path(path, settings)).await?;
                attempt.map(Self::Connection)
            }
        }
    }

    /// Waits until a call of [`send`](Self::send) has work to do: an event of the server, a timer,
    /// or, if `to_send`, room in the socket. Cancel safe.
    ///
    /// While `dormant`, events that only a timer would find are not waited for.
    pub(super) async fn ready(&mut self, to_send: bool, dormant: bool) -> io::Result<()> {
        match self {
            Self::Connection(connection) => connection.ready(to_send).await,
            Self::Datagrams(datagrams) => datagrams.ready(to_send, dormant).await,
        }
    }

    /// Returns true unless the server is known, or suspected, to be unreachable.
    pub(super) fn is_up(&self) -> bool {
        match self {
            Self::Connection(connection) => connection.is_up(),
            Self::Datagrams(datagrams) => datagrams.is_up(),
        }
    }

    /// Returns true while the pacer (the limit on the UDP speed) requires a wait for the next burst of
    /// datagrams.
    pub(super) fn is_between_bursts(&self) -> bool {
        matches!(self, Self::Datagrams(datagrams) if datagrams.is_between_bursts())
    }

    /// Returns true if the server has accepted nothing for the peer timeout, although lines wait.
    pub(super) fn is_stalled(&self) -> bool {
        match self {
            Self::Connection(connection) => connection.is_stalled(),
            Self::Datagrams(datagrams) => datagrams.is_stalled(),
        }
    }

    /// Sends lines until none are left, the operating system accepts no more, or
    /// [`MAX_CALLS_PER_SEND`] is reached. Over UDP, sending also ends at a pause of the pacer (the
    /// speed limit), unless `unpaced`.
    ///
    /// # Errors
    /// An error means that the link must be abandoned. Unsent lines remain in the outbox.
    pub(super) fn send(&mut self, outbox: &mut Outbox, unpaced: bool) -> io::Result<()> {
        match self {
            Self::Connection(connection) => connection.send(outbox),
            Self::Datagrams(datagrams) => datagrams.send(outbox, unpaced),
        }
    }

    /// Makes a stream connection send lines one by one up to `offset`, counted in bytes over all
    /// lines since the client was built. Has no effect on a datagram socket.
    pub(super) fn send_line_by_line_until(&mut self, offset: u64, outbox: &Outbox) {
        if let Self::Connection(connection) = self {
            connection.send_line_by_line_until(offset, outbox);
        }
    }

    /// Makes a datagram socket send the lines singly that the detector suspects. A stream connection
    /// ignores this.
    pub(super) fn single_out(&mut self, refusals: &RefusalDetector) {
        if let Self::Datagrams(datagrams) = self {
            datagrams.send_singly(refusals.on_connect());
        }
    }

    /// Makes a stream connection carry no line until the server has kept it open for the time
    /// `quiet`. A datagram socket ignores this.
    pub(super) fn begin_probation(&mut self, quiet: Duration) {
        if let Self::Connection(connection) = self {
            connection.begin_probation(quiet);
        }
    }

    /// Returns true if this is a TCP connection on which the server's operating system has
    /// acknowledged a line. The server may not have read it.
    pub(super) fn has_acknowledged_unread(&self) -> bool {
        match self {
            Self::Connection(connection) => connection.has_acknowledged_unread(),
            Self::Datagrams(_) => false,
        }
    }

    /// Returns the number of unsent bytes that must be sent next: the rest of a length-prefixed
    /// frame that is already begun. They must not be evicted (discarded to make room).
    pub(super) fn committed(&self) -> usize {
        match self {
            Self::Connection(connection) => connection.committed(),
            Self::Datagrams(_) => 0,
        }
    }

    /// Gives up a failed link to the server: releases the lines in flight that arrived, and makes
    /// the others unsent again.
    pub(super) fn abandon(
        &mut self,
        outbox: &mut Outbox,
        poison: &mut PoisonDetector,
        refusals: &mut RefusalDetector,
    ) {
        match self {
            Self::Connection(connection) => {
                connection.abandon(outbox);
                poison.on_disconnect(outbox);
            }
            Self::Datagrams(datagrams) => {
                // No line after those set aside was accepted.
                outbox.end_quarantine();
                datagrams.take_failed().into_iter().for_each(|lines| refusals.on_failure(lines));
            }
        }
    }

    /// Leaves the lines in flight to the operating system, which continues to deliver them after the
    /// flusher ends. Counts them as sent, and returns the count of lines and bytes that the server
    /// has not acknowledged, or over UDP may still refuse.
    pub(super) fn hand_over(&mut self, outbox: &mut Outbox) -> Tally {
        match self {
            Self::Connection(connection) => connection.hand_over(outbox),
            Self::Datagrams(datagrams) => datagrams.hand_over(outbox),
        }
    }

    /// Closes the link in order, so that the server receives all bytes that were sent.
    pub(super) async fn close(self) {
        if let Self::Connection(connection) = self {
            connection.close().await;
        }
    }
}

/// Rotates the addresses so that the list begins with the address at index `first`. The index wraps
/// around.
fn rotated(mut addresses: Vec<SocketAddr>, first: usize) -> Vec<SocketAddr> {
    let first = first % addresses.len().max(1);
    addresses.rotate_left(first);
    addresses
}

//! The link to the server: the only place that has sockets.

mod connection;
mod datagram_socket;
mod datagrams;
mod lookup;
#[cfg(unix)]
mod place;
mod stall;
#[cfg(target_os = "linux")]
mod unacknowledged;

use crate::config::FlusherConfig;
use crate::endpoint::Target;
use crate::handoff::{Consumer, Tally};
use crate::send::suspicion::Suspicion;
use crate::stats::Account;
use connection::Connection;
use datagrams::Datagrams;
use lookup::look_up;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Sends before the flusher looks at its other duties.
const TURN: usize = 64;

/// For each call that sends: a peer that is gone is an error of the call, and no SIGPIPE, which ends a
/// process that has not said otherwise. Apple's systems have no such flag; there the standard library and
/// mio say so of each socket.
#[cfg(all(unix, not(target_vendor = "apple")))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const NO_SIGNAL: i32 = 0;

pub(super) enum Link {
    Connection(Connection),
    Datagrams(Datagrams),
}

impl Link {
    /// # Panics
    /// If the runtime has no I/O driver.
    pub(super) async fn try_driver() {
        let _ = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    }

    /// Looks the name up and tries each of its addresses. Over UDP the `attempt`th is the first, since
    /// there the first always takes a connection. Over TCP it is the `turn`th: so one that takes
    /// connections and ends them does not hide the others.
    pub(super) async fn connect(
        settings: &FlusherConfig,
        attempt: usize,
        turn: usize,
    ) -> io::Result<Self> {
        let limit = settings.connect_timeout;
        match &settings.endpoint.target {
            Target::Tcp(address) => {
                let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
                let addresses = timeout(limit, look_up(address)).await??;
                for address in beginning_with(turn, addresses) {
                    match timeout(limit, Connection::to(address, settings)).await {
                        Ok(Ok(connection)) => return Ok(Self::Connection(connection)),
                        Ok(Err(error)) => failure = error,
                        Err(elapsed) => failure = elapsed.into(),
                    }
                }
                Err(failure)
            }
            Target::Udp(address) => {
                let addresses = timeout(limit, look_up(address)).await??;
                let addresses = beginning_with(attempt, addresses);
                Datagrams::to(addresses, settings, attempt > 0).map(Self::Datagrams)
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

    /// Waits until there is something to do: room to send, if that is wanted, or news from
    /// the other side. Cancel safe.
    ///
    /// While `dormant`, what only time tells waits.
    pub(super) async fn ready(&mut self, to_send: bool, dormant: bool) -> io::Result<()> {
        match self {
            Self::Connection(connection) => connection.ready(to_send).await,
            Self::Datagrams(datagrams) => datagrams.ready(to_send, dormant).await,
        }
    }

    /// Whether it is known to lead somewhere, as far as can be told.
    pub(super) fn is_up(&self) -> bool {
        match self {
            Self::Connection(connection) => connection.is_up(),
            Self::Datagrams(datagrams) => datagrams.is_up(),
        }
    }

    /// Sends lines until none are left, the operating system takes no more, or the turn is
    /// over; or, unless in a unpaced, the receiver is to be given time. An error means that the link
    /// is to be made anew; what it did not send remains.
    pub(super) fn send(
        &mut self,
        lines: &mut Consumer,
        account: &Account,
        unpaced: bool,
    ) -> io::Result<()> {
        match self {
            Self::Connection(connection) => connection.send(lines, account),
            Self::Datagrams(datagrams) => datagrams.send(lines, account, unpaced),
        }
    }

    /// Lines up to this place go one by one, where they are kept until they are acknowledged.
    pub(super) fn go_singly(&mut self, until: u64, lines: &Consumer) {
        if let Self::Connection(connection) = self {
            connection.go_singly(until, lines);
        }
    }

    /// How many unsent bytes it is committed to send next.
    pub(super) fn begun(&self) -> usize {
        match self {
            Self::Connection(connection) => connection.begun(),
            Self::Datagrams(_) => 0,
        }
    }

    /// Accounts for what is in flight on a link that is given up: what arrived is let go of,
    /// and the rest recalled.
    pub(super) fn give_up(
        &mut self,
        lines: &mut Consumer,
        account: &Account,
        suspicion: &mut Suspicion,
    ) {
        match self {
            Self::Connection(connection) => {
                connection.give_up(lines, account);
                suspicion.end(lines);
            }
            Self::Datagrams(_) => lines.requeue(),
        }
    }

    /// Leaves what is in flight to the operating system. It counts as sent; says how much of it
    /// was not acknowledged.
    pub(super) fn hand_over(&mut self, lines: &mut Consumer, account: &Account) -> Tally {
        match self {
            Self::Connection(connection) => connection.hand_over(lines, account),
            Self::Datagrams(_) => Tally::default(),
        }
    }

    /// Ends the link, so that the other side has what was sent.
    pub(super) async fn close(self) {
        if let Self::Connection(connection) = self {
            connection.close().await;
        }
    }
}

/// These addresses, in their order, from this place on.
fn beginning_with(place: usize, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first = place % addresses.len().max(1);
    addresses.rotate_left(first);
    addresses
}

//! The link to the server: the only place that has sockets.

mod connection;
mod datagrams;

use crate::endpoint::{Address, Endpoint};
use crate::handoff::Collector;
use crate::settings::Settings;
use crate::stats::Account;
use connection::Connection;
use datagrams::Datagrams;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;

/// Sends before the flusher looks at its other duties.
const TURN: usize = 64;

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

    /// Looks the name up and tries each of its addresses, the `attempt`th first: over UDP,
    /// where the first always takes a connection, another one is reached so.
    pub(super) async fn connect(settings: &Settings, attempt: usize) -> io::Result<Self> {
        let limit = settings.connect_timeout;
        let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
        let (addresses, over_udp) = match &settings.endpoint {
            Endpoint::Tcp(address) => (timeout(limit, look_up(address)).await??, false),
            Endpoint::Udp(address) => {
                let mut addresses = timeout(limit, look_up(address)).await??;
                let first = attempt % addresses.len().max(1);
                addresses.rotate_left(first);
                (addresses, true)
            }
            #[cfg(unix)]
            Endpoint::UnixDatagram(path) => {
                return Datagrams::to_path(path, settings).map(Self::Datagrams);
            }
            #[cfg(unix)]
            Endpoint::UnixStream(path) => {
                let attempt = timeout(limit, Connection::to_path(path)).await?;
                return attempt.map(Self::Connection);
            }
        };
        for address in addresses {
            let attempt = async {
                if over_udp {
                    Datagrams::to(address, settings).await.map(Self::Datagrams)
                } else {
                    Connection::to(address).await.map(Self::Connection)
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
            Self::Connection(connection) => connection.ready(to_send).await,
            Self::Datagrams(datagrams) if to_send => datagrams.writable().await,
            Self::Datagrams(_) => std::future::pending().await,
        }
    }

    /// Sends lines until none are left, the operating system takes no more, or the turn is
    /// over. An error means that the link is to be made anew; what it did not send remains.
    pub(super) fn send(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        match self {
            Self::Connection(connection) => connection.send(lines, account),
            Self::Datagrams(datagrams) => datagrams.send(lines, account),
        }
    }

    /// Ends the link, so that the other side has what was sent.
    pub(super) async fn close(self) {
        if let Self::Connection(connection) = self {
            connection.close().await;
        }
    }
}

async fn look_up(address: &Address) -> io::Result<Vec<SocketAddr>> {
    Ok(lookup_host((&*address.host, address.port)).await?.collect())
}

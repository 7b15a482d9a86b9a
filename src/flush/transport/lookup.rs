//! Lookups of the server's name: one at each attempt to connect, and over UDP also at intervals. No
//! event shows that a UDP server has moved.

use crate::config::Address;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

/// Returns the addresses of the host, or an error if the system's resolver finds none.
///
/// The resolver blocks, for up to half a minute if its servers are silent. It runs on a thread of its
/// own, which nothing waits for: the end of a runtime waits for the threads of tokio's blocking pool,
/// and an application may have used that pool up.
pub(super) async fn look_up(address: &Address) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = address.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, address.port)]);
    }
    let Address { host, port } = address.clone();
    let (found, result) = oneshot::channel();
    let resolve = move || {
        let addresses = (&*host, port).to_socket_addrs().map(Iterator::collect);
        let _ = found.send(addresses);
    };
    thread::Builder::new().name("freewheel-dns".to_owned()).spawn(resolve)?;
    result.await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// Minimum time between the end of a name lookup and the next one.
const PAUSE: Duration = Duration::from_secs(1);

/// Periodic lookups of the server's name while a UDP socket to the server is open.
pub(super) struct Lookups {
    address: Address,
    interval: Duration,
    due: Instant,
    /// Time at which the last name lookup ended. Initially the time of creation.
    ended: Instant,
    in_flight: Option<Lookup>,
}

type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

impl Lookups {
    /// Creates the periodic lookups of the server's name, or returns `None` if the host is an IP
    /// address.
    pub(super) fn new(address: &Address, interval: Duration) -> Option<Self> {
        let is_name = address.host.parse::<IpAddr>().is_err();
        let ended = Instant::now();
        let (due, address) = (ended + interval, address.clone());
        is_name.then(|| Self { address, interval, due, ended, in_flight: None })
    }

    /// Makes the next lookup due early. The caller calls this when the server refuses datagrams,
    /// since the server may have moved.
    pub(super) fn hasten(&mut self) {
        self.due = self.due.min(self.ended + PAUSE);
    }

    /// Creates periodic lookups for tests, with one lookup in progress that never completes.
    #[cfg(test)]
    pub(super) fn hanging() -> Self {
        let address = Address { host: "server".into(), port: 8125 };
        let in_flight: Lookup = Box::pin(std::future::pending());
        let now = Instant::now();
        let interval = Duration::ZERO;
        Self { address, interval, due: now, ended: now, in_flight: Some(in_flight) }
    }

    /// Waits for the next successful lookup, and returns the addresses that it found. Cancel safe.
    pub(super) async fn next(&mut self) -> Vec<SocketAddr> {
        loop {
            if let Some(in_flight) = &mut self.in_flight {
                let found = in_flight.await;
                self.in_flight = None;
                self.ended = Instant::now();
                self.due = self.ended + self.interval;
                if let Ok(addresses) = found {
                    return addresses;
                }
            }
            sleep_until(self.due).await;
            let address = self.address.clone();
            self.in_flight = Some(Box::pin(async move { look_up(&address).await }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    #[tokio::test]
    async fn refusal_makes_a_lookup_due() {
        let address = Address { host: "localhost".into(), port: 8125 };
        let mut lookups = Lookups::new(&address, Duration::from_secs(3600)).expect("a name");
        lookups.hasten();
        let addresses = timeout(Duration::from_secs(30), lookups.next()).await;
        assert!(!addresses.expect("the lookup is due after a second").is_empty());
        assert!(lookups.due > Instant::now() + Duration::from_secs(3000));
    }
}

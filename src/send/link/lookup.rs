//! Looking up names: at each connection, and over UDP, where nothing else tells that a server
//! has moved, from time to time.

use crate::endpoint::Address;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::{Instant, sleep_until};

pub(super) async fn look_up(address: &Address) -> io::Result<Vec<SocketAddr>> {
    Ok(lookup_host((&*address.host, address.port)).await?.collect())
}

/// Looks a name up again and again, while its link goes on.
pub(super) struct Lookups {
    address: Address,
    interval: Duration,
    due: Instant,
    running: Option<LookUp>,
}

type LookUp = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

impl Lookups {
    /// None for what is an address already.
    pub(super) fn new(address: &Address, interval: Duration) -> Option<Self> {
        let is_name = address.host.parse::<IpAddr>().is_err();
        let due = Instant::now() + interval;
        is_name.then(|| Self { address: address.clone(), interval, due, running: None })
    }

    /// A look-up that was due, and gets no answer.
    #[cfg(test)]
    pub(super) fn in_vain() -> Self {
        let address = Address { host: "server".into(), port: 8125 };
        let running: LookUp = Box::pin(std::future::pending());
        Self { address, interval: Duration::ZERO, due: Instant::now(), running: Some(running) }
    }

    /// The addresses that the name has by now, once that is known again; a look-up that fails
    /// changes nothing. Cancel safe.
    pub(super) async fn next(&mut self) -> Vec<SocketAddr> {
        loop {
            if let Some(running) = &mut self.running {
                let found = running.await;
                self.running = None;
                self.due = Instant::now() + self.interval;
                if let Ok(addresses) = found {
                    return addresses;
                }
            }
            sleep_until(self.due).await;
            let address = self.address.clone();
            self.running = Some(Box::pin(async move { look_up(&address).await }));
        }
    }
}

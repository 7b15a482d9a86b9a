//! Lookups of the server's name: one at each attempt to connect, and over UDP also at intervals. No
//! event shows that a UDP server has moved.

use crate::options::{Address, Target};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Resolver of the server's name. It remembers the addresses that it found last, and runs at most
/// one lookup at a time: a lookup that hangs cannot be ended, and others would pile up.
///
/// The system's resolver blocks, for up to half a minute if its servers are silent. It runs on a
/// thread of its own, which nothing waits for: the end of a runtime waits for the threads of tokio's
/// blocking pool, and an application may have used that pool up.
#[derive(Clone)]
pub(in crate::flush) struct Resolver {
    host: Host,
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone)]
enum Host {
    Ip(SocketAddr),
    /// Function that asks the system for the addresses of the server's name.
    Name(Arc<Resolve>),
}

type Resolve = dyn Fn() -> io::Result<Vec<SocketAddr>> + Send + Sync;

#[derive(Default)]
struct State {
    /// Time at which the lookup in progress began, or `None` if there is none.
    running_since: Option<Instant>,
    /// Error of the last lookup, or `None` if it has found addresses.
    error: Option<Arc<io::Error>>,
    /// Addresses that the last successful lookup found.
    known: Vec<SocketAddr>,
    /// Error of a lookup in whose place known addresses were used, until a warning reports it.
    unreported: Option<io::Error>,
}

impl Resolver {
    /// Creates the resolver for the host of a server. The path of a Unix socket is not looked up.
    pub(in crate::flush) fn new(target: &Target) -> Self {
        let host = match target {
            Target::Tcp(Address { host, port }) | Target::Udp(Address { host, port }) => {
                match host.parse::<IpAddr>() {
                    Ok(ip) => Host::Ip(SocketAddr::new(ip, *port)),
                    Err(_) => {
                        let (host, port) = (host.clone(), *port);
                        let resolve =
                            move || (&*host, port).to_socket_addrs().map(Iterator::collect);
                        Host::Name(Arc::new(resolve))
                    }
                }
            }
            #[cfg(unix)]
            Target::UnixDatagram(_) | Target::UnixStream(_) => {
                Host::Name(Arc::new(|| Err(ErrorKind::Unsupported.into())))
            }
        };
        Self { host, state: Arc::default() }
    }

    /// Returns the addresses of the server for an attempt to connect, or an error if none are
    /// found within the time `limit`. After a failure, returns the addresses that were found last,
    /// however old they are. If these exist, a lookup that has hung for `limit` is not waited for
    /// again.
    pub(super) async fn addresses(&self, limit: Duration) -> io::Result<Vec<SocketAddr>> {
        let (running_since, is_any_known) = {
            let state = self.state.borrow();
            (state.running_since, !state.known.is_empty())
        };
        let begun = running_since.filter(|_| is_any_known).unwrap_or_else(Instant::now);
        let error = match timeout_at(begun + limit, self.look_up()).await {
            Ok(Ok(addresses)) => return Ok(addresses),
            Ok(Err(error)) => error,
            Err(elapsed) => elapsed.into(),
        };
        if !is_any_known {
            return Err(error);
        }
        self.state.send_modify(|state| state.unreported = Some(error));
        Ok(self.state.borrow().known.clone())
    }

    /// Takes the error of a lookup in whose place known addresses were used, or returns `None` if
    /// it was already taken.
    pub(in crate::flush) fn take_unreported(&self) -> Option<io::Error> {
        let mut unreported = None;
        self.state.send_if_modified(|state| {
            unreported = state.unreported.take();
            false
        });
        unreported
    }

    /// Waits for the lookup in progress, or else for a new one. Returns the addresses that it found.
    pub(super) async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        let resolve = match &self.host {
            Host::Ip(address) => return Ok(vec![*address]),
            Host::Name(resolve) => resolve,
        };
        let mut states = self.state.subscribe();
        let is_new = self.state.send_if_modified(|state| {
            let is_new = state.running_since.is_none();
            state.running_since.get_or_insert_with(Instant::now);
            is_new
        });
        if is_new {
            let (this, resolve) = (self.clone(), Arc::clone(resolve));
            let body = move || this.end_lookup(resolve());
            let started = thread::Builder::new().name("freewheel-dns".to_owned()).spawn(body);
            if let Err(error) = started {
                self.end_lookup(Err(error));
            }
        }
        let ended = states.wait_for(|state| state.running_since.is_none()).await;
        let ended = ended.map_err(|_| ErrorKind::Other)?;
        match &ended.error {
            Some(error) => Err(io::Error::new(error.kind(), Arc::clone(error))),
            None => Ok(ended.known.clone()),
        }
    }

    /// Records the result of a lookup, and lets those who wait for it continue.
    fn end_lookup(&self, result: io::Result<Vec<SocketAddr>>) {
        self.state.send_modify(|state| {
            state.running_since = None;
            state.error = match result {
                Ok(found) if !found.is_empty() => {
                    state.known = in_order_of(&state.known, &found);
                    None
                }
                Ok(_) => {
                    let error = io::Error::new(ErrorKind::NotFound, "the name has no address");
                    Some(Arc::new(error))
                }
                Err(error) => Some(Arc::new(error)),
            };
        });
    }

    fn is_name(&self) -> bool {
        matches!(self.host, Host::Name(_))
    }

    /// Creates a resolver for tests that gets the addresses from the function `resolve`.
    #[cfg(test)]
    pub(super) fn simulated(
        resolve: impl Fn() -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { host: Host::Name(Arc::new(resolve)), state: Arc::default() }
    }
}

/// Returns the addresses that a lookup found, in the order in which they were known before. New ones
/// come last.
///
/// A name server may rotate the addresses at each lookup. Attempts to connect take them in turn, and
/// could otherwise begin with the same address each time.
fn in_order_of(known: &[SocketAddr], found: &[SocketAddr]) -> Vec<SocketAddr> {
    let lasting = known.iter().filter(|address| found.contains(address));
    let new = found.iter().filter(|address| !known.contains(address));
    lasting.chain(new).copied().collect()
}

/// Minimum time between the end of a name lookup and the next one.
const PAUSE: Duration = Duration::from_secs(1);

/// Periodic lookups of the server's name while a UDP socket to the server is open.
pub(super) struct Lookups {
    resolver: Resolver,
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
    pub(super) fn new(resolver: &Resolver, interval: Duration) -> Option<Self> {
        let ended = Instant::now();
        let (due, resolver) = (ended + interval, resolver.clone());
        resolver.is_name().then(|| Self { resolver, interval, due, ended, in_flight: None })
    }

    /// Makes the next lookup due early. The caller calls this when the server refuses datagrams,
    /// since the server may have moved.
    pub(super) fn hasten(&mut self) {
        self.due = self.due.min(self.ended + PAUSE);
    }

    /// Creates periodic lookups for tests, with one lookup in progress that never completes.
    #[cfg(test)]
    pub(super) fn hanging() -> Self {
        let resolver = Resolver::simulated(|| Ok(Vec::new()));
        let in_flight: Lookup = Box::pin(std::future::pending());
        let now = Instant::now();
        let interval = Duration::ZERO;
        Self { resolver, interval, due: now, ended: now, in_flight: Some(in_flight) }
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
            let resolver = self.resolver.clone();
            self.in_flight = Some(Box::pin(async move { resolver.look_up().await }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rotated;
    use super::*;
    use std::sync::{Mutex, mpsc};
    use tokio::time::timeout;

    type Found = io::Result<Vec<SocketAddr>>;

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(20);

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// Returns a resolver whose lookups hang until a result is sent, the sender of results, and the
    /// number of lookups begun.
    fn hanging() -> (Resolver, mpsc::Sender<Found>, Arc<Mutex<usize>>) {
        let (sender, results) = mpsc::channel();
        let (results, begun) = (Mutex::new(results), Arc::<Mutex<usize>>::default());
        let count = Arc::clone(&begun);
        let resolver = Resolver::simulated(move || {
            *count.lock().unwrap() += 1;
            results.lock().unwrap().recv_timeout(LONG).unwrap()
        });
        (resolver, sender, begun)
    }

    #[tokio::test]
    async fn refusal_makes_a_lookup_due() {
        let address = Address { host: "localhost".into(), port: 8125 };
        let resolver = Resolver::new(&Target::Udp(address));
        let mut lookups = Lookups::new(&resolver, Duration::from_secs(3600)).expect("a name");
        lookups.hasten();
        let addresses = timeout(LONG, lookups.next()).await;
        assert!(!addresses.expect("the lookup is due after a second").is_empty());
        assert!(lookups.due > Instant::now() + Duration::from_secs(3000));
    }

    /// A name server rotates the addresses from lookup to lookup, in step with the attempts to connect.
    /// These must still begin with each of the addresses in turn. New addresses come last.
    #[tokio::test]
    async fn rotating_name_server_hides_no_address() {
        let (all, lookups) = ([1, 2, 3].map(address), Mutex::new(0));
        let resolver = Resolver::simulated(move || {
            let mut lookups = lookups.lock().unwrap();
            *lookups += 1;
            let mut found = all.to_vec();
            found.rotate_right((*lookups - 1) % 3);
            if *lookups > 3 {
                found[0] = address(4);
            }
            Ok(found)
        });
        for (attempt, expected) in all.into_iter().enumerate() {
            let addresses = resolver.addresses(LONG).await.unwrap();
            assert_eq!(rotated(addresses, attempt)[0], expected);
        }
        assert_eq!(resolver.addresses(LONG).await.unwrap(), [2, 3, 4].map(address));
    }

    /// Lookups hang for longer than the time that each attempt to connect waits. All attempts must
    /// wait for the first lookup, and the last one must get its result.
    #[tokio::test]
    async fn hanging_lookups_do_not_pile_up() {
        let (resolver, results, begun) = hanging();
        for _ in 0..5 {
            let timed_out = resolver.addresses(SHORT).await.unwrap_err();
            assert_eq!(timed_out.kind(), ErrorKind::TimedOut);
        }
        let mut lookups = Lookups::new(&resolver, Duration::ZERO).expect("a name");
        assert!(timeout(SHORT, lookups.next()).await.is_err());
        // The attempt begins before the lookup ends.
        let end = async { results.send(Ok(vec![address(1)])).unwrap() };
        let (addresses, ()) = tokio::join!(resolver.addresses(LONG), end);
        assert_eq!(addresses.unwrap(), [address(1)]);
        assert_eq!(*begun.lock().unwrap(), 1);
    }

    /// Lookups fail after one that found addresses. The attempts to connect must get these
    /// addresses, and the error is reported. A lookup that hangs must delay only one attempt.
    #[tokio::test]
    async fn known_addresses_are_used_after_a_failed_lookup() {
        let (resolver, results, begun) = hanging();
        results.send(Ok(vec![address(1), address(2)])).unwrap();
        assert_eq!(resolver.addresses(LONG).await.unwrap(), [address(1), address(2)]);
        assert!(resolver.take_unreported().is_none());
        for failure in [Err(io::Error::other("no server")), Ok(Vec::new())] {
            let text = if failure.is_err() { "no server" } else { "the name has no address" };
            results.send(failure).unwrap();
            assert_eq!(resolver.addresses(LONG).await.unwrap(), [address(1), address(2)]);
            assert_eq!(resolver.take_unreported().unwrap().to_string(), text);
            assert!(resolver.take_unreported().is_none());
        }
        let limit = Duration::from_millis(300);
        for attempt in 0..20 {
            let start = Instant::now();
            assert_eq!(resolver.addresses(limit).await.unwrap(), [address(1), address(2)]);
            assert!(attempt == 0 || start.elapsed() < limit, "attempt {attempt}");
            assert_eq!(resolver.take_unreported().unwrap().kind(), ErrorKind::TimedOut);
        }
        results.send(Ok(vec![address(3)])).unwrap();
        while resolver.state.borrow().running_since.is_some() {
            tokio::time::sleep(SHORT).await;
        }
        assert_eq!(*begun.lock().unwrap(), 4);
        results.send(Err(ErrorKind::Other.into())).unwrap();
        assert_eq!(resolver.addresses(LONG).await.unwrap(), [address(3)]);
    }
}

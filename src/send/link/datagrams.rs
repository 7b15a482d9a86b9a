//! Datagrams: UDP, and datagrams to Unix sockets.
//!
//! Over UDP they go in batches where the operating system cuts them (see `send::segments`), and at a
//! pace (see `send::pace`). The newest, a datagram or a batch, stays in flight until the next call on
//! the socket brought no refusal: on this machine a refusal is known at once, and it is sent again. From
//! afar it may come too late for what went out meanwhile; so what follows a refusal is a
//! *probe*, one datagram that is given time to be refused.

use super::TURN;
#[cfg(any(target_os = "linux", test))]
use super::datagram_socket::is_not_to_be_cut;
use super::datagram_socket::{Socket, is_out_of_buffers, is_too_long};
use super::lookup::Lookups;
use crate::builder::SendSettings;
use crate::endpoint::Endpoint;
use crate::handoff::{Collector, Tally};
use crate::send::pace::Pace;
#[cfg(any(target_os = "linux", test))]
use crate::send::segments;
use crate::send::{datagram, packed};
use crate::stats::Account;
use bytes::{Buf, BytesMut};
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;
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
    pack_values: bool,
    hold_when_refused: bool,
    scratch: BytesMut,
    /// In flight, a datagram or a batch: what a refusal would be about.
    newest: Tally,
    /// The newest is a probe, or will be.
    probing: bool,
    /// Batches can be tried.
    #[cfg_attr(not(any(target_os = "linux", test)), expect(dead_code))]
    offload: bool,
    /// Something went wrong: until a datagram was taken, no batch is sent.
    singly: bool,
    pace: Pace,
    /// Nothing is sent before.
    pause: Option<Instant>,
    lookups: Option<Lookups>,
}

/// What was tried to be sent.
struct Attempt {
    size: Tally,
    length: usize,
    datagrams: usize,
}

impl Datagrams {
    pub(super) fn to(
        address: SocketAddr,
        settings: &SendSettings,
        probing: bool,
    ) -> io::Result<Self> {
        let lookups = match &settings.endpoint {
            Endpoint::Udp(address) => Lookups::new(address, settings.lookup_interval),
            _ => None,
        };
        let socket = Socket::udp(address)?;
        let (max_payload, hold) = (settings.max_datagram_payload, settings.hold_when_refused);
        let pace = Pace::new(settings.hurry_beyond);
        let pack_values = settings.pack_values;
        // What is packed is copied, and no segment of the blocks.
        let offload = settings.segmentation_offload && !pack_values;
        let new = Self::new(socket, max_payload, hold);
        Ok(Self { probing, lookups, pace, offload, pack_values, ..new })
    }

    #[cfg(unix)]
    pub(super) fn to_path(path: &Path, settings: &SendSettings) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        // It refuses the datagram at hand, which is not in flight yet, and is held in any case.
        let pack_values = settings.pack_values;
        let datagrams = Self::new(Socket::Unix(socket), settings.max_datagram_payload, true);
        Ok(Self { pack_values, ..datagrams })
    }

    fn new(socket: Socket, max_payload: usize, hold_when_refused: bool) -> Self {
        Self {
            socket,
            max_payload,
            pack_values: false,
            hold_when_refused,
            scratch: BytesMut::with_capacity(max_payload),
            newest: Tally::default(),
            probing: false,
            offload: false,
            singly: false,
            pace: Pace::none(),
            pause: None,
            lookups: None,
        }
    }

    pub(super) fn is_probing(&self) -> bool {
        self.probing
    }

    pub(super) async fn ready(&mut self, to_send: bool, dormant: bool) -> io::Result<()> {
        loop {
            let pause = self.pause;
            let until = pause.unwrap_or_else(Instant::now);
            tokio::select! {
                () = sleep_until(until), if pause.is_some() => return Ok(()),
                ready = self.socket.ready(to_send && pause.is_none()) => return ready,
                addresses = next_lookup(&mut self.lookups), if !dormant => self.follow(&addresses),
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

    /// `hurry`: at no pace but the fastest.
    pub(super) fn send(
        &mut self,
        lines: &mut Collector,
        account: &Account,
        hurry: bool,
    ) -> io::Result<()> {
        self.hear_refusal(lines, account)?;
        if self.pause.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        self.pause = None;
        self.confirm(lines, account);
        self.pace.renew(lines.waiting(), hurry);
        self.send_turn(lines, account)?;
        self.hear_refusal(lines, account)?;
        if !self.probing {
            self.confirm(lines, account);
        }
        Ok(())
    }

    fn send_turn(&mut self, lines: &mut Collector, account: &Account) -> io::Result<()> {
        for _ in 0..TURN {
            if !lines.has_remaining() {
                break;
            }
            if self.pace.is_over() {
                self.pause = Some(self.pace.renewal());
                break;
            }
            let Some((attempt, result)) = self.try_next(lines) else { break };
            let Attempt { size, length, datagrams } = attempt;
            match result {
                Ok(_) => {
                    self.confirm(lines, account);
                    lines.advance(size.bytes as usize);
                    self.newest = size;
                    self.pace.sent(length);
                    if self.pace.gives_way() {
                        // A system call that returns at once where nobody waits for the core.
                        std::thread::yield_now();
                    }
                    if self.probing {
                        self.pause = Some(Instant::now() + PROBE);
                        break;
                    }
                }
                Err(error) if datagrams > 1 && is_not_to_be_cut(&error) => self.offload = false,
                Err(error) if is_too_long(&error) => {
                    if length <= self.max_payload && size.lines > 1 {
                        self.max_payload = length / 2;
                        continue;
                    }
                    self.confirm(lines, account);
                    account.too_long.add(size);
                    lines.consume(size.bytes as usize);
                }
                Err(error) if is_out_of_buffers(&error) => {
                    self.pause = Some(Instant::now() + NO_BUFFERS);
                    self.singly = true;
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

    /// Tries to send what comes next: a batch where that is possible, or else a datagram. None if
    /// there are no lines.
    fn try_next(&mut self, lines: &Collector) -> Option<(Attempt, io::Result<usize>)> {
        #[cfg(any(target_os = "linux", test))]
        if self.offload && !self.probing && !self.singly {
            let most = self.pace.at_once();
            if let Some(batch) = segments::next(lines.runs(), self.max_payload, most) {
                let length = batch.pieces.iter().map(|piece| piece.len()).sum();
                let attempt = Attempt { size: batch.size, length, datagrams: batch.segments };
                return Some((attempt, self.socket.try_send_batch(&batch)));
            }
        }
        let (runs, max, scratch) = (lines.runs(), self.max_payload, &mut self.scratch);
        let datagram = if self.pack_values {
            packed::next(runs, max, scratch)
        } else {
            datagram::next(runs, max, scratch)
        }?;
        let (size, length) = (datagram.size(), datagram.payload.len());
        let attempt = Attempt { size, length, datagrams: 1 };
        Some((attempt, self.socket.try_send(datagram.payload)))
    }

    /// Nothing was heard against what was newest.
    fn confirm(&mut self, lines: &mut Collector, account: &Account) {
        let newest = std::mem::take(&mut self.newest);
        if newest.bytes > 0 {
            account.sent.add(newest);
            lines.settle(newest.bytes as usize);
            self.probing = false;
            self.singly = false;
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
        if self.hold_when_refused {
            return Err(error);
        }
        let newest = std::mem::take(&mut self.newest);
        account.refused.add(newest);
        lines.settle(newest.bytes as usize);
        // So that the next refusal is about one datagram.
        self.singly = true;
        Ok(())
    }
}

async fn next_lookup(lookups: &mut Option<Lookups>) -> Vec<SocketAddr> {
    match lookups {
        Some(lookups) => lookups.next().await,
        None => pending().await,
    }
}

#[cfg(test)]
pub(super) mod tests;

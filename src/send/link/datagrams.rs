//! Datagrams: UDP, and datagrams to Unix sockets.
//!
//! Over UDP they go in batches where the operating system cuts them (see `send::segments`), and at a
//! pace (see `send::pacer`). The newest, a datagram or a batch, stays in flight until the next call on
//! the socket brought no refusal: on this machine a refusal is known at once, and it is sent again. From
//! afar it may come too late for what went out meanwhile; so what follows a refusal is a
//! *probe*, one datagram that is given time to be refused.

use super::TURN;
#[cfg(unix)]
use super::datagram_socket::to_path;
use super::datagram_socket::{
    Socket, is_about_a_batch, is_not_to_be_cut, is_out_of_buffers, is_too_long,
};
use super::lookup::Lookups;
use super::stall::Stall;
use crate::config::FlusherConfig;
use crate::endpoint::Target;
use crate::handoff::{Consumer, Tally};
use crate::send::pacer::Pacer;
#[cfg(any(target_os = "linux", test))]
use crate::send::segments;
use crate::send::{datagram, packed};
use crate::stats::Account;
use bytes::{Buf, BytesMut};
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::time::Duration;
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
    /// And again on each new socket.
    may_offload: bool,
    /// Something went wrong: until a datagram was taken, no batch is sent.
    singly: bool,
    pace: Pacer,
    /// Nothing is sent before.
    pause: Option<Instant>,
    lookups: Option<Lookups>,
    /// Those of the host's name. None at a path.
    addresses: Vec<SocketAddr>,
    /// Of these: to be turned to once nothing is in question.
    next: Option<SocketAddr>,
    /// Over UDP: when the socket is to be renewed, and how long it lasts.
    renewal: Option<(Instant, Duration)>,
    #[cfg(unix)]
    path: Option<PathBuf>,
    stall: Stall,
}

/// What was tried to be sent.
struct Attempt {
    size: Tally,
    length: usize,
    datagrams: usize,
}

impl Datagrams {
    /// To the first of these addresses that can be had.
    pub(super) fn to(
        addresses: Vec<SocketAddr>,
        settings: &FlusherConfig,
        probing: bool,
    ) -> io::Result<Self> {
        let interval = settings.lookup_interval;
        let lookups = match &settings.endpoint.target {
            Target::Udp(address) => Lookups::new(address, interval),
            _ => None,
        };
        let mut socket = Err(io::Error::new(ErrorKind::NotFound, "the name has no address"));
        for address in &addresses {
            if socket.is_err() {
                socket = Socket::udp(*address);
            }
        }
        let socket = socket?;
        let renewal = Some((Instant::now() + interval, interval));
        let pace = Pacer::new(settings.unpaced_beyond);
        let hold_when_refused = settings.hold_when_refused;
        // What is packed is copied, and no segment of the blocks.
        let offload = settings.segmentation_offload && !settings.pack_values;
        let new = Self::new(socket, settings);
        let new = Self { probing, lookups, addresses, renewal, pace, hold_when_refused, ..new };
        Ok(Self { offload, may_offload: offload, ..new })
    }

    #[cfg(unix)]
    pub(super) fn to_path(path: &Path, settings: &FlusherConfig) -> io::Result<Self> {
        let socket = to_path(path)?;
        Ok(Self { path: Some(path.to_owned()), ..Self::new(socket, settings) })
    }

    fn new(socket: Socket, settings: &FlusherConfig) -> Self {
        Self {
            socket,
            max_payload: settings.max_datagram_payload,
            pack_values: settings.pack_values,
            // A path refuses the datagram at hand, which is not in flight yet, and is held in any case.
            hold_when_refused: true,
            scratch: BytesMut::with_capacity(settings.max_datagram_payload),
            newest: Tally::default(),
            probing: false,
            offload: false,
            may_offload: false,
            singly: false,
            pace: Pacer::none(),
            pause: None,
            lookups: None,
            addresses: Vec::new(),
            next: None,
            renewal: None,
            #[cfg(unix)]
            path: None,
            stall: Stall::new(settings),
        }
    }

    /// Whether it is known to lead somewhere, as far as can be told.
    pub(super) fn is_up(&self) -> bool {
        !self.probing && !self.stall.is_long()
    }

    pub(super) async fn ready(&mut self, to_send: bool, dormant: bool) -> io::Result<()> {
        loop {
            let pause = self.pause;
            let until = pause.unwrap_or_else(Instant::now);
            tokio::select! {
                () = sleep_until(until), if pause.is_some() => return Ok(()),
                ready = self.socket.ready(to_send && pause.is_none()) => return ready,
                () = self.stall.wait(), if pause.is_none() => return Ok(()),
                addresses = next_lookup(&mut self.lookups), if !dormant => self.follow(addresses),
            }
        }
    }

    /// The addresses that the name has by now: another one is turned to unless the one in use is still
    /// among them. What cannot be turned to is tried again after the next look-up.
    fn follow(&mut self, addresses: Vec<SocketAddr>) {
        self.next = match self.socket.peer() {
            Some(current) if !addresses.contains(&current) => addresses.first().copied(),
            _ => None,
        };
        self.addresses = addresses;
    }

    /// Where nothing is held a refusal is no end of the link; but it turns to the name's next address.
    fn turn(&mut self) {
        let Some(current) = self.socket.peer() else { return };
        let place = self.addresses.iter().position(|address| *address == current);
        let next = place.map_or(0, |place| place + 1) % self.addresses.len().max(1);
        self.next = self.addresses.get(next).copied().filter(|next| *next != current);
    }

    /// Makes the socket anew: for another address; after a while for another port, since what lies on
    /// the way may have forgotten the old one; or at a path that takes nothing, and may be another
    /// receiver's by now. Only while nothing is in question, and what came back is heard before.
    fn renew(&mut self, lines: &mut Consumer, account: &Account) -> io::Result<()> {
        #[cfg_attr(not(unix), expect(unused_variables))]
        let is_stalled = self.stall.is_due();
        #[cfg(unix)]
        if is_stalled
            && let Some(path) = &self.path
            && let Ok(socket) = to_path(path)
        {
            self.socket = socket;
        }
        let now = Instant::now();
        let Some((until, interval)) = self.renewal else { return Ok(()) };
        if self.newest.bytes > 0 || self.probing || (self.next.is_none() && now < until) {
            return Ok(());
        }
        self.hear_refusal(true, lines, account)?;
        if let Some(address) = self.next.take().or_else(|| self.socket.peer())
            && let Ok(socket) = Socket::udp(address)
        {
            self.socket = socket;
            self.offload = self.may_offload;
        }
        self.renewal = Some((now + interval, interval));
        Ok(())
    }

    /// `unpaced`: at no pace but the fastest.
    pub(super) fn send(
        &mut self,
        lines: &mut Consumer,
        account: &Account,
        unpaced: bool,
    ) -> io::Result<()> {
        self.hear_refusal(self.newest.bytes > 0, lines, account)?;
        if self.pause.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        self.pause = None;
        self.confirm(lines, account);
        if lines.has_remaining() {
            self.renew(lines, account)?;
        }
        self.pace.renew(lines.backlog(), unpaced);
        let before = lines.remaining();
        self.send_turn(lines, account)?;
        self.stall.note(lines.remaining() < before, lines.has_remaining());
        self.hear_refusal(self.newest.bytes > 0, lines, account)?;
        if !self.probing {
            self.confirm(lines, account);
        }
        Ok(())
    }

    fn send_turn(&mut self, lines: &mut Consumer, account: &Account) -> io::Result<()> {
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
                    if self.pace.should_yield() {
                        // A system call that returns at once where nobody waits for the core.
                        std::thread::yield_now();
                    }
                    if self.probing {
                        self.pause = Some(Instant::now() + PROBE);
                        break;
                    }
                }
                Err(error) if datagrams > 1 && is_about_a_batch(&error) => {
                    // Whatever is said against a batch: its lines go singly before the link is judged,
                    // and what follows them until the socket is made anew.
                    self.offload = false;
                    if !is_not_to_be_cut(&error) {
                        // It may be about what was sent before, which goes again too.
                        lines.requeue();
                        self.newest = Tally::default();
                    }
                }
                Err(error) if is_too_long(&error) => {
                    if length <= self.max_payload && size.lines > 1 {
                        self.max_payload = length / 2;
                        continue;
                    }
                    self.confirm(lines, account);
                    account.too_long.add(size);
                    lines.discard(size.bytes as usize);
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
    fn try_next(&mut self, lines: &Consumer) -> Option<(Attempt, io::Result<usize>)> {
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
    fn confirm(&mut self, lines: &mut Consumer, account: &Account) {
        let newest = std::mem::take(&mut self.newest);
        if newest.bytes > 0 {
            account.sent.add(newest);
            lines.acknowledge(newest.bytes as usize);
            self.probing = false;
            self.singly = false;
        }
    }

    /// What came back: as far as tokio was told, or `by_now`.
    fn hear_refusal(
        &mut self,
        by_now: bool,
        lines: &mut Consumer,
        account: &Account,
    ) -> io::Result<()> {
        match self.socket.take_error(by_now) {
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
        lines: &mut Consumer,
        account: &Account,
    ) -> io::Result<()> {
        if self.hold_when_refused {
            return Err(error);
        }
        let newest = std::mem::take(&mut self.newest);
        account.refused.add(newest);
        lines.acknowledge(newest.bytes as usize);
        // So that the next refusal is about one datagram.
        self.singly = true;
        self.turn();
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

//! Sending of datagrams to the server, over UDP or to a Unix socket.
//!
//! Over UDP datagrams are sent in batches if the operating system can cut them (see
//! `flush::packing::segments`), and in paced bursts (see `flush::pacer`). The last datagram or batch stays
//! *unconfirmed* and in flight until the next call on the socket reports no refusal.
//!
//! A server on this machine refuses at once, and the unconfirmed lines are sent again. The refusal
//! of a remote server may come too late for the lines sent meanwhile. So a refusal is followed by a
//! *probe*: one datagram, and time for its refusal.

mod single_lines;

use super::MAX_CALLS_PER_SEND;
#[cfg(unix)]
use super::datagram_socket::to_path;
use super::datagram_socket::{
    Socket, is_batch_unsupported, is_datagram_too_long, is_out_of_buffers, may_send_singly,
};
use super::lookup::{Lookups, Resolver};
use super::stall::Stall;
use crate::config::FlusherConfig;
use crate::flush::outbox::{Loss, Outbox};
use crate::flush::pacer::Pacer;
#[cfg(any(target_os = "linux", test))]
use crate::flush::packing::segments;
use crate::flush::packing::{datagram, value_packing};
use crate::flush::wait::{first_of, only_if, time};
use crate::tally::Tally;
use bytes::BytesMut;
use single_lines::Singling;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::mem::take;
use std::net::SocketAddr;
use std::ops::ControlFlow;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;
use tokio::time::Instant;

/// Time to wait for the refusal of a probe. A probe is the single datagram that is sent after the
/// server has refused a datagram.
const PROBE_TIME: Duration = Duration::from_millis(100);

/// Pause of sending when the operating system is out of buffers. No event announces free buffers.
const NO_BUFFERS_PAUSE: Duration = Duration::from_millis(10);

pub(in crate::flush) struct Datagrams {
    socket: Socket,
    max_payload: usize,
    pack_values: bool,
    hold_when_refused: bool,
    scratch: BytesMut,
    /// Number of lines in the last sent datagram or batch, and their bytes. They stay in flight,
    /// since the next refusal would be about them.
    unconfirmed: Tally,
    /// Set if the last sent datagram, or else the next one, is a probe: a single datagram that
    /// tests whether the server still refuses datagrams.
    probing: bool,
    /// Set while this socket may send batches of datagrams in one system call (UDP segmentation
    /// offload).
    #[cfg_attr(not(any(target_os = "linux", test)), expect(dead_code))]
    offload: bool,
    /// Value of `offload` (the permission to send batches) that each new socket begins with.
    offload_enabled: bool,
    /// Set after a refusal or a lack of buffers. The flusher then sends single datagrams, and no
    /// batch, until one datagram is confirmed (not refused).
    batching_suspended: bool,
    /// Offset of the lines that the operating system last refused as too long, or `None`.
    too_long_at: Option<u64>,
    pacer: Pacer,
    /// Time at which a pause of sending ends, or `None` if sending is not paused.
    paused_until: Option<Instant>,
    lookups: Option<Lookups>,
    /// Addresses to which the server's name resolved. Empty for the path of a Unix socket.
    addresses: Vec<SocketAddr>,
    /// Address of the server for the next socket, or `None` to keep the current address. The change
    /// waits until the last sent datagram is confirmed (not refused).
    next_address: Option<SocketAddr>,
    singling: Singling,
    /// Schedule for replacing the UDP socket at intervals, or `None` for a Unix socket.
    renewal: Option<Renewal>,
    #[cfg(unix)]
    path: Option<PathBuf>,
    stall: Stall,
}

/// Schedule for replacing the UDP socket at intervals, so that it gets a new local port.
#[derive(Clone, Copy)]
struct Renewal {
    at: Instant,
    interval: Duration,
}

/// Datagram or batch that the flusher tried to send in one system call.
struct Attempt {
    /// Number of lines in the datagram or batch, and their bytes as the application emitted them.
    size: Tally,
    /// Number of bytes passed to the operating system, after packing or padding.
    length: usize,
    datagrams: usize,
}

impl Datagrams {
    /// Tries the addresses in order, and opens a UDP socket to the first one that the operating
    /// system accepts.
    pub(super) fn to(
        addresses: Vec<SocketAddr>,
        settings: &FlusherConfig,
        resolver: &Resolver,
        probing: bool,
    ) -> io::Result<Self> {
        let interval = settings.lookup_interval;
        let lookups = Lookups::new(resolver, interval);
        let mut socket = Err(io::Error::new(ErrorKind::NotFound, "the name has no address"));
        for address in &addresses {
            if socket.is_err() {
                socket = Socket::udp(*address);
            }
        }
        let socket = socket?;
        let renewal = Some(Renewal { at: Instant::now() + interval, interval });
        let pacer = Pacer::new(settings.unpaced_beyond);
        let hold_when_refused = settings.hold_when_refused;
        // Packed values are copied. A batch consists of slices of the blocks.
        let offload =
            settings.segmentation_offload && !settings.pack_values && socket.can_cut_batches();
        let new = Self::new(socket, settings);
        let new = Self { probing, lookups, addresses, renewal, pacer, hold_when_refused, ..new };
        Ok(Self { offload, offload_enabled: offload, ..new })
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
            // A Unix socket refuses the datagram that is being sent. It is not in flight yet, and
            // is held in any case.
            hold_when_refused: true,
            scratch: BytesMut::with_capacity(settings.max_datagram_payload),
            unconfirmed: Tally::default(),
            probing: false,
            offload: false,
            offload_enabled: false,
            batching_suspended: false,
            too_long_at: None,
            pacer: Pacer::unpaced(),
            paused_until: None,
            lookups: None,
            addresses: Vec::new(),
            next_address: None,
            singling: Singling::default(),
            renewal: None,
            #[cfg(unix)]
            path: None,
            stall: Stall::new(settings),
        }
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stall.is_timed_out()
    }

    pub(super) fn is_up(&self) -> bool {
        !self.probing && !self.is_stalled()
    }

    /// Returns true while the pacer (the limit on the UDP speed) requires a wait for the next burst.
    pub(super) fn is_between_bursts(&self) -> bool {
        self.paused_until == Some(self.pacer.next_burst())
    }

    pub(super) async fn ready(&mut self, to_send: bool, dormant: bool) -> io::Result<()> {
        loop {
            let is_paused = self.paused_until.is_some();
            let lookup = only_if(!dormant, next_lookup(&mut self.lookups));
            let ready = self.socket.ready(to_send && !is_paused);
            let stall = only_if(!is_paused, self.stall.next_check());
            let timers = async {
                first_of([pin!(time(self.paused_until)), pin!(stall)]).await;
                ControlFlow::Break(Ok(()))
            };
            let event = first_of([
                // First, since the socket may be ready each time.
                pin!(async { ControlFlow::Continue(lookup.await) }),
                pin!(async { ControlFlow::Break(ready.await) }),
                pin!(timers),
            ])
            .await;
            match event {
                ControlFlow::Continue(addresses) => self.on_lookup(addresses),
                ControlFlow::Break(ready) => return ready,
            }
        }
    }

    /// Records the addresses that a name lookup found. Schedules a change to the first of them
    /// unless the socket's current address is among them.
    ///
    /// A change that fails is tried again after the next lookup.
    fn on_lookup(&mut self, addresses: Vec<SocketAddr>) {
        self.next_address = match self.socket.peer() {
            Some(current) if !addresses.contains(&current) => addresses.first().copied(),
            _ => None,
        };
        self.addresses = addresses;
    }

    /// Schedules a change to the next address of the server's name, after a refusal that does not
    /// end the link to the server.
    fn rotate_address(&mut self) {
        let Some(current) = self.socket.peer() else { return };
        let index = self.addresses.iter().position(|address| *address == current);
        let next = index.map_or(0, |index| index + 1) % self.addresses.len().max(1);
        let next = self.addresses.get(next).copied();
        self.next_address = next.filter(|next| *next != current);
    }

    /// Replaces the datagram socket by a new one if a replacement is due.
    ///
    /// The reasons for a replacement are:
    ///
    /// * to change to another address;
    /// * after the renewal interval, to get another port: a router may have forgotten the old one;
    /// * at a path that takes nothing, which may belong to another receiver by now.
    ///
    /// Only a socket without unconfirmed lines is replaced, and its pending refusal is handled
    /// before.
    fn renew_socket(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        #[cfg_attr(not(unix), expect(unused_variables))]
        let is_stalled = self.stall.take_due_check();
        #[cfg(unix)]
        if is_stalled
            && let Some(path) = &self.path
            && let Ok(socket) = to_path(path)
        {
            self.socket = socket;
        }
        let now = Instant::now();
        let Some(Renewal { at, interval }) = self.renewal else { return Ok(()) };
        let is_due = self.next_address.is_some() || now >= at;
        if self.unconfirmed.bytes > 0 || self.probing || !is_due {
            return Ok(());
        }
        self.check_refusal(true, outbox)?;
        if let Some(address) = self.next_address.take().or_else(|| self.socket.peer()) {
            match Socket::udp(address) {
                Ok(socket) => {
                    self.socket = socket;
                    self.offload = self.offload_enabled;
                }
                // Until the next lookup, a refusal leads to the address after this one.
                Err(_) => self.addresses.retain(|other| *other != address),
            }
        }
        self.renewal = Some(Renewal { at: now + interval, interval });
        Ok(())
    }

    /// Sends lines as datagrams until none are left, the socket has no room, or the pacer (the
    /// limit on the UDP speed) requires a pause. With `unpaced`, the pacer does not pause.
    pub(super) fn send(&mut self, outbox: &mut Outbox, unpaced: bool) -> io::Result<()> {
        self.check_refusal(self.unconfirmed.bytes > 0, outbox)?;
        if self.paused_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        self.paused_until = None;
        if !self.settle_set_aside(outbox)? {
            return Ok(());
        }
        self.confirm(outbox);
        if outbox.has_unsent() {
            self.renew_socket(outbox)?;
        }
        self.pacer.renew(outbox.backlog(), unpaced);
        let before = outbox.unsent();
        self.send_burst(outbox)?;
        self.stall.record(outbox.unsent() < before, outbox.has_unsent());
        self.check_refusal(self.unconfirmed.bytes > 0, outbox)?;
        if !self.probing && !self.is_unsettled(outbox) {
            self.confirm(outbox);
        }
        Ok(())
    }

    fn send_burst(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        for _ in 0..MAX_CALLS_PER_SEND {
            if !outbox.has_unsent() {
                break;
            }
            if self.pacer.is_burst_over() {
                self.paused_until = Some(self.pacer.next_burst());
                break;
            }
            let Some((attempt, result)) = self.try_next(outbox) else { break };
            let Attempt { size, length, datagrams } = attempt;
            match result {
                Ok(_) => {
                    self.confirm(outbox);
                    outbox.mark_sent(size.bytes as usize);
                    self.unconfirmed = size;
                    self.pacer.on_sent(length, datagrams);
                    if self.pacer.should_yield() {
                        // A system call that returns at once if no other thread waits for the core.
                        std::thread::yield_now();
                    }
                    if !self.settle_set_aside(outbox)? {
                        break;
                    }
                    if self.probing && self.unconfirmed.bytes > 0 {
                        self.paused_until = Some(Instant::now() + PROBE_TIME);
                        break;
                    }
                }
                Err(error) if datagrams > 1 && may_send_singly(&error) => {
                    // The lines of a failed batch are sent in single datagrams before the link is
                    // given up, and so are the lines after them until the socket is replaced.
                    self.offload = false;
                    if !is_batch_unsupported(&error) {
                        // The error may be about the unconfirmed lines, which are sent again too.
                        outbox.requeue();
                        self.unconfirmed = Tally::default();
                    }
                }
                Err(error) if is_datagram_too_long(&error) => {
                    // The first error may be about an earlier datagram, which a router refused.
                    let offset = Some(outbox.offset());
                    if self.too_long_at != offset {
                        self.too_long_at = offset;
                        continue;
                    }
                    if length <= self.max_payload && size.lines > 1 {
                        self.max_payload = length / 2;
                        continue;
                    }
                    self.confirm(outbox);
                    // Older lines that are set aside must be settled first.
                    if outbox.has_quarantined() {
                        outbox.quarantine(size.bytes as usize);
                    } else {
                        outbox.lose_unsent(Loss::TooLong, size);
                    }
                }
                Err(error) if is_out_of_buffers(&error) => {
                    self.paused_until = Some(Instant::now() + NO_BUFFERS_PAUSE);
                    self.batching_suspended = true;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    self.on_refused(error, outbox)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.on_failed_send(error, size, outbox)?,
            }
        }
        Ok(())
    }

    /// Tries to send a batch of datagrams if that is possible, or else a single datagram. Returns
    /// `None` if there are no lines to send.
    fn try_next(&mut self, outbox: &Outbox) -> Option<(Attempt, io::Result<usize>)> {
        let (lines, single_line) = (outbox.lines(), self.single_line(outbox));
        #[cfg(any(target_os = "linux", test))]
        if self.offload && !self.probing && !self.batching_suspended && single_line.is_none() {
            let max_bytes = self.pacer.max_call_bytes();
            if let Some(batch) = segments::next(lines.runs(), self.max_payload, max_bytes) {
                let length = batch.pieces.iter().map(|piece| piece.len()).sum();
                let attempt = Attempt { size: batch.size, length, datagrams: batch.segments };
                return Some((attempt, self.socket.try_send_batch(&batch)));
            }
        }
        let max = self.max_payload.min(single_line.unwrap_or(usize::MAX));
        let (runs, scratch) = (lines.runs(), &mut self.scratch);
        let datagram = if self.pack_values {
            value_packing::next(runs, max, scratch)
        } else {
            datagram::next(runs, max, scratch)
        }?;
        let (size, length) = (datagram.size(), datagram.payload.len());
        let attempt = Attempt { size, length, datagrams: 1 };
        Some((attempt, self.socket.try_send(datagram.payload)))
    }

    /// Counts the lines of the last datagram or batch as sent and releases them, since no refusal
    /// came.
    fn confirm(&mut self, outbox: &mut Outbox) {
        let confirmed = take(&mut self.unconfirmed);
        if confirmed.bytes > 0 {
            self.give_up_set_aside(outbox);
            outbox.acknowledge(confirmed);
            self.probing = false;
            self.batching_suspended = false;
        }
    }

    /// Counts the lines of an unconfirmed datagram as sent at the end of the flusher: the operating
    /// system has accepted them, and nobody waits for their refusal any more. If they were kept, most
    /// would arrive twice.
    ///
    /// Returns these lines. Returns nothing if the datagram is refused, or while older lines are set
    /// aside: its lines stay in flight then, and are requeued.
    pub(super) fn hand_over(&mut self, outbox: &mut Outbox) -> Tally {
        let is_unconfirmed = self.unconfirmed.bytes > 0;
        if !is_unconfirmed || self.check_refusal(true, outbox).is_err() || outbox.has_quarantined()
        {
            return Tally::default();
        }
        let unconfirmed = take(&mut self.unconfirmed);
        outbox.acknowledge(unconfirmed);
        unconfirmed
    }

    /// Takes the pending error of the socket and handles it if it is a refusal. With `query`, asks
    /// the operating system even if tokio has reported no error.
    fn check_refusal(&mut self, query: bool, outbox: &mut Outbox) -> io::Result<()> {
        match self.socket.take_error(query) {
            None => Ok(()),
            Some(error) if error.kind() == ErrorKind::ConnectionRefused => {
                self.on_refused(error, outbox)
            }
            // A router refused an earlier datagram, and the operating system cuts the next ones.
            Some(error) if is_datagram_too_long(&error) && self.unconfirmed.bytes == 0 => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// Handles a refusal: no process listens at the server's port. Returns the error if the setting
    /// holds refused lines for a later attempt; otherwise counts the last sent lines as lost.
    fn on_refused(&mut self, error: io::Error, outbox: &mut Outbox) -> io::Result<()> {
        if self.hold_when_refused {
            return Err(error);
        }
        if self.is_unsettled(outbox) {
            self.end_quarantine(outbox);
        }
        let refused = take(&mut self.unconfirmed);
        if refused.bytes > 0 {
            self.give_up_set_aside(outbox);
        }
        outbox.lose_in_flight(Loss::Refused, refused);
        // The next refusal is then about a single datagram.
        self.batching_suspended = true;
        // The socket is not replaced during a probe, which only an accepted datagram would end.
        self.probing = false;
        self.rotate_address();
        if let Some(lookups) = &mut self.lookups {
            lookups.hasten();
        }
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

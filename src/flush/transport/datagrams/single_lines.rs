//! Sending of lines singly, each in a datagram of its own, to find those that the operating system
//! refuses because of their content: see `flush::refusals`.
//!
//! A refused line is set aside, and the next line follows at once on the same socket. If the next
//! one is accepted, and those set aside are refused once more, these are given up. If too many in a
//! row are refused, all of them are kept, and the link fails.

use super::Datagrams;
use crate::flush::outbox::Outbox;
use crate::flush::packing::datagram::first_unit;
use crate::flush::refusals::SingleLines;
use crate::flush::transport::datagram_socket::is_out_of_buffers;
use crate::tally::Tally;
use bytes::Buf;
use std::io::{self, ErrorKind};
use std::ops::Range;

/// State of sending lines singly, on one link.
#[derive(Default)]
pub(super) struct Singling {
    lines: Option<SingleLines>,
    /// Offsets of the lines of the datagram whose refusal ended the link.
    failed: Option<Range<u64>>,
    /// Set once a line was given up on this link. The lines of other refused datagrams are then sent
    /// singly at once.
    has_given_up: bool,
}

impl Datagrams {
    /// Makes the link send these lines singly. Batches and larger datagrams follow after them.
    pub(in crate::flush) fn send_singly(&mut self, lines: Option<SingleLines>) {
        self.singling.lines = lines;
    }

    /// Takes the offsets of the lines of the datagram whose refusal ended the link, or returns
    /// `None` if it ended for another reason.
    pub(in crate::flush) fn take_failed(&mut self) -> Option<Range<u64>> {
        self.singling.failed.take()
    }

    /// Returns the length of the first unsent line if it must be sent singly.
    pub(super) fn single_line(&self, outbox: &Outbox) -> Option<usize> {
        let lines = self.singling.lines.as_ref()?;
        lines.offsets.contains(&outbox.offset()).then(|| first_unit(outbox.lines().chunk()))
    }

    /// Handles an error that may be about the content of a datagram, with `size` as the number of
    /// its lines and their bytes. Sets a single line aside, or returns the error if the link must
    /// end.
    pub(super) fn on_failed_send(
        &mut self,
        error: io::Error,
        size: Tally,
        outbox: &mut Outbox,
    ) -> io::Result<()> {
        if !may_be_about_content(&error) {
            return Err(error);
        }
        let offset = outbox.offset();
        let is_single = self.single_line(outbox).is_some();
        if let Some(lines) = self.singling.lines.as_mut().filter(|_| is_single) {
            if lines.tries == 0 {
                self.singling.failed = Some(lines.offsets.clone());
                return Err(error);
            }
            lines.tries -= 1;
            // The line after a refused one goes singly too.
            let end = offset + size.bytes;
            lines.offsets.end = lines.offsets.end.max(end + 1);
            let failed = lines.offsets.clone();
            self.check_refusal(true, outbox)?;
            self.confirm(outbox);
            outbox.quarantine(size.bytes as usize);
            if !outbox.has_unsent() {
                outbox.sweep_for_next_line();
            }
            if outbox.has_unsent() {
                return Ok(());
            }
            // Without a next line, nothing shows that this one is at fault.
            self.singling.failed = Some(failed);
            return Err(error);
        }
        let refused = offset..offset + size.bytes;
        if self.singling.has_given_up {
            self.singling.lines = Some(SingleLines::new(refused));
            return Ok(());
        }
        self.singling.failed = Some(refused);
        Err(error)
    }

    /// Tries the lines set aside once more, after the next line was accepted. If all are refused again,
    /// they stay set aside. Otherwise all lines are sent again in order, the next one too.
    ///
    /// Returns the error if it shows that the link must end.
    pub(super) fn retry_set_aside(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        let mut first_other = None;
        let all_refused = outbox.lines().quarantined_runs().all(|run| {
            let mut rest = run;
            while !rest.is_empty() {
                let (line, others) = rest.split_at(first_unit(rest));
                match self.socket.try_send(line) {
                    Err(error) if is_refusal(&error) => rest = others,
                    other => {
                        first_other = Some(other);
                        return false;
                    }
                }
            }
            true
        });
        if all_refused {
            return Ok(());
        }
        match first_other {
            Some(Err(error)) if !may_be_about_content(&error) => Err(error),
            // Either the operating system has refused every line for a while, or it has no room now, so
            // that it is unknown whether it would refuse the line.
            _ => {
                outbox.end_quarantine();
                self.unconfirmed = Tally::default();
                Ok(())
            }
        }
    }

    /// Gives up the lines set aside, since the operating system has accepted a line after them.
    pub(super) fn give_up_set_aside(&mut self, outbox: &mut Outbox) {
        if outbox.has_quarantined() {
            outbox.reject_quarantined();
            self.singling.has_given_up = true;
            if let Some(lines) = &mut self.singling.lines {
                lines.renew();
            }
        }
    }
}

/// Returns true if the error refuses a line, and does not pass by itself.
fn is_refusal(error: &io::Error) -> bool {
    let is_full = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted);
    may_be_about_content(error) && !is_full && !is_out_of_buffers(error)
}

/// Returns true unless the error is about the network or the server, whatever the content of the
/// datagram.
fn may_be_about_content(error: &io::Error) -> bool {
    use ErrorKind::{
        AddrNotAvailable, BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset,
        HostUnreachable, NetworkDown, NetworkUnreachable, NotConnected, NotFound, TimedOut,
    };
    !matches!(
        error.kind(),
        AddrNotAvailable
            | BrokenPipe
            | ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkDown
            | NetworkUnreachable
            | NotConnected
            | NotFound
            | TimedOut
    )
}

//! Sending of lines singly, each in a datagram of its own, to find those that the operating system
//! refuses because of their content: see `flush::refusals`.
//!
//! A refused line is set aside, and the next line follows at once on the same socket. If the next
//! one is accepted, and those set aside are refused once more, these are given up. If too many in a
//! row are refused, all of them are kept, and the link fails.
//!
//! Lines set aside are *unsettled* from the acceptance of the next line until the operating system
//! refuses or accepts them once more. Meanwhile nothing else is sent.

use super::{Datagrams, NO_BUFFERS_PAUSE, is_datagram_too_long, is_out_of_buffers};
use crate::flush::outbox::Outbox;
use crate::flush::packing::datagram::first_unit;
use crate::flush::refusals::SingleLines;
use crate::tally::Tally;
use bytes::Buf;
use std::io::{self, ErrorKind};
use std::ops::Range;
use tokio::time::Instant;

/// State of sending lines singly, on one link.
#[derive(Default)]
pub(super) struct Singling {
    lines: Option<SingleLines>,
    /// Offsets of the lines of the datagram whose refusal ended the link.
    failed: Option<Range<u64>>,
    /// Set once a line was given up on this link. The lines of other refused datagrams are then sent
    /// singly at once.
    has_given_up: bool,
    /// Set once the operating system has refused the lines set aside again, after it accepted the
    /// next line.
    is_refused_again: bool,
}

/// Result of trying the lines set aside once more.
enum Retry {
    /// One of them is accepted: the operating system has refused every line for a while.
    Accepted,
    /// All of them are refused.
    Refused,
    /// The operating system takes no datagram at the moment, whatever its content.
    Postponed,
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

    /// Returns true if the operating system has accepted the line after those set aside, and these
    /// must be tried once more before anything else is sent.
    pub(super) fn is_unsettled(&self, outbox: &Outbox) -> bool {
        outbox.has_quarantined() && self.unconfirmed.bytes > 0 && !self.singling.is_refused_again
    }

    /// Tries the lines set aside once more if they are unsettled. Returns false, and pauses, if they
    /// still are, because the operating system takes no datagram at the moment.
    pub(super) fn settle_set_aside(&mut self, outbox: &mut Outbox) -> io::Result<bool> {
        if self.is_unsettled(outbox) {
            // The next call on the socket would report a refusal of the line that was accepted.
            self.check_refusal(true, outbox)?;
        }
        if !self.is_unsettled(outbox) {
            return Ok(true);
        }
        match self.retry_set_aside(outbox) {
            // The lines set aside are not at fault, and all are sent in order.
            Ok(Retry::Accepted) => self.end_quarantine(outbox),
            Ok(Retry::Refused) => self.singling.is_refused_again = true,
            Ok(Retry::Postponed) => {
                self.paused_until = Some(Instant::now() + NO_BUFFERS_PAUSE);
                return Ok(false);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                self.on_refused(error, outbox)?;
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Makes the lines set aside unsent again, and the line that was accepted after them.
    pub(super) fn end_quarantine(&mut self, outbox: &mut Outbox) {
        outbox.end_quarantine();
        self.unconfirmed = Tally::default();
    }

    /// Tries the lines set aside once more, up to the first that is accepted.
    ///
    /// # Errors
    /// The error is about the network, or about the line that was accepted after those set aside.
    fn retry_set_aside(&self, outbox: &Outbox) -> io::Result<Retry> {
        for mut rest in outbox.lines().quarantined_runs() {
            while !rest.is_empty() {
                let (line, others) = rest.split_at(first_unit(rest));
                let mut result = self.socket.try_send(line);
                // The first such error may be about an earlier datagram, which a router refused.
                if result.as_ref().is_err_and(is_datagram_too_long) {
                    result = self.socket.try_send(line);
                }
                match result {
                    Ok(_) => return Ok(Retry::Accepted),
                    Err(error) if is_busy(&error) => return Ok(Retry::Postponed),
                    Err(error) if may_be_about_content(&error) => rest = others,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Retry::Refused)
    }

    /// Gives up the lines set aside, since the operating system has accepted a line after them.
    pub(super) fn give_up_set_aside(&mut self, outbox: &mut Outbox) {
        if outbox.has_quarantined() {
            outbox.reject_quarantined();
            self.singling.is_refused_again = false;
            self.singling.has_given_up = true;
            if let Some(lines) = &mut self.singling.lines {
                lines.renew();
            }
        }
    }
}

/// Returns true if the error is about neither a datagram nor the network, and goes by itself.
fn is_busy(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
        || is_out_of_buffers(error)
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

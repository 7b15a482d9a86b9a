//! Sending of lines one by one, to find a line on which the server closes the connection: see
//! `flush::poison`.
//!
//! First the server must show by a [probe](super::probe) that it is there. Then one line is sent, and
//! the next after its acknowledgement; then two lines, four, and so on, so that a distant server is
//! not slow for long.

use super::{Connection, MAX_CALLS_PER_SEND, SLICES};
use crate::flush::outbox::Outbox;
use crate::flush::packing::datagram::first_unit;
use bytes::Buf;
use std::io::{self, ErrorKind, IoSlice};

pub(super) struct LineByLine {
    /// Offset up to which lines are sent one by one, counted in bytes over all lines since the
    /// client was built.
    until: u64,
    /// Maximum number of lines in flight. It begins at one, and doubles each time that this many
    /// lines are acknowledged.
    window: u32,
    /// Number of lines of the current window (the lines allowed in flight together) that the
    /// flusher has begun to write. The window ends when all its lines are acknowledged.
    started: u32,
    /// Number of unsent bytes of the line that the flusher is writing.
    rest: usize,
}

impl LineByLine {
    fn new(until: u64) -> Self {
        Self { until, window: 1, started: 0, rest: 0 }
    }

    /// Doubles the window (the maximum number of lines in flight) if all its lines were sent. The
    /// caller calls this once no line is in flight.
    pub(super) fn on_all_acknowledged(&mut self) {
        if self.rest == 0 && self.started >= self.window {
            (self.window, self.started) = (self.window.saturating_mul(2), 0);
        }
    }

    /// Returns true while no line may be written, even if the socket has room, because the window
    /// (the maximum number of lines in flight) is used up.
    pub(super) fn is_blocked(&self) -> bool {
        self.started >= self.window && self.rest == 0
    }
}

impl Connection {
    /// Makes the connection send lines one by one up to `offset`, counted in bytes over all lines
    /// since the client was built. Later lines are sent as usual.
    pub(in crate::flush) fn send_line_by_line_until(&mut self, offset: u64, outbox: &Outbox) {
        if outbox.offset() < offset {
            self.line_by_line = Some(LineByLine::new(offset));
            self.begin_probe();
        }
    }

    pub(super) fn write_line_by_line(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        for _ in 0..MAX_CALLS_PER_SEND {
            let Some(line_by_line) = &mut self.line_by_line else { return Ok(()) };
            if line_by_line.is_blocked() || !outbox.has_unsent() {
                return Ok(());
            }
            if line_by_line.rest == 0 {
                if outbox.offset() >= line_by_line.until {
                    // All suspected lines are in flight. The lines after them wait for their
                    // acknowledgement.
                    if outbox.in_flight() == 0 {
                        self.line_by_line = None;
                        return self.write(outbox);
                    }
                    line_by_line.started = line_by_line.window;
                    return Ok(());
                }
                line_by_line.rest = first_unit(outbox.lines().chunk());
                line_by_line.started += 1;
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled =
                self.stream.next_within_line(outbox.lines(), line_by_line.rest, &mut slices);
            match self.socket.try_write_vectored(&slices[..filled]) {
                Ok(count) => {
                    let written = self.stream.on_written(count);
                    outbox.mark_sent(written);
                    line_by_line.rest -= written;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.acknowledge(outbox)?;
        }
        Ok(())
    }
}

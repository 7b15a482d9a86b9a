//! Sending of lines one by one, to find a line on which the server closes the connection: see
//! `flush::poison`.
//!
//! First the server must show that it is there: it takes an empty line, and keeps the connection
//! for a moment. A server that closes the connection on an empty line does so on every line, and
//! proves nothing about a line. Then one line is sent, and the next after its acknowledgement; then
//! two lines, four, and so on, so that a distant server is not slow for long.

use super::{Connection, MAX_CALLS_PER_SEND, SLICES};
use crate::flush::outbox::Outbox;
use crate::flush::packing::datagram::first_unit;
use bytes::Buf;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;
use tokio::time::Instant;

/// Time for which the server must keep the connection open after it has acknowledged an empty test
/// line. Only then are real lines sent one by one.
const QUIET: Duration = Duration::from_millis(100);

/// Interval at which the flusher asks whether the server's side has acknowledged the empty test
/// line.
const PROBE_POLL: Duration = Duration::from_millis(5);

pub(super) struct LineByLine {
    /// Offset up to which lines are sent one by one, counted in bytes over all lines since the
    /// client was built.
    until: u64,
    probe: Probe,
    /// Maximum number of lines in flight. It begins at one, and doubles each time that this many
    /// lines are acknowledged.
    window: u32,
    /// Number of lines of the current window (the lines allowed in flight together) that the
    /// flusher has begun to write. The window ends when all its lines are acknowledged.
    started: u32,
    /// Number of unsent bytes of the line that the flusher is writing.
    rest: usize,
}

/// State of the probe: an empty line that is sent first, to test whether the server keeps the
/// connection open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Probe {
    NotSent,
    /// The empty test line is sent, and not acknowledged yet.
    Sent,
    /// The empty test line is acknowledged. The server must keep the connection open until this
    /// time.
    Quiet(Instant),
    Passed,
}

impl LineByLine {
    fn new(until: u64) -> Self {
        Self { until, probe: Probe::NotSent, window: 1, started: 0, rest: 0 }
    }

    /// Returns the time of the next check of the probe (the empty test line), or `None` if no probe
    /// is in progress.
    pub(super) fn next_check(&self) -> Option<Instant> {
        match self.probe {
            Probe::NotSent | Probe::Passed => None,
            Probe::Sent => Some(Instant::now() + PROBE_POLL),
            Probe::Quiet(until) => Some(until),
        }
    }

    /// Doubles the window (the maximum number of lines in flight) if all its lines were sent. The
    /// caller calls this once no line is in flight.
    pub(super) fn on_all_acknowledged(&mut self) {
        if self.rest == 0 && self.started >= self.window {
            (self.window, self.started) = (self.window.saturating_mul(2), 0);
        }
    }

    /// Returns true while no line may be written, even if the socket has room. The cause is a probe
    /// (an empty test line) in progress, or a used-up window (the maximum number of lines in
    /// flight).
    pub(super) fn is_blocked(&self) -> bool {
        match self.probe {
            Probe::NotSent => false,
            Probe::Sent | Probe::Quiet(_) => true,
            Probe::Passed => self.started >= self.window && self.rest == 0,
        }
    }
}

impl Connection {
    /// Makes the connection send lines one by one up to `offset`, counted in bytes over all lines
    /// since the client was built. Later lines are sent as usual.
    pub(in crate::flush) fn send_line_by_line_until(&mut self, offset: u64, outbox: &Outbox) {
        self.line_by_line = (outbox.offset() < offset).then(|| LineByLine::new(offset));
    }

    /// Advances the probe (the empty test line) by one step: sends it, checks for its
    /// acknowledgement, or checks the time since then. Returns true once the probe has passed.
    fn advance_probe(&mut self) -> io::Result<bool> {
        let Some(line_by_line) = &self.line_by_line else { return Ok(true) };
        let next = match line_by_line.probe {
            Probe::NotSent => {
                let line = self.stream.empty_line();
                match self.socket.try_write_vectored(&[IoSlice::new(line)]) {
                    Ok(count) if count == line.len() => Probe::Sent,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => Probe::NotSent,
                    Ok(_) => return Err(ErrorKind::WriteZero.into()),
                    Err(error) => return Err(error),
                }
            }
            Probe::Sent if self.unacknowledged()? == 0 => Probe::Quiet(Instant::now() + QUIET),
            Probe::Quiet(until) if until <= Instant::now() => Probe::Passed,
            probe => probe,
        };
        if let Some(line_by_line) = &mut self.line_by_line {
            line_by_line.probe = next;
        }
        Ok(next == Probe::Passed)
    }

    pub(super) fn write_line_by_line(&mut self, outbox: &mut Outbox) -> io::Result<()> {
        if !self.advance_probe()? {
            return Ok(());
        }
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

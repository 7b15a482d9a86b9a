//! Probe of a new connection, before it carries lines: the server takes an empty line, which every
//! server skips, and must then keep the connection for a moment.
//!
//! A probe begins a connection after the server closed others, for one of two reasons:
//!
//! * Lines are sent one by one, to find a line on which the server closes the connection (see
//!   `flush::poison`). A server that closes the connection on an empty line does so on every line,
//!   and proves nothing about a line.
//! * The connection is on *probation*: the one before ended soon, with lines acknowledged. So does
//!   each connection to a proxy whose server is down. The proxy accepts it, its operating system
//!   acknowledges lines, and then the proxy closes it.

use super::Connection;
use crate::flush::packing::stream::Stream;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;
use tokio::time::Instant;

/// Time for which the server must keep a connection open before lines are sent one by one.
pub(super) const BEFORE_SINGLE_LINES: Duration = Duration::from_millis(100);

/// Interval at which the flusher asks whether the server's side has acknowledged the empty line.
const POLL: Duration = Duration::from_millis(5);

/// Probe in progress: no line may be sent on the connection yet.
pub(super) struct Probe {
    state: State,
    /// Time for which the server must keep the connection open after it has acknowledged the empty
    /// line.
    quiet: Duration,
    /// Set if the connection is on probation, since the one before has lost lines.
    is_probation: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    NotSent,
    /// The empty line is sent, and not acknowledged yet.
    Sent,
    /// The empty line is acknowledged. The server must keep the connection open until this time.
    Quiet(Instant),
}

impl Probe {
    /// Returns the time of the next check of the probe, or `None` if its empty line is to be sent
    /// first.
    pub(super) fn next_check(&self) -> Option<Instant> {
        match self.state {
            State::NotSent => None,
            State::Sent => Some(Instant::now() + POLL),
            State::Quiet(until) => Some(until),
        }
    }

    /// Returns true if the empty line is sent. Room in the socket then makes no difference.
    pub(super) fn is_sent(&self) -> bool {
        self.state != State::NotSent
    }

    pub(super) fn is_probation(&self) -> bool {
        self.is_probation
    }
}

impl Connection {
    /// Makes the connection send an empty line first, and then no line until the server has kept
    /// the connection open for the time `quiet`.
    pub(in crate::flush) fn begin_probation(&mut self, quiet: Duration) {
        self.probe = Some(Probe { state: State::NotSent, quiet, is_probation: true });
    }

    /// Makes the connection send an empty line before lines are sent one by one. Keeps a longer
    /// probe.
    pub(super) fn begin_probe(&mut self) {
        let new = Probe { state: State::NotSent, quiet: BEFORE_SINGLE_LINES, is_probation: false };
        self.probe = self.probe.take().filter(|probe| probe.quiet >= new.quiet).or(Some(new));
    }

    /// Advances the probe by one step: sends its empty line, checks for its acknowledgement, or
    /// checks the time since then. Returns true if no probe is in progress any more.
    pub(super) fn advance_probe(&mut self) -> io::Result<bool> {
        let Some(Probe { state, quiet, .. }) = self.probe else { return Ok(true) };
        let next = match state {
            State::NotSent => self.send_empty_line()?,
            State::Sent if self.unacknowledged()? == 0 => State::Quiet(Instant::now() + quiet),
            State::Quiet(until) if until <= Instant::now() => {
                self.probe = None;
                return Ok(true);
            }
            state => state,
        };
        if let Some(probe) = &mut self.probe {
            probe.state = next;
        }
        Ok(false)
    }

    fn send_empty_line(&self) -> io::Result<State> {
        let line = Stream::empty_line(&self.stream);
        match self.socket.try_write_vectored(&[IoSlice::new(line)]) {
            Ok(count) if count == line.len() => Ok(State::Sent),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(State::NotSent),
            Ok(_) => Err(ErrorKind::WriteZero.into()),
            Err(error) => Err(error),
        }
    }
}

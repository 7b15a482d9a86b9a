//! Lines one by one, to a server that seems to go away on one of them: see `send::suspicion`.
//!
//! First it is to show that it is there: it takes an empty line, and stays for a moment. One that goes away
//! from that goes away from everything, and is no judge. Then one line goes, and the next when that was
//! acknowledged; then two, four, and so on, so that what is far away is not slow for long.

use super::Connection;
use crate::handoff::Consumer;
use crate::send::datagram::first_unit;
use crate::stats::Account;
use bytes::Buf;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;
use tokio::time::Instant;

/// How long the server is to stay after the empty line.
const QUIET: Duration = Duration::from_millis(100);

/// Between looks whether it was acknowledged.
const LOOKS: Duration = Duration::from_millis(5);

pub(super) struct Singly {
    /// Up to this place.
    until: u64,
    state: State,
    /// So many lines may be under way.
    window: u32,
    /// So many were begun with since nothing was, and so much of the last is unsent.
    begun: u32,
    rest: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// It was given the empty line.
    Asked,
    /// It took it, and is to stay until then.
    Quiet(Instant),
    There,
}

impl Singly {
    fn new(until: u64) -> Self {
        Self { until, state: State::New, window: 1, begun: 0, rest: 0 }
    }

    /// When to look whether the server is there, while that is not known.
    pub(super) fn look(&self) -> Option<Instant> {
        match self.state {
            State::New | State::There => None,
            State::Asked => Some(Instant::now() + LOOKS),
            State::Quiet(until) => Some(until),
        }
    }

    /// All that was under way is acknowledged.
    pub(super) fn go_on(&mut self) {
        if self.rest == 0 && self.begun >= self.window {
            (self.window, self.begun) = (self.window.saturating_mul(2), 0);
        }
    }

    /// Whether nothing may be written, though there is room.
    pub(super) fn is_held(&self) -> bool {
        match self.state {
            State::New => false,
            State::Asked | State::Quiet(_) => true,
            State::There => self.begun >= self.window && self.rest == 0,
        }
    }
}

/// The first line that is unsent.
fn place(lines: &Consumer) -> u64 {
    lines.consumed() + (lines.quarantined() + lines.in_flight()) as u64
}

impl Connection {
    /// Lines up to this place go one by one.
    pub(in crate::send) fn go_singly(&mut self, until: u64, lines: &Consumer) {
        self.singly = (place(lines) < until).then(|| Singly::new(until));
    }

    /// Asks whether the server is there; true once it is.
    fn is_there(&mut self) -> io::Result<bool> {
        let Some(singly) = &self.singly else { return Ok(true) };
        let next = match singly.state {
            State::New => {
                let line = self.stream.empty_line();
                match self.socket.try_write_vectored(&[IoSlice::new(line)]) {
                    Ok(count) if count == line.len() => State::Asked,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => State::New,
                    Ok(_) => return Err(ErrorKind::WriteZero.into()),
                    Err(error) => return Err(error),
                }
            }
            State::Asked if self.unacknowledged()? == 0 => State::Quiet(Instant::now() + QUIET),
            State::Quiet(until) if until <= Instant::now() => State::There,
            state => state,
        };
        if let Some(singly) = &mut self.singly {
            singly.state = next;
        }
        Ok(next == State::There)
    }

    pub(super) fn write_singly(
        &mut self,
        lines: &mut Consumer,
        account: &Account,
    ) -> io::Result<()> {
        if !self.is_there()? {
            return Ok(());
        }
        for _ in 0..super::TURN {
            let Some(singly) = &mut self.singly else { return Ok(()) };
            if singly.is_held() || !lines.has_remaining() {
                return Ok(());
            }
            if singly.rest == 0 {
                if place(lines) >= singly.until {
                    // All that was suspected is under way: what follows it waits for that.
                    if lines.in_flight() == 0 {
                        self.singly = None;
                        return self.write(lines, account);
                    }
                    singly.begun = singly.window;
                    return Ok(());
                }
                singly.rest = first_unit(lines.chunk());
                singly.begun += 1;
            }
            let mut slices = [IoSlice::new(&[]); super::SLICES];
            let filled = self.stream.next_singly(lines, singly.rest, &mut slices);
            match self.socket.try_write_vectored(&slices[..filled]) {
                Ok(count) => {
                    let before = lines.remaining();
                    self.stream.wrote(lines, count);
                    singly.rest -= before - lines.remaining();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.acknowledge(lines, account)?;
        }
        Ok(())
    }
}

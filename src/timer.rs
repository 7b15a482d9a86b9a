//! Timers: guards that record when they are dropped.

use crate::connector::Connector;
use crate::metric::Timing;
use std::time::{Duration, Instant};

/// Records the time since [`Connector::timer`] or [`Timing::start`] when it is dropped, also by a
/// panic and across await points.
///
/// ```
/// # let statsd = freewheel::Connector::disabled();
/// # fn render() {}
/// let timer = statsd.timer("render");
/// render();
/// drop(timer); // or at the end of its scope
/// ```
#[derive(Debug)]
#[must_use = "the time ends when the guard is dropped"]
pub struct Timer<'a> {
    of: Of<'a>,
    /// None if nothing is to be recorded.
    start: Option<Instant>,
}

#[derive(Debug)]
enum Of<'a> {
    Name(&'a Connector, &'a str),
    Prepared(&'a Timing),
}

impl<'a> Timer<'a> {
    pub(crate) fn of_name(connector: &'a Connector, name: &'a str, start: Option<Instant>) -> Self {
        Self { of: Of::Name(connector, name), start }
    }

    pub(crate) fn of_prepared(timing: &'a Timing, start: Option<Instant>) -> Self {
        Self { of: Of::Prepared(timing), start }
    }

    /// The time so far; zero with a disabled connector.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.map_or(Duration::ZERO, |start| start.elapsed())
    }

    /// Ends the timer without recording anything.
    pub fn discard(mut self) {
        self.start = None;
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        if let Some(start) = self.start {
            match self.of {
                Of::Name(connector, name) => connector.timing(name, start.elapsed()),
                Of::Prepared(timing) => timing.record(start.elapsed()),
            }
        }
    }
}

//! Timers: guards that record when they are dropped.

use crate::connector::Connector;
use std::time::{Duration, Instant};

/// Records the time since [`Connector::timer`] when it is dropped, also by a panic and across
/// await points.
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
    connector: &'a Connector,
    name: &'a str,
    /// None if nothing is to be recorded.
    start: Option<Instant>,
}

impl<'a> Timer<'a> {
    pub(crate) fn new(connector: &'a Connector, name: &'a str, start: Option<Instant>) -> Self {
        Self { connector, name, start }
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
            self.connector.timing(self.name, start.elapsed());
        }
    }
}

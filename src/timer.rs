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
    start: Instant,
}

impl<'a> Timer<'a> {
    pub(crate) fn new(connector: &'a Connector, name: &'a str) -> Self {
        Self { connector, name, start: Instant::now() }
    }

    /// The time so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Ends the timer without recording anything.
    pub fn discard(self) {
        std::mem::forget(self);
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.connector.timing(self.name, self.start.elapsed());
    }
}

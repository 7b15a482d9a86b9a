//! Timers: guards that record a duration when they are dropped.

use super::handle::Handle;
use super::measurement::DurationValue;
use super::thinned::ThinHandle;
use super::{Thinned, Timing, record};
use crate::connector_core::ConnectorCore;
use std::fmt;
use std::time::{Duration, Instant};

/// Guard that records the time since [`Connector::timer`](crate::Connector::timer), [`Timing::start`] or
/// [`Thinned::start`] when it is dropped, also during unwinding. It may be held across await points.
///
/// ```
/// # let statsd = freewheel::Connector::disabled();
/// # fn render() {}
/// let timer = statsd.timer("render");
/// render();
/// drop(timer); // or at the end of its scope
/// ```
#[must_use = "the time ends when the guard is dropped"]
pub struct Timer<'a> {
    target: Target<'a>,
    /// Time at which the timer started, or `None` if the timer is discarded or its connector is
    /// disabled.
    start: Option<Instant>,
}

/// Metric that a timer records its duration to.
enum Target<'a> {
    Named(&'a ConnectorCore, &'a str),
    Prepared(&'a Handle),
    Thinned(&'a ThinHandle),
}

impl<'a> Timer<'a> {
    /// Starts a timer for the timing `name`. The clock is not read if the connector is disabled.
    pub(crate) fn named(core: &'a ConnectorCore, name: &'a str) -> Self {
        let start = core.enabled().is_some().then(Instant::now);
        Self { target: Target::Named(core, name), start }
    }

    /// Starts a timer for a prepared timing. The clock is not read if the timing's connector is
    /// disabled.
    pub(super) fn prepared(handle: &'a Handle) -> Self {
        let is_enabled = !matches!(handle, Handle::Disabled);
        Self { target: Target::Prepared(handle), start: is_enabled.then(Instant::now) }
    }

    /// Returns the time since the start of the timer, or zero if the connector is disabled.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.map_or(Duration::ZERO, |start| start.elapsed())
    }

    /// Ends the timer without recording anything.
    pub fn discard(mut self) {
        self.start = None;
    }
}

impl Timing {
    /// Starts a timer for this timing. The returned guard records the elapsed time when it is
    /// dropped, also during a panic.
    #[inline]
    pub fn start(&self) -> Timer<'_> {
        Timer::prepared(&self.0)
    }
}

impl Thinned<Timing> {
    /// Starts a timer for this timing. The returned guard records the elapsed time when it is
    /// dropped, also during a panic. It reads the clock twice, even if its value is thinned away.
    #[inline]
    pub fn start(&self) -> Timer<'_> {
        let handle = self.handle();
        let start = (!handle.is_disabled()).then(Instant::now);
        Timer { target: Target::Thinned(handle), start }
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        if let Some(start) = self.start {
            let elapsed = DurationValue(start.elapsed());
            match self.target {
                Target::Named(core, name) => record::<Timing>(core, name, elapsed),
                Target::Prepared(handle) => handle.dispatch(elapsed),
                Target::Thinned(handle) => handle.dispatch(elapsed),
            }
        }
    }
}

impl fmt::Debug for Timer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Timer");
        match &self.target {
            Target::Named(_, name) => text.field("name", name),
            Target::Prepared(handle) => text.field("prepared", handle),
            Target::Thinned(handle) => text.field("thinned", handle),
        };
        text.field("start", &self.start).finish()
    }
}

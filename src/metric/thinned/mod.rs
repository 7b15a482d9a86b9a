//! Thinned metrics: timings, histograms and distributions with a bound on the lines of an interval.

mod build;
mod handle;
mod stride;

pub(crate) use handle::ThinHandle;

use super::measurement::{Amount, DurationValue, Seconds};
use super::{Distribution, Histogram, Kind, Timing};
use crate::encode::Value;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// Timing, histogram or distribution of which each thread emits a bounded number of lines in an
/// aggregate interval. Each line stands for a whole number of values, and states so by its sample rate.
///
/// [`Metric::thin`](crate::Metric::thin) creates it. A call that emits no line takes some nanoseconds.
/// It formats nothing and reads no clock. A call allocates only the first time on a thread.
///
/// ```
/// use freewheel::{Connector, Dialect, Timing};
/// use std::time::Duration;
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port())
///     .dialect(Dialect::DogStatsD)
/// #     .aggregate_interval(Duration::from_secs(86_400))
///     .build()?;
/// statsd.start_on_thread()?;
/// let render = statsd.metric::<Timing>("render").tag("page", "home").thin(4);
/// for _ in 0..17 {
///     render.record(Duration::from_millis(3));
/// }
/// // Three times render:3|ms|#page:home. Then render:3|ms|@0.5|#page:home for two values, and one line
/// // each with @0.25 and @0.125 for the next four and the last eight.
/// # server.assert(&statsd, &["render:3|ms|#page:home", "render:3|ms|@0.5|#page:home",
/// #     "render:3|ms|@0.25|#page:home", "render:3|ms|@0.125|#page:home"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is emitted
///
/// A thread's values form blocks of 1, 2, 4, 8 or more values. Of each block one value is emitted, which
/// is drawn at random, and its line weighs as much as the block has values. So every value has the same
/// expected share in what the server computes: counts, sums, means and histograms have no bias. Extremes
/// can be missing, since a maximum may be thinned away.
///
/// An interval begins with blocks that fit the thread's number of values in the last interval: they give
/// at most three quarters of `per_interval` lines, and at least half of that if there were as many
/// values. After an interval without a value it begins with blocks of one value. When the load has
/// grown, the blocks double as the lines are used up.
///
/// # How many lines
///
/// The bound is for each thread. With 32 lines or more, it holds for an interval with up to twice as
/// many values as the last one. Each further doubling adds a thirty-second of `per_interval`, and at least
/// one line. So the first interval of a thread has some 150 lines of a million values, with a bound of
/// 100.
///
/// Blocks have at most 65,536 values. A thread that records 4,915,200 values in an interval has 75 lines
/// of it, and a line for each 65,536 further values. In the dialects `StatsD` and `Extended`, blocks have
/// at most 64 values, since netdata gives a line of a timing or histogram at most the weight 100.
///
/// # How exact the values are
///
/// The weights of whole blocks add up to the exact number of values. The end of an interval cuts one
/// block of each thread, and so does the end of a thread. So the number of values that the server
/// computes for an interval differs from the exact one by less than the weight of a line for each
/// thread: with bounds of 100 usually by less than a percent. Over many intervals these differences
/// cancel out.
///
/// The mean that the server computes of an interval has the error of a random sample of as many values
/// as there are lines. With 50 lines this is 14% of the values' standard deviation.
///
/// # Intervals
///
/// The flusher begins the intervals. While no flusher runs, an interval does not end. A thread that uses
/// the metric after a second in which nothing was emitted wakes the flusher, as a line does.
///
/// Values that are thinned away are in no account, and are not checked: a number that is not finite is
/// counted as invalid only if it is drawn. A line that is dropped counts as one line, whatever its weight.
/// In a thread that is exiting nothing is thinned away: each value counts as a dropped line. A process has
/// up to 32,768 thinned metrics at a time, less one for each two aggregated counters and levels. Of further
/// ones, each value is emitted.
///
/// A signal handler that interrupts a call on the same metric may cost or add a line, or the count of one
/// value.
pub struct Thinned<K> {
    handle: ThinHandle,
    kind: PhantomData<fn() -> K>,
}

impl<K> Thinned<K> {
    fn new(handle: ThinHandle) -> Self {
        Self { handle, kind: PhantomData }
    }
}

impl<K> Clone for Thinned<K> {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl Thinned<Timing> {
    /// Records the duration `elapsed` in milliseconds, exact to the nanosecond.
    #[inline]
    pub fn record(&self, elapsed: Duration) {
        self.handle.dispatch(DurationValue(elapsed));
    }

    /// Records a duration given in seconds, and sends it in milliseconds with no digit rounded. A
    /// negative or non-finite number is dropped and counted as invalid, unless it is thinned away.
    #[inline]
    pub fn record_seconds(&self, seconds: f64) {
        self.handle.dispatch(Seconds(seconds));
    }

    pub(super) fn handle(&self) -> &ThinHandle {
        &self.handle
    }
}

impl Thinned<Histogram> {
    /// Records a value of the histogram. In the dialect `Influx`, a negative value is dropped and
    /// counted as [unsupported](crate::Drops::unsupported), unless it is thinned away.
    #[inline]
    pub fn record(&self, value: impl Value) {
        self.handle.dispatch(Amount(value));
    }
}

impl Thinned<Distribution> {
    /// Records a value of the distribution.
    #[inline]
    pub fn record(&self, value: impl Value) {
        self.handle.dispatch(Amount(value));
    }
}

impl<K: Kind> fmt::Debug for Thinned<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thinned({:?})", self.handle)
    }
}

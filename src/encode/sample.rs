//! Sample rates: the share of a metric's lines that are emitted, and the text in a line that states
//! this share.

use super::decimal::Digits;
use super::line_writer::LineWriter;
use super::random;
use super::value::sealed::Sealed;
use super::value::{Number, Scratch};
use std::fmt;
use std::num::NonZeroU64;

/// Share of a metric's lines that are emitted: more than 0, and at most 1.
///
/// Each call draws a random number from its thread's generator. Drawing needs no atomic operation,
/// and happens before anything is formatted. A line that is not drawn is not emitted, and no counter
/// includes it. An emitted line states the rate, such as `|@0.1`: the server then counts it ten
/// times.
///
/// ```
/// use freewheel::{Connector, Counter, SampleRate};
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
///     .build()?;
/// statsd.start_on_thread()?;
/// let tenth = SampleRate::new(0.1)?;
/// statsd.metric::<Counter>("hits").sample_rate(tenth).incr(); // counters.hits:1|c|@0.1, one time in ten
/// # (0..1000).for_each(|_| statsd.metric::<Counter>("hits").sample_rate(tenth).incr());
///
/// assert!(SampleRate::new(0.0).is_err());
/// assert!(SampleRate::new(1.5).is_err());
/// # server.assert(&statsd, &["counters.hits:1|c|@0.1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is sent
///
/// A rate that differs from 1/n, for an integer n, by at most a millionth of its value is sent as 1/n.
/// Every server weighs such a line n times, for n up to a million. (If servers would read n - 1 from
/// the text that is nearest to 1/n, the next smaller number is sent: `@0.01075268817204301` for one
/// in 93.)
///
/// Most servers weigh a line by an integer, and misread all other rates. For example, the Agent reads
/// `@0.7` as 1, and a third of the timings is missing. For these servers one line in n is drawn and
/// sent, where n is the next integer above 1/rate. There are never more lines than the rate asks for.
///
/// | dialect | sent as asked | sent as one in n | reason |
/// |---|---|---|---|
/// | `StatsD` | counters | timings | Telegraf, statsd_exporter, Vector: `int(1/rate)` lines; netdata: rounded |
/// | `Extended` | | all | netdata: `llrint(value/rate)`, `llrint(1/rate)` |
/// | `DogStatsD` | counters | timings, histograms, distributions | Agent: `int64(1/rate)`, `uint(1/rate)` |
/// | `Graphite` | counters, timings | | statsd: `1/rate` |
/// | `Influx` | | all | Telegraf: `int64(value/rate)`, `int(1.0/rate)` |
/// | `Librato`, `SignalFx` | counters | timings | statsd_exporter: `int(1/rate)` |
///
/// [`rate`](Self::rate) returns the rate that was asked for. [`effective_rate`](Self::effective_rate)
/// returns the rate that is drawn and sent.
#[derive(Clone, Copy, PartialEq)]
pub struct SampleRate {
    requested: f64,
    exact: EffectiveRate,
    /// Sample rate of the form 1/n, for an integer n. Used for servers that misread other rates.
    one_in_n: EffectiveRate,
}

impl SampleRate {
    /// Minimum sample rate: 2^-64, at which one of the 2^64 possible random numbers causes a line
    /// to be emitted.
    const MIN: f64 = 1.0 / TWO_TO_64;

    /// Maximum relative distance from 1/n at which a rate is rounded to 1/n. For `0.1_f32` the
    /// distance is 1.5e-8.
    const ROUNDING: f64 = 1e-6;

    /// Creates a sample rate.
    ///
    /// # Errors
    /// Returns an error unless the rate is more than 0 and at most 1. Rates below 2^-64, at which no
    /// line would ever be drawn, are errors too.
    pub fn new(rate: f64) -> Result<Self, SampleRateError> {
        if !(Self::MIN..=1.0).contains(&rate) {
            return Err(SampleRateError { rate });
        }
        let lines = 1.0 / rate;
        let n = lines.round();
        let (exact, one_in_n) = if lines > MAX_RECIPROCAL {
            let exact = EffectiveRate::new(rate, (rate * TWO_TO_64) as u64);
            (exact, exact)
        } else if (rate * n - 1.0).abs() <= Self::ROUNDING {
            let one_in_n = EffectiveRate::one_in(n as u64);
            (one_in_n, one_in_n)
        } else {
            let exact = EffectiveRate::new(rate, (rate * TWO_TO_64) as u64);
            (exact, EffectiveRate::one_in(lines.ceil() as u64))
        };
        Ok(Self { requested: rate, exact, one_in_n })
    }

    /// Creates the sample rate 1/`n`, at which one line in `n` is emitted on average.
    ///
    /// ```
    /// use freewheel::SampleRate;
    /// use std::num::NonZeroU64;
    ///
    /// const TEN: NonZeroU64 = NonZeroU64::new(10).unwrap();
    /// assert_eq!(SampleRate::one_in(TEN), SampleRate::new(0.1)?);
    /// # Ok::<(), freewheel::SampleRateError>(())
    /// ```
    #[must_use]
    pub fn one_in(n: NonZeroU64) -> Self {
        let one_in_n = EffectiveRate::one_in(n.get());
        Self { requested: 1.0 / n.get() as f64, exact: one_in_n, one_in_n }
    }

    /// Returns the sample rate that the application asked for.
    #[must_use]
    pub fn rate(self) -> f64 {
        self.requested
    }

    /// Returns the rate at which lines are emitted and which the lines state. If `is_one_in_n` is
    /// true, this rate has the form 1/n; otherwise it is the requested rate.
    #[inline(always)]
    pub(crate) fn effective(&self, is_one_in_n: bool) -> &EffectiveRate {
        if is_one_in_n { &self.one_in_n } else { &self.exact }
    }
}

/// Sample rate at which lines are emitted, and the text by which these lines state the rate to the
/// server.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct EffectiveRate {
    rate: f64,
    /// Number of random numbers, of 2^64 possible ones, that cause a line to be emitted. `u64::MAX`
    /// means that all lines are emitted.
    drawn: u64,
    /// Text that states the sample rate on lines: a plain decimal, which a server reads as exactly
    /// `rate`. Zero bytes fill the rest.
    text: [u8; Self::MAX_LEN],
    len: u8,
}

impl EffectiveRate {
    /// Size of the buffer `text` in bytes. The longest decimal of a sample rate has 38 bytes: `0.`,
    /// 19 zeros and 17 digits.
    const MAX_LEN: usize = 40;

    /// Creates a sample rate that lines state as `rate`. `drawn` of the 2^64 possible random
    /// numbers cause a line to be emitted.
    fn new(rate: f64, drawn: u64) -> Self {
        let mut scratch = Scratch::new();
        let (mut text, mut len) = ([0; Self::MAX_LEN], 0);
        // The rate is finite, so that there always is a number.
        if let Some(Number { digits, .. }) = rate.format(&mut scratch) {
            len = digits.len();
            digits.write(&mut LineWriter::<true>::new(&mut text));
        }
        Self { rate, drawn, text, len: len as u8 }
    }

    /// Creates the sample rate 1/`n`.
    pub(crate) fn one_in(n: u64) -> Self {
        let drawn = (1_u128 << 64) / u128::from(n);
        Self::new(reciprocal(n), u64::try_from(drawn).unwrap_or(u64::MAX))
    }

    /// Returns the sample rate that lines state, as servers read it.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Returns true if the rate is 1, so that all lines are emitted.
    pub(crate) fn keeps_all(&self) -> bool {
        self.drawn == u64::MAX
    }

    /// Draws a random number. Returns true if the current line must be emitted.
    #[inline(always)]
    pub(crate) fn draw(&self) -> bool {
        random::number() < self.drawn
    }

    #[inline(always)]
    pub(super) fn text(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }
}

/// Returns the `f64` nearest to 1/n from which servers compute n, although they truncate 1/rate to
/// an integer.
///
/// Servers truncate `1/rate`, or `value/rate`, to an integer. If the rate exceeds 1/n by a relative
/// error `d`, the exact quotient is about `value * n * (1 - d)`. It is then rounded to a double. The
/// result is `value * n` for all values if `d` is at most 2^-54. That is half of the relative distance
/// to the next smaller double, for a product just below a power of two. (The product is a power of two
/// only if n is one, and then 1/n has no error.) For a rate below 1/n, the result is the product, or
/// exceeds it by less than 1.
fn reciprocal(n: u64) -> f64 {
    let nearest = 1.0 / n as f64;
    // The number is `significand / 2^exponent`, and is not subnormal.
    let bits = nearest.to_bits();
    let significand = bits & (IMPLICIT_BIT - 1) | IMPLICIT_BIT;
    let exponent = 1075 - (bits >> 52);
    let one = 1_u128 << exponent;
    let excess = (u128::from(significand) * u128::from(n)).saturating_sub(one);
    if excess > one >> 54 { nearest.next_down() } else { nearest }
}

const IMPLICIT_BIT: u64 = 1 << 52;

/// Maximum of 1/rate up to which a sample rate is rounded to the form 1/n: 2^52. Larger doubles
/// have no fraction.
const MAX_RECIPROCAL: f64 = 4_503_599_627_370_496.0;

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

impl TryFrom<f64> for SampleRate {
    type Error = SampleRateError;
    fn try_from(rate: f64) -> Result<Self, SampleRateError> {
        Self::new(rate)
    }
}

impl From<NonZeroU64> for SampleRate {
    /// Creates the sample rate 1/`n`. See [`SampleRate::one_in`].
    fn from(n: NonZeroU64) -> Self {
        Self::one_in(n)
    }
}

impl fmt::Debug for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SampleRate").field(&self.requested).finish()
    }
}

impl fmt::Display for SampleRate {
    /// Writes the rate as a plain decimal, as lines state it where the dialect accepts [any
    /// rate](SampleRate#what-is-sent).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.exact.text()))
    }
}

/// Error of creating a [`SampleRate`] from a number out of range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRateError {
    rate: f64,
}

impl fmt::Display for SampleRateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid value {} for sample rate: expected more than 0, at most 1", self.rate)
    }
}

impl std::error::Error for SampleRateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_plain_decimals() {
        for (rate, text) in [
            (1.0, "1"),
            (0.1, "0.1"),
            (0.25, "0.25"),
            (1e-7, "0.0000001"),
            (1.0 / 3.0, "0.3333333333333333"),
            (1.234_567_890_123_456e-18, "0.000000000000000001234567890123456"),
            (SampleRate::MIN, "0.00000000000000000005421010862427522"),
        ] {
            let sample = SampleRate::new(rate).unwrap();
            assert_eq!(sample.to_string(), text);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), rate.to_bits());
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for rate in [0.0, -0.0, -0.5, 1.000_000_1, 2.0, f64::NAN, f64::INFINITY, 5e-324] {
            assert!(SampleRate::new(rate).is_err(), "{rate}");
        }
    }

    /// Checks that the probability at which lines are emitted equals the rate that the lines state.
    /// For a rate of 1/n, the relative error must be at most n/2^64.
    #[test]
    fn draws_match_the_rate_on_the_line() {
        for n in [1, 2, 3, 7, 93, 99, 1000, 999_999, 1_000_000, u64::MAX] {
            let SampleRate { exact, one_in_n, .. } =
                SampleRate::one_in(NonZeroU64::new(n).unwrap());
            assert!(exact == one_in_n);
            let (drawn, n) = (u128::from(one_in_n.drawn), u128::from(n));
            let missing = (1_u128 << 64).abs_diff(drawn * n);
            assert!(missing <= n, "{missing} of 2^64 draws are missing at one in {n}");
        }
        for rate in [0.9, 0.7, 0.300_01, 0.000_123_4] {
            let SampleRate { exact, one_in_n, .. } = SampleRate::new(rate).unwrap();
            assert!((exact.drawn as f64 / TWO_TO_64 - rate).abs() < 1e-15, "{rate}");
            assert!((one_in_n.drawn as f64 / TWO_TO_64 - one_in_n.rate).abs() < 1e-15, "{rate}");
            assert!(one_in_n.drawn < exact.drawn, "more lines than asked at {rate}");
        }
    }
}

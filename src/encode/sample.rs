//! Sample rates: which lines are emitted, and what the line says of it.

use super::decimal::Digits;
use super::line_writer::LineWriter;
use super::value::{Number, Scratch, sealed::Sealed};
use std::fmt;
use std::num::NonZeroU64;

/// How many of a metric's lines are emitted: more than 0, and at most all.
///
/// Each call draws a random number of its thread's own generator, without an atomic and before
/// anything is formatted. A line that is not drawn is not emitted: it stands in no account. One that
/// is says `|@0.1`, and the server counts it ten times.
///
/// ```
/// use freewheel::{Connector, SampleRate};
///
/// # mod documented { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/documented.rs")); }
/// # let server = documented::Server::start();
/// let statsd = Connector::builder("127.0.0.1")
/// #     .port(server.port()).protocol(freewheel::Protocol::Udp)
///     .build()?;
/// statsd.start_on_thread()?;
/// let tenth = SampleRate::new(0.1)?;
/// statsd.counter("hits").sample_rate(tenth).incr(); // counters.hits:1|c|@0.1, one time in ten
/// # (0..1000).for_each(|_| statsd.counter("hits").sample_rate(tenth).incr());
///
/// assert!(SampleRate::new(0.0).is_err());
/// assert!(SampleRate::new(1.5).is_err());
/// # server.assert(&statsd, &["counters.hits:1|c|@0.1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is sent
///
/// A rate that is 1/n for a whole n, or within a millionth of its value, is sent as 1/n, and every server
/// weighs such a line n times, for n up to a million. (Where servers would read n - 1 from the text that is
/// nearest to 1/n, the next number below is sent: `@0.01075268817204301` for one in 93.)
///
/// Most servers weigh a line by a whole number of lines, so other rates are not read as they are
/// meant: of `@0.7` the Agent makes 1, and a third of the timings are missing. Where that is so, one in n is
/// drawn and sent, with n the next whole number above 1/rate: never more lines than asked.
///
/// | dialect | sent as asked | sent as one in n | because |
/// |---|---|---|---|
/// | `StatsD` | counters | timings | Telegraf, statsd_exporter, Vector: `int(1/rate)` lines; netdata: rounded |
/// | `Extended` | | all | netdata: `llrint(value/rate)`, `llrint(1/rate)` |
/// | `DogStatsD` | counters | timings, histograms, distributions | Agent: `int64(1/rate)`, `uint(1/rate)` |
/// | `Graphite` | counters, timings | | statsd: `1/rate` |
/// | `Influx` | | all | Telegraf: `int64(value/rate)`, `int(1.0/rate)` |
/// | `Librato`, `SignalFx` | counters | timings | statsd_exporter: `int(1/rate)` |
///
/// [`rate`](Self::rate) is what was asked for, [`effective_rate`](Self::effective_rate) what is drawn and sent.
#[derive(Clone, Copy, PartialEq)]
pub struct SampleRate {
    asked: f64,
    exact: EffectiveRate,
    /// One line in a whole number of lines.
    whole: EffectiveRate,
}

impl SampleRate {
    /// What the generator can tell from never.
    const SMALLEST: f64 = 1.0 / TWO_TO_64;

    /// How far from 1/n a rate is taken for it, of its value: `0.1_f32` is 1.5e-8 away.
    const ROUNDING: f64 = 1e-6;

    /// # Errors
    /// What is not above 0 and at most 1. So are rates below 2^-64, which no line would ever
    /// be drawn at.
    pub fn new(rate: f64) -> Result<Self, SampleRateError> {
        if !(Self::SMALLEST..=1.0).contains(&rate) {
            return Err(SampleRateError { rate });
        }
        let lines = 1.0 / rate;
        let n = lines.round();
        let (exact, whole) = if lines > LARGEST_WHOLE {
            let exact = EffectiveRate::new(rate, (rate * TWO_TO_64) as u64);
            (exact, exact)
        } else if (rate * n - 1.0).abs() <= Self::ROUNDING {
            let whole = EffectiveRate::one_in(n as u64);
            (whole, whole)
        } else {
            let exact = EffectiveRate::new(rate, (rate * TWO_TO_64) as u64);
            (exact, EffectiveRate::one_in(lines.ceil() as u64))
        };
        Ok(Self { asked: rate, exact, whole })
    }

    /// One line in `n`.
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
        let whole = EffectiveRate::one_in(n.get());
        Self { asked: 1.0 / n.get() as f64, exact: whole, whole }
    }

    /// The rate that was asked for.
    #[must_use]
    pub fn rate(self) -> f64 {
        self.asked
    }

    /// How it is drawn and sent: as one in a whole number of lines, or as it is.
    #[inline(always)]
    pub(crate) fn effective(&self, is_whole: bool) -> &EffectiveRate {
        if is_whole { &self.whole } else { &self.exact }
    }
}

/// A part of all lines: how it is drawn, and what the lines say of it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct EffectiveRate {
    rate: f64,
    /// Of 2^64 draws.
    drawn: u64,
    /// A plain decimal, which reads back as `rate`.
    text: [u8; Self::LONGEST],
    len: u8,
}

impl EffectiveRate {
    /// Nineteen zeros and seventeen digits behind the point.
    const LONGEST: usize = 40;

    /// 1 becomes the largest number there is.
    fn new(rate: f64, drawn: u64) -> Self {
        let mut scratch = Scratch::new();
        let (mut text, mut len) = ([0; Self::LONGEST], 0);
        // It is finite.
        if let Some(Number { digits, .. }) = rate.format(&mut scratch) {
            len = digits.len();
            digits.write(&mut LineWriter::new(&mut text));
        }
        Self { rate, drawn, text, len: len as u8 }
    }

    fn one_in(n: u64) -> Self {
        let drawn = (1_u128 << 64) / u128::from(n);
        Self::new(reciprocal(n), u64::try_from(drawn).unwrap_or(u64::MAX))
    }

    /// As servers read it.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Whether it is all lines.
    pub(crate) fn keeps_all(&self) -> bool {
        self.drawn == u64::MAX
    }

    /// Whether the line at hand is one of those to be emitted.
    #[cfg(feature = "tokio")]
    #[inline(always)]
    pub(crate) fn draw(&self) -> bool {
        fastrand::u64(..) < self.drawn
    }

    #[inline(always)]
    pub(super) fn text(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }
}

/// The number near to 1/n from which servers read n.
///
/// They cut `1/rate`, or `value/rate`, to a whole number. A rate above 1/n by a part `d` of it makes
/// `value * n * (1 - d)` of it before it is rounded to a double, which comes to `value * n` for all values
/// if `d` is at most 2^-54: half of the distance between the doubles below, of a product that is next to
/// a power of two. (It cannot be one, unless n is, and then 1/n has no error.) A rate below 1/n comes to
/// the product or to more than it, by less than 1.
fn reciprocal(n: u64) -> f64 {
    let nearest = 1.0 / n as f64;
    // It is `significand / 2^exponent`, and no subnormal.
    let bits = nearest.to_bits();
    let significand = bits & (IMPLICIT_BIT - 1) | IMPLICIT_BIT;
    let exponent = 1075 - (bits >> 52);
    let one = 1_u128 << exponent;
    let excess = (u128::from(significand) * u128::from(n)).saturating_sub(one);
    if excess > one >> 54 { nearest.next_down() } else { nearest }
}

const IMPLICIT_BIT: u64 = 1 << 52;

/// Doubles have a fraction up to it.
const LARGEST_WHOLE: f64 = 4_503_599_627_370_496.0;

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

impl TryFrom<f64> for SampleRate {
    type Error = SampleRateError;
    fn try_from(rate: f64) -> Result<Self, SampleRateError> {
        Self::new(rate)
    }
}

impl From<NonZeroU64> for SampleRate {
    /// See [`SampleRate::one_in`].
    fn from(n: NonZeroU64) -> Self {
        Self::one_in(n)
    }
}

impl fmt::Debug for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SampleRate").field(&self.asked).finish()
    }
}

impl fmt::Display for SampleRate {
    /// As it stands on lines that say it [as asked](SampleRate#what-is-sent).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.exact.text()))
    }
}

/// A number that is no [`SampleRate`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRateError {
    rate: f64,
}

impl fmt::Display for SampleRateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sample rate: {} is refused: expected more than 0, at most 1", self.rate)
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
            (SampleRate::SMALLEST, "0.00000000000000000005421010862427522"),
        ] {
            let sample = SampleRate::new(rate).unwrap();
            assert_eq!(sample.to_string(), text);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), rate.to_bits());
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for rate in [0.0, -0.0, -0.5, 1.000_000_1, 2.0, f64::NAN, f64::INFINITY, 5e-324] {
            assert!(SampleRate::new(rate).is_err(), "{rate}");
        }
    }

    /// So that what is drawn, times what it weighs, is what was emitted: to 2^-40 for one in a million.
    #[test]
    fn draws_are_as_many_as_the_line_says() {
        for n in [1, 2, 3, 7, 93, 99, 1000, 999_999, 1_000_000, u64::MAX] {
            let SampleRate { exact, whole, .. } = SampleRate::one_in(NonZeroU64::new(n).unwrap());
            assert!(exact == whole);
            let (drawn, n) = (u128::from(whole.drawn), u128::from(n));
            let missing = (1_u128 << 64).abs_diff(drawn * n);
            assert!(missing <= n, "{missing} of 2^64 draws are missing at one in {n}");
        }
        for rate in [0.9, 0.7, 0.300_01, 0.000_123_4] {
            let SampleRate { exact, whole, .. } = SampleRate::new(rate).unwrap();
            assert!((exact.drawn as f64 / TWO_TO_64 - rate).abs() < 1e-15, "{rate}");
            assert!((whole.drawn as f64 / TWO_TO_64 - whole.rate).abs() < 1e-15, "{rate}");
            assert!(whole.drawn < exact.drawn, "more lines than asked at {rate}");
        }
    }
}

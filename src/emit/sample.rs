//! Sample rates: which lines are emitted, and what the line says of it.

use super::decimal::Digits;
use super::text::Text;
use super::value::{Number, Scratch, sealed::Sealed};
use std::fmt;

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
#[derive(Clone, Copy, PartialEq)]
pub struct SampleRate {
    rate: f64,
    /// Of 2^64 draws.
    drawn: u64,
    /// A plain decimal.
    text: [u8; Self::LONGEST],
    len: u8,
}

impl SampleRate {
    /// Nineteen zeros and seventeen digits behind the point.
    const LONGEST: usize = 40;

    /// What the generator can tell from never.
    const SMALLEST: f64 = 1.0 / TWO_TO_64;

    /// # Errors
    /// What is not above 0 and at most 1. So are rates below 2^-64, which no line would ever
    /// be drawn at.
    pub fn new(rate: f64) -> Result<Self, SampleRateError> {
        if !(Self::SMALLEST..=1.0).contains(&rate) {
            return Err(SampleRateError { rate });
        }
        let mut scratch = Scratch::new();
        let Some(Number { digits, .. }) = rate.format(&mut scratch) else {
            return Err(SampleRateError { rate });
        };
        let (mut text, len) = ([0; Self::LONGEST], digits.len());
        digits.write(&mut Text::new(&mut text));
        // 1 becomes the largest number there is.
        let drawn = (rate * TWO_TO_64) as u64;
        Ok(Self { rate, drawn, text, len: len as u8 })
    }

    /// The rate as a number.
    #[must_use]
    pub fn rate(self) -> f64 {
        self.rate
    }

    /// Whether it is all lines.
    pub(crate) fn is_all(&self) -> bool {
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

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

impl TryFrom<f64> for SampleRate {
    type Error = SampleRateError;
    fn try_from(rate: f64) -> Result<Self, SampleRateError> {
        Self::new(rate)
    }
}

impl fmt::Debug for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SampleRate").field(&self.rate).finish()
    }
}

impl fmt::Display for SampleRate {
    /// As it stands on lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text()))
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

/// Rates by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sampling(pub(crate) Vec<(Pattern, SampleRate)>);

impl Sampling {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rate of the first pattern that the name matches, which begins with `path`.
    pub(crate) fn rate(&self, path: &str, name: &str) -> Option<&SampleRate> {
        let (_, rate) = self.0.iter().find(|(pattern, _)| pattern.matches(path, name))?;
        Some(rate)
    }
}

/// A name in which each `*` stands for any characters, or none.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(crate) String);

impl Pattern {
    /// Whether it matches these two, put together: without doing so.
    fn matches(&self, path: &str, name: &str) -> bool {
        let (pattern, path, name) = (self.0.as_bytes(), path.as_bytes(), name.as_bytes());
        let length = path.len() + name.len();
        let byte = |at: usize| if at < path.len() { path[at] } else { name[at - path.len()] };
        let (mut at, mut in_pattern) = (0, 0);
        // Where the last star is, and how far it reaches so far.
        let mut star: Option<(usize, usize)> = None;
        while at < length {
            match pattern.get(in_pattern) {
                Some(b'*') => {
                    star = Some((in_pattern, at));
                    in_pattern += 1;
                }
                Some(&expected) if expected == byte(at) => {
                    at += 1;
                    in_pattern += 1;
                }
                _ => {
                    let Some((of_star, reach)) = star else { return false };
                    star = Some((of_star, reach + 1));
                    (at, in_pattern) = (reach + 1, of_star + 1);
                }
            }
        }
        pattern[in_pattern..].iter().all(|&byte| byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        /// As the definition says: a star is any text.
        #[test]
        fn patterns_match_as_defined(pattern in "[ab*]{0,6}", name in "[ab]{0,8}", cut in 0usize..9) {
            fn defined(pattern: &[u8], name: &[u8]) -> bool {
                match pattern {
                    [] => name.is_empty(),
                    [b'*', rest @ ..] => (0..=name.len()).any(|at| defined(rest, &name[at..])),
                    [first, rest @ ..] => name.first() == Some(first) && defined(rest, &name[1..]),
                }
            }
            let (path, rest) = name.split_at(cut.min(name.len()));
            let expected = defined(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(Pattern(pattern).matches(path, rest), expected);
        }
    }
}

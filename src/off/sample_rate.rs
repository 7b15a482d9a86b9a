//! Sample rates, which no line states.

use super::metric::Sampled;
use crate::options::Dialect;
use std::fmt;
use std::num::NonZeroU64;

#[derive(Clone, Copy, PartialEq)]
pub struct SampleRate(f64);

impl SampleRate {
    /// Minimum sample rate of the client: 2^-64.
    const MIN: f64 = 1.0 / 18_446_744_073_709_551_616.0;

    pub fn new(rate: f64) -> Result<Self, SampleRateError> {
        let in_bounds = (Self::MIN..=1.0).contains(&rate);
        if in_bounds { Ok(Self(rate)) } else { Err(SampleRateError { rate }) }
    }

    #[must_use]
    pub fn one_in(n: NonZeroU64) -> Self {
        Self(1.0 / n.get() as f64)
    }

    #[must_use]
    pub fn rate(self) -> f64 {
        self.0
    }

    /// Returns the rate itself, since there is no server that misreads it.
    #[must_use]
    pub fn effective_rate<K: Sampled>(self, dialect: Dialect) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for SampleRate {
    type Error = SampleRateError;
    fn try_from(rate: f64) -> Result<Self, SampleRateError> {
        Self::new(rate)
    }
}

impl From<NonZeroU64> for SampleRate {
    fn from(n: NonZeroU64) -> Self {
        Self::one_in(n)
    }
}

impl fmt::Debug for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SampleRate").field(&self.0).finish()
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

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

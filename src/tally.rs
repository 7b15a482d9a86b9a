//! Tallies: counts of lines and of their bytes.

use std::ops::{Add, AddAssign};

/// Number of lines, and the number of their bytes including newlines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Tally {
    /// Number of counted lines.
    pub lines: u64,
    /// Number of bytes of all counted lines, including their newlines.
    pub bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

impl Add for Tally {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

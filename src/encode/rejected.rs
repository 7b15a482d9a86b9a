//! Lines that cannot be encoded, and are only counted.

use crate::handoff::{EncodeLine, WriteOutcome};

/// A line that no dialect can express, such as one without a name.
pub(crate) struct InvalidLine;

impl EncodeLine for InvalidLine {
    fn lines(&self) -> u64 {
        1
    }
    fn write_fast(&self, _room: &mut [u8]) -> usize {
        0
    }
    fn write(&self, _room: &mut [u8]) -> WriteOutcome {
        WriteOutcome::Invalid
    }
}

/// A line that needs a feature which the dialect lacks.
pub(crate) struct UnsupportedLine;

impl EncodeLine for UnsupportedLine {
    fn lines(&self) -> u64 {
        1
    }
    fn write_fast(&self, _room: &mut [u8]) -> usize {
        0
    }
    fn write(&self, _room: &mut [u8]) -> WriteOutcome {
        WriteOutcome::Unsupported
    }
}

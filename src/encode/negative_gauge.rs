//! Gauges below zero, in dialects where a signed value is a delta.

use super::line::SizedLine;
use super::sign::Sign;
use super::value::Number;
use crate::handoff::{EncodeLine, MARGIN, WriteOutcome};

/// Value of the line before a negative one.
pub(crate) const ZERO: Number<&'static [u8; 1]> = Number { sign: Sign::None, digits: b"0" };

/// A gauge that is set to a negative number, as two lines that stay together.
///
/// Servers read a signed value as a delta. The first line therefore sets the gauge to 0, and the
/// second line lowers it.
pub(crate) struct NegativeGauge<Z, L> {
    /// The line that sets the gauge to [`ZERO`].
    pub(crate) zero: Z,
    pub(crate) line: L,
}

impl<Z: SizedLine, L: SizedLine> EncodeLine for NegativeGauge<Z, L> {
    fn lines(&self) -> u64 {
        2
    }

    fn write_fast(&self, room: &mut [u8]) -> usize {
        if self.zero.size() + self.line.size() + MARGIN > room.len() {
            return 0;
        }
        let first = self.zero.write_fast(room);
        if first == 0 {
            return 0;
        }
        match self.line.write_fast(&mut room[first..]) {
            0 => 0,
            second => first + second,
        }
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        let size = self.zero.size() + self.line.size();
        let first = match self.zero.write(room) {
            WriteOutcome::Line { bytes, .. } => bytes,
            WriteOutcome::NoRoom(_) => return WriteOutcome::NoRoom(size),
            other => return other,
        };
        // The pair must fit at its maximum length, even if altered texts make it shorter.
        if size + MARGIN > room.len() {
            return WriteOutcome::NoRoom(size);
        }
        match self.line.write(&mut room[first..]) {
            WriteOutcome::Line { bytes, altered } => {
                WriteOutcome::Line { bytes: first + bytes, altered }
            }
            other => other,
        }
    }
}

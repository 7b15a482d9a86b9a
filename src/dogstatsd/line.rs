//! Lines that were put together elsewhere.

use super::rendered::Rendered;
use crate::handoff::{MARGIN, WriteLine, Written};

impl WriteLine for &Rendered {
    fn lines(&self) -> u64 {
        1
    }

    /// Never: these are too rare to be worth a way of their own.
    fn write_usual(&self, _room: &mut [u8]) -> usize {
        0
    }

    fn write(&self, room: &mut [u8]) -> Written {
        let bytes = self.line.len();
        if bytes + MARGIN > room.len() {
            return Written::NoRoom(bytes);
        }
        room[..bytes].copy_from_slice(self.line.as_bytes());
        Written::Line { bytes, altered: self.altered }
    }
}

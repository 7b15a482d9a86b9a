//! Lines that were put together elsewhere.

use super::message::Message;
use crate::handoff::{EncodeLine, MARGIN, WriteOutcome};

impl EncodeLine for &Message {
    fn lines(&self) -> u64 {
        1
    }

    /// Never: these are too rare to be worth a way of their own.
    fn write_fast(&self, _room: &mut [u8]) -> usize {
        0
    }

    fn write(&self, room: &mut [u8]) -> WriteOutcome {
        let bytes = self.line.len();
        if bytes + MARGIN > room.len() {
            return WriteOutcome::NoRoom(bytes);
        }
        room[..bytes].copy_from_slice(self.line.as_bytes());
        WriteOutcome::Line { bytes, altered: self.altered }
    }
}

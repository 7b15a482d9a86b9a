//! Frames: lines behind their length, as DogStatsD reads them from a stream.
//!
//! A frame is a 32-bit little-endian length and as many bytes of whole lines (Datadog's
//! "DogStatsD over Unix Domain Socket", streams). A server drops a frame that it got a part of,
//! so frames are let go of whole.

use super::datagram::extent;
use crate::handoff::{Consumer, Tally};
use memchr::memchr_iter;
use std::collections::VecDeque;
use std::io::IoSlice;

const HEADER: usize = 4;

pub(crate) struct Frames {
    max_payload: usize,
    /// Frames that the connection has begun with, oldest first.
    begun: VecDeque<Tally>,
    /// Of the newest.
    header: [u8; HEADER],
    /// Bytes of the newest that the connection took.
    written: usize,
    /// Bytes of all of them that it took.
    in_flight: usize,
}

impl Frames {
    pub(super) fn new(max_payload: usize) -> Self {
        let begun = VecDeque::new();
        Self { max_payload, begun, header: [0; HEADER], written: 0, in_flight: 0 }
    }

    /// A frame that is begun holds `most` bytes, or less, or one line.
    pub(super) fn next<'a>(
        &'a mut self,
        lines: &'a Consumer,
        most: usize,
        slices: &mut [IoSlice<'a>],
    ) -> usize {
        let newest = self.begun.back().copied().filter(|newest| self.written < length(newest));
        let Some(newest) = newest.or_else(|| self.begin(lines, most)) else { return 0 };
        let header = &self.header[self.written.min(HEADER)..];
        let mut left = length(&newest) - self.written - header.len();
        let payload = lines.runs().map(|run| {
            let here = &run[..left.min(run.len())];
            left -= here.len();
            here
        });
        let pieces = std::iter::once(header).chain(payload).filter(|piece| !piece.is_empty());
        slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    /// What is missing of the newest one's lines.
    pub(super) fn rest(&self) -> usize {
        let newest = self.begun.back().filter(|newest| self.written < length(newest));
        newest.map_or(0, |newest| length(newest) - self.written.max(HEADER))
    }

    fn begin(&mut self, lines: &Consumer, most: usize) -> Option<Tally> {
        let bytes = extent(lines.runs(), self.max_payload.min(most));
        if bytes == 0 {
            return None;
        }
        let mut left = bytes;
        let newlines = lines.runs().map_while(|run| {
            let here = &run[..left.min(run.len())];
            left -= here.len();
            (!here.is_empty()).then(|| memchr_iter(b'\n', here).count() as u64)
        });
        let frame = Tally { lines: newlines.sum(), bytes: bytes as u64 };
        // A line is no longer than a block, and a frame is the payload's limit or one line.
        self.header = u32::try_from(bytes).expect("a frame is short").to_le_bytes();
        self.written = 0;
        self.begun.push_back(frame);
        Some(frame)
    }

    /// Says how many of these bytes are lines'.
    pub(super) fn wrote(&mut self, count: usize) -> usize {
        let header = HEADER.saturating_sub(self.written).min(count);
        self.written += count;
        self.in_flight += count;
        count - header
    }

    pub(super) fn acknowledge(&mut self, unacknowledged: usize) -> Tally {
        let mut arrived = Tally::default();
        while let Some(oldest) = self.begun.front() {
            let length = length(oldest);
            if length + unacknowledged > self.in_flight {
                break;
            }
            self.in_flight -= length;
            arrived += *oldest;
            self.begun.pop_front();
        }
        arrived
    }
}

fn length(frame: &Tally) -> usize {
    HEADER + frame.bytes as usize
}

//! Frames: groups of lines, each after its length in bytes, as the Datadog Agent reads them from a
//! stream.
//!
//! A frame is a 32-bit little-endian length and as many bytes of whole lines (Datadog's
//! "DogStatsD over Unix Domain Socket", streams). A server drops an incomplete frame, so frames are
//! released whole.

use super::datagram::extent;
use crate::emit::Consumer;
use crate::tally::Tally;
use memchr::memchr_iter;
use std::collections::VecDeque;
use std::io::IoSlice;

const HEADER: usize = 4;

pub(crate) struct Frames {
    max_payload: usize,
    /// Sizes of the lines of each frame that was begun and is not released, oldest first.
    started: VecDeque<Tally>,
    /// Header of the newest frame.
    header: [u8; HEADER],
    /// Number of bytes of the newest frame that the connection took, with the header.
    written: usize,
    /// Number of bytes of all frames in `started` that the connection took, with the headers.
    in_flight: usize,
}

impl Frames {
    pub(super) fn new(max_payload: usize) -> Self {
        let started = VecDeque::new();
        Self { max_payload, started, header: [0; HEADER], written: 0, in_flight: 0 }
    }

    /// Fills `slices` with the rest of the incomplete frame, or with a new frame. Returns the
    /// number of slices filled. A new frame holds at most `max_bytes` of lines, but at least one
    /// line.
    pub(super) fn next<'a>(
        &'a mut self,
        lines: &'a Consumer,
        max_bytes: usize,
        slices: &mut [IoSlice<'a>],
    ) -> usize {
        let newest = self.incomplete().or_else(|| self.start(lines, max_bytes));
        let Some(newest) = newest else { return 0 };
        let header = &self.header[self.written.min(HEADER)..];
        let mut remaining = length(&newest) - self.written - header.len();
        let payload = lines.runs().map(|run| {
            let piece = &run[..remaining.min(run.len())];
            remaining -= piece.len();
            piece
        });
        let pieces = std::iter::once(header).chain(payload).filter(|piece| !piece.is_empty());
        slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    /// Returns the newest frame if the connection has not taken all of it.
    fn incomplete(&self) -> Option<Tally> {
        self.started.back().copied().filter(|newest| self.written < length(newest))
    }

    /// Returns the number of unsent bytes of lines of the newest frame.
    pub(super) fn unsent_in_newest(&self) -> usize {
        self.incomplete().map_or(0, |newest| length(&newest) - self.written.max(HEADER))
    }

    fn start(&mut self, lines: &Consumer, max_bytes: usize) -> Option<Tally> {
        let bytes = extent(lines.runs(), self.max_payload.min(max_bytes));
        if bytes == 0 {
            return None;
        }
        let mut remaining = bytes;
        let newlines = lines.runs().map_while(|run| {
            let piece = &run[..remaining.min(run.len())];
            remaining -= piece.len();
            (!piece.is_empty()).then(|| memchr_iter(b'\n', piece).count() as u64)
        });
        let frame = Tally { lines: newlines.sum(), bytes: bytes as u64 };
        let length = u32::try_from(bytes).expect("a frame is no longer than its limit or one line");
        self.header = length.to_le_bytes();
        self.written = 0;
        self.started.push_back(frame);
        Some(frame)
    }

    /// Records that the connection took `count` more bytes. Returns how many of them belong to
    /// lines.
    pub(super) fn on_written(&mut self, count: usize) -> usize {
        let header = HEADER.saturating_sub(self.written).min(count);
        self.written += count;
        self.in_flight += count;
        count - header
    }

    /// Releases the frames that arrived whole, given that all bytes except the last
    /// `unacknowledged` arrived. Returns the size of their lines.
    pub(super) fn acknowledge(&mut self, unacknowledged: usize) -> Tally {
        let mut arrived = Tally::default();
        while let Some(oldest) = self.started.front() {
            let length = length(oldest);
            if length + unacknowledged > self.in_flight {
                break;
            }
            self.in_flight -= length;
            arrived += *oldest;
            self.started.pop_front();
        }
        arrived
    }
}

/// Returns the length of a frame in bytes, with its header.
fn length(frame: &Tally) -> usize {
    HEADER + frame.bytes as usize
}

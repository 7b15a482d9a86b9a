//! Frames: groups of lines with a length prefix, as the Datadog Agent reads them from a Unix
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
    /// Number of lines and bytes in each frame that is begun and not yet acknowledged whole, oldest
    /// first.
    started: VecDeque<Tally>,
    /// Header of the newest frame: its length in bytes.
    header: [u8; HEADER],
    /// Number of bytes of the newest frame, with its header, that the socket has accepted.
    written: usize,
    /// Number of bytes of all frames in `started`, with their headers, that the socket has
    /// accepted.
    in_flight: usize,
}

impl Frames {
    pub(super) fn new(max_payload: usize) -> Self {
        let started = VecDeque::new();
        Self { max_payload, started, header: [0; HEADER], written: 0, in_flight: 0 }
    }

    /// Fills `slices` with the unsent rest of the newest frame, or else with a new frame of at most
    /// `max_bytes` of lines (but at least one line). Returns the number of slices filled.
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

    /// Returns the number of lines and bytes in the newest frame, if the socket has not accepted
    /// all of it yet.
    fn incomplete(&self) -> Option<Tally> {
        self.started.back().copied().filter(|newest| self.written < length(newest))
    }

    /// Returns the number of bytes of lines in the newest frame that are unsent. The frame's header
    /// does not count.
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

    /// Records that the socket has accepted `count` more bytes. Returns how many of them belong to
    /// lines, and not to a frame's header.
    pub(super) fn on_written(&mut self, count: usize) -> usize {
        let header = HEADER.saturating_sub(self.written).min(count);
        self.written += count;
        self.in_flight += count;
        count - header
    }

    /// Removes the frames that arrived whole, given that all bytes written except the last
    /// `unacknowledged` arrived. Returns the number of lines in these frames, and their bytes.
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

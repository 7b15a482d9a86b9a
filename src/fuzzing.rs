//! What the fuzz targets in `fuzz/` see of the inside: enough to drive it, no more.
//!
//! Compiled with `--cfg fuzzing`, which cargo-fuzz sets, and for nobody else.

use crate::handoff::{Exchange, Tally};
use crate::send;
use crate::{Connector, handoff};
use bytes::{Buf, BytesMut};
use std::io::IoSlice;

/// The flusher's side of a connector that is not running.
pub struct Consumer(handoff::Consumer);

impl Consumer {
    /// None if somebody has it, and for a disabled connector.
    pub fn of(connector: &Connector) -> Option<Self> {
        let inner = connector.inner()?;
        handoff::Consumer::claim(&inner.exchange).map(Self)
    }

    /// Takes what is published.
    pub fn sweep(&mut self) {
        self.0.sweep();
    }

    /// How many bytes were taken and not yet consumed.
    pub fn remaining(&self) -> usize {
        self.0.remaining() + self.0.in_flight()
    }

    /// Consumes what was taken, and returns it.
    pub fn consume(&mut self) -> Vec<u8> {
        let bytes = self.0.runs().collect::<Vec<_>>().concat();
        self.0.discard(bytes.len());
        bytes
    }

    /// What a broken connection left in flight is to be sent again.
    pub fn requeue(&mut self) {
        self.0.requeue();
    }
}

/// What one TCP connection has to know.
pub struct Stream(send::Stream);

impl Default for Stream {
    fn default() -> Self {
        Self(send::Stream::Lines)
    }
}

impl Stream {
    /// What it is to be given next, in at most so many slices.
    pub fn next(&mut self, lines: &Consumer, slices: usize) -> Vec<u8> {
        let mut slices = vec![IoSlice::new(&[]); slices];
        let filled = self.0.next(&lines.0, &mut slices);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    /// It took so many bytes more.
    pub fn wrote(&mut self, lines: &mut Consumer, count: usize) {
        let written = self.0.on_written(count);
        lines.0.advance(written);
    }

    /// All that it took was acknowledged, but for so many bytes: says which whole lines were
    /// let go of.
    pub fn acknowledge(&mut self, lines: &mut Consumer, unacknowledged: usize) -> Tally {
        let arrived = self.0.acknowledge(&lines.0, unacknowledged);
        lines.0.acknowledge(arrived.bytes as usize);
        arrived
    }
}

/// What one UDP socket needs.
#[derive(Default)]
pub struct Packer(BytesMut);

/// See `send::datagram::Datagram`.
pub struct Datagram<'a> {
    /// What goes out.
    pub payload: &'a [u8],
    /// How much of the runs it stands for.
    pub taken: usize,
    /// As it is counted.
    pub size: Tally,
}

impl Packer {
    /// The next datagram of these runs of whole lines.
    pub fn next<'a>(
        &'a mut self,
        runs: impl Iterator<Item = &'a [u8]> + Clone,
        max: usize,
    ) -> Option<Datagram<'a>> {
        let datagram = send::next_datagram(runs, max, &mut self.0)?;
        let size = datagram.size();
        let send::Datagram { payload, line_bytes, .. } = datagram;
        Some(Datagram { payload, taken: line_bytes, size })
    }
}

/// See `send::segments::Batch`.
pub struct Batch {
    /// What goes out.
    pub bytes: Vec<u8>,
    /// The length of each datagram, save the last.
    pub segment: usize,
    /// How many these are.
    pub segments: usize,
    /// As it is counted.
    pub size: Tally,
}

/// The next batch of these runs of whole lines, of at most `most` bytes.
pub fn next_batch<'a>(
    runs: impl Iterator<Item = &'a [u8]> + Clone,
    max: usize,
    most: usize,
) -> Option<Batch> {
    let send::Batch { pieces, segment, segments, size } = send::next_batch(runs, max, most)?;
    let bytes = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
    Some(Batch { bytes, segment, segments, size })
}

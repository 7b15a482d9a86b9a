//! Access to internals for the fuzz targets in `fuzz/`.
//!
//! Compiled only with `--cfg fuzzing`, which cargo-fuzz sets.

use crate::flush;
use crate::tally::Tally;
use crate::{Connector, emit};
use bytes::{Buf, BytesMut};
use std::io::IoSlice;

/// Consumer of a connector that is not running.
pub struct Consumer(emit::Consumer);

impl Consumer {
    /// Returns the consumer of the connector, or `None` if the consumer is in use or the connector is
    /// disabled.
    pub fn of(connector: &Connector) -> Option<Self> {
        let inner = connector.inner()?;
        emit::Consumer::claim(&inner.exchange).map(Self)
    }

    /// Sweeps the lines that producer threads have published, as the flusher does.
    pub fn sweep(&mut self) {
        self.0.sweep();
    }

    /// Returns the number of bytes that were swept and not yet released.
    pub fn remaining(&self) -> usize {
        self.0.remaining() + self.0.in_flight()
    }

    /// Releases and returns all unsent lines.
    pub fn consume(&mut self) -> Vec<u8> {
        let bytes = self.0.runs().collect::<Vec<_>>().concat();
        self.0.discard(bytes.len());
        bytes
    }

    /// Requeues the lines that a broken connection left in flight.
    pub fn requeue(&mut self) {
        self.0.requeue();
    }
}

/// Framing state of one TCP connection.
pub struct Stream(flush::Stream);

impl Default for Stream {
    fn default() -> Self {
        Self(flush::Stream::Lines)
    }
}

impl Stream {
    /// Returns the bytes to write next, from at most `max_slices` slices.
    pub fn next(&mut self, lines: &Consumer, max_slices: usize) -> Vec<u8> {
        let mut slices = vec![IoSlice::new(&[]); max_slices];
        let filled = self.0.next(&lines.0, &mut slices);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    /// Records that the connection accepted `count` more bytes.
    pub fn wrote(&mut self, lines: &mut Consumer, count: usize) {
        let written = self.0.on_written(count);
        lines.0.advance(written);
    }

    /// Records that all bytes written but the last `unacknowledged` were acknowledged. Returns the
    /// whole lines that this released.
    pub fn acknowledge(&mut self, lines: &mut Consumer, unacknowledged: usize) -> Tally {
        let arrived = self.0.acknowledge(&lines.0, unacknowledged);
        lines.0.acknowledge(arrived.bytes as usize);
        arrived
    }
}

/// Buffer in which the datagrams of one UDP socket are filled.
#[derive(Default)]
pub struct Packer(BytesMut);

/// A datagram: see `flush::packing::datagram::Datagram`.
pub struct Datagram<'a> {
    /// Payload as it is sent.
    pub payload: &'a [u8],
    /// Number of bytes of the lines that the datagram carries.
    pub taken: usize,
    /// Size of the lines, as the account counts them.
    pub size: Tally,
}

impl Packer {
    /// Returns the next datagram of these runs of whole lines. It has at most `max` bytes, unless a
    /// single line, or the pair of lines of a gauge, is longer.
    pub fn next<'a>(
        &'a mut self,
        runs: impl Iterator<Item = &'a [u8]> + Clone,
        max: usize,
    ) -> Option<Datagram<'a>> {
        let datagram = flush::next_datagram(runs, max, &mut self.0)?;
        let size = datagram.size();
        let flush::Datagram { payload, line_bytes, .. } = datagram;
        Some(Datagram { payload, taken: line_bytes, size })
    }
}

/// A batch of datagrams: see `flush::packing::segments::Batch`.
pub struct Batch {
    /// Payloads of all datagrams, joined.
    pub bytes: Vec<u8>,
    /// Length of each datagram except the last.
    pub segment: usize,
    /// Number of datagrams.
    pub segments: usize,
    /// Size of the lines, as the account counts them.
    pub size: Tally,
}

/// Returns the next batch of these runs of whole lines, of at most `max_batch` bytes, in datagrams of
/// at most `max` bytes.
pub fn next_batch<'a>(
    runs: impl Iterator<Item = &'a [u8]> + Clone,
    max: usize,
    max_batch: usize,
) -> Option<Batch> {
    let flush::Batch { pieces, segment, segments, size } = flush::next_batch(runs, max, max_batch)?;
    let bytes = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
    Some(Batch { bytes, segment, segments, size })
}

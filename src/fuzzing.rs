//! Access to internals for the fuzz targets in `fuzz/`.
//!
//! Compiled only with `--cfg fuzzing`, which cargo-fuzz sets.

use crate::flush;
use crate::tally::Tally;
use crate::{Connector, emit};
use bytes::{Buf, BytesMut};
use std::io::IoSlice;

/// Receiver of a connector's lines for a fuzz target, in place of the flusher task.
pub struct Consumer(emit::Consumer);

impl Consumer {
    /// Returns the receiver of the connector's lines, or `None` if another receiver exists or the
    /// connector is disabled.
    pub fn of(connector: &Connector) -> Option<Self> {
        let inner = connector.inner()?;
        emit::Consumer::claim(&inner.exchange).map(Self)
    }

    /// Collects the lines that producer threads have published since the last call, as the flusher
    /// does.
    pub fn sweep(&mut self) {
        self.0.sweep();
    }

    /// Returns the number of collected bytes that are not released yet: unsent bytes, and bytes in
    /// flight.
    pub fn remaining(&self) -> usize {
        self.0.remaining() + self.0.in_flight()
    }

    /// Removes and returns all collected lines that are not in flight.
    pub fn consume(&mut self) -> Vec<u8> {
        let bytes = self.0.runs().collect::<Vec<_>>().concat();
        self.0.discard(bytes.len());
        bytes
    }

    /// Marks the lines in flight as unsent again, as the flusher does after a broken connection.
    pub fn requeue(&mut self) {
        self.0.requeue();
    }
}

/// Framing state of one TCP connection, which selects the bytes to write and finds the acknowledged
/// lines.
pub struct Stream(flush::Stream);

impl Default for Stream {
    fn default() -> Self {
        Self(flush::Stream::Lines)
    }
}

impl Stream {
    /// Returns the bytes of `lines` to write next, from at most `max_slices` slices.
    pub fn next(&mut self, lines: &Consumer, max_slices: usize) -> Vec<u8> {
        let mut slices = vec![IoSlice::new(&[]); max_slices];
        let filled = self.0.next(&lines.0, &mut slices);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    /// Records that the connection has accepted `count` more bytes.
    pub fn wrote(&mut self, lines: &mut Consumer, count: usize) {
        let written = self.0.on_written(count);
        lines.0.advance(written);
    }

    /// Records that the server has acknowledged all written bytes except the last `unacknowledged`.
    /// Returns the count of the whole lines that are released by this.
    pub fn acknowledge(&mut self, lines: &mut Consumer, unacknowledged: usize) -> Tally {
        let arrived = self.0.acknowledge(&lines.0, unacknowledged);
        lines.0.acknowledge(arrived.bytes as usize);
        arrived
    }
}

/// Buffer in which the payload of one UDP datagram at a time is filled with lines.
#[derive(Default)]
pub struct Packer(BytesMut);

/// Datagram that a `Packer` has filled with lines, in a form that fuzz targets can check.
pub struct Datagram<'a> {
    /// Payload of the datagram as it is sent.
    pub payload: &'a [u8],
    /// Number of bytes of the lines in the datagram, including a final newline that the payload may
    /// omit.
    pub taken: usize,
    /// Number of the lines in the datagram, and of their bytes, as `Stats` counts them.
    pub size: Tally,
}

impl Packer {
    /// Returns the next datagram with lines from `runs`, which are slices of whole lines. The
    /// payload exceeds `max` bytes only for a single longer line, or the two lines of a negative
    /// gauge.
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

/// Batch of UDP datagrams for one system call, in a form that fuzz targets can check.
pub struct Batch {
    /// Concatenated payloads of all datagrams of the batch.
    pub bytes: Vec<u8>,
    /// Length in bytes of each datagram of the batch, except that the last datagram may be shorter.
    pub segment: usize,
    /// Number of datagrams in the batch.
    pub segments: usize,
    /// Number of the lines in the batch, and of their bytes, as `Stats` counts them.
    pub size: Tally,
}

/// Returns the next batch of datagrams with lines from `runs`, which are slices of whole lines. The
/// batch has at most `max_batch` bytes, and each datagram at most `max` bytes.
pub fn next_batch<'a>(
    runs: impl Iterator<Item = &'a [u8]> + Clone,
    max: usize,
    max_batch: usize,
) -> Option<Batch> {
    let flush::Batch { pieces, segment, segments, size } = flush::next_batch(runs, max, max_batch)?;
    let bytes = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
    Some(Batch { bytes, segment, segments, size })
}

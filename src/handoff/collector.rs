//! The collector: the flusher's end of the exchange.
//!
//! A sweep takes what the threads have published; what was taken lies in order as one
//! run of bytes, whole lines, until it is consumed from the front. A block goes back to
//! the threads when its last byte was consumed, and not before: nothing is copied, and
//! what could not be sent is still there.

use super::block::{Glimpse, Reader, Sealed};
use super::exchange::Exchange;
use crate::sync::{Arc, Watch};
use bytes::Buf;
use std::collections::VecDeque;
use std::io::IoSlice;

/// What the flusher keeps between runs: stop parks it, start takes it up again.
pub(crate) struct Desk {
    reader: Reader,
    /// Taken and not yet consumed, oldest first.
    chunks: VecDeque<Chunk>,
    remaining: usize,
    /// Bytes consumed since the beginning.
    consumed: u64,
    /// Reused by each sweep.
    notes: Vec<(Glimpse, usize)>,
    /// Of the desk itself: one flusher at a time has it, ordered by its mutex.
    watch: Watch,
}

/// Consecutive lines of one block.
struct Chunk {
    glimpse: Glimpse,
    from: usize,
    to: usize,
    /// The block's last lines carry the right to recycle it.
    last: Option<Sealed>,
}

impl Desk {
    pub(super) fn new(reader: Reader) -> Self {
        let (chunks, notes, watch) = (VecDeque::new(), Vec::new(), Watch::new(1));
        Self { reader, chunks, remaining: 0, consumed: 0, notes, watch }
    }

    /// Lets go of chunks at the front that have nothing left.
    fn settle(&mut self, exchange: &Exchange) {
        while self.chunks.front().is_some_and(|chunk| chunk.from == chunk.to) {
            let done = self.chunks.pop_front().expect("there is a front");
            if let Some(sealed) = done.last {
                let pushed = exchange.free.push(sealed.recycle(&mut self.reader));
                assert!(pushed.is_ok(), "the queue has a slot for every block");
            }
        }
    }
}

pub(crate) struct Collector {
    exchange: Arc<Exchange>,
    /// Taken only when the collector is dropped.
    desk: Option<Desk>,
}

impl Collector {
    pub(super) fn new(exchange: Arc<Exchange>, desk: Desk) -> Self {
        Self { exchange, desk: Some(desk) }
    }

    fn desk(&self) -> &Desk {
        let desk = self.desk.as_ref().expect("taken only on drop");
        desk.watch.reads(0, 1);
        desk
    }

    fn parts(&mut self) -> (&Exchange, &mut Desk) {
        let desk = self.desk.as_mut().expect("taken only on drop");
        desk.watch.writes(0, 1);
        (&self.exchange, desk)
    }

    /// Whether the flusher may sleep until it is woken: not if a thread asked for it since
    /// the last sweep.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.exchange.bell.fall_asleep()
    }

    /// Takes all lines published by now. Lines of one thread keep their order: part-filled
    /// blocks are noted before the queue is drained, and sent after what was in it. A thread
    /// that turned to a new block in between has its noted one in the queue; its newer lines
    /// wait for the next sweep.
    pub(crate) fn sweep(&mut self) {
        let (exchange, desk) = self.parts();
        exchange.bell.answer();
        for lane in exchange.lanes.iter() {
            let glimpse = lane.window.look();
            desk.notes.push((glimpse, glimpse.published()));
        }
        while let Some(sealed) = exchange.sealed.pop() {
            let glimpse = sealed.glimpse();
            let to = glimpse.published();
            let from = glimpse.take_up_to(&mut desk.reader, to);
            desk.remaining += to - from;
            desk.chunks.push_back(Chunk { glimpse, from, to, last: Some(sealed) });
        }
        while let Some((glimpse, to)) = desk.notes.pop() {
            let from = glimpse.take_up_to(&mut desk.reader, to);
            if from < to {
                desk.remaining += to - from;
                desk.chunks.push_back(Chunk { glimpse, from, to, last: None });
            }
        }
        desk.settle(exchange);
    }

    /// All that was taken and not yet consumed, run by run.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let desk = self.desk();
        let chunks = desk.chunks.iter().filter(|chunk| chunk.from < chunk.to);
        chunks.map(|chunk| chunk.bytes(&desk.reader))
    }

    /// Bytes consumed since the beginning, whoever collected them.
    pub(crate) fn consumed(&self) -> u64 {
        self.desk().consumed
    }
}

/// What was taken and not yet consumed. Each run holds whole lines; to advance is to let go
/// of what was sent, or given up and accounted for.
impl Buf for Collector {
    fn remaining(&self) -> usize {
        self.desk().remaining
    }

    fn chunk(&self) -> &[u8] {
        let desk = self.desk();
        desk.chunks.front().map_or(&[], |chunk| chunk.bytes(&desk.reader))
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        slices.iter_mut().zip(self.runs()).map(|(slice, run)| *slice = IoSlice::new(run)).count()
    }

    fn advance(&mut self, count: usize) {
        let (exchange, desk) = self.parts();
        assert!(count <= desk.remaining, "advanced beyond what was taken");
        desk.remaining -= count;
        desk.consumed += count as u64;
        let mut left = count;
        while left > 0 {
            let chunk = desk.chunks.front_mut().expect("as many bytes as remain");
            let here = left.min(chunk.to - chunk.from);
            chunk.from += here;
            left -= here;
            desk.settle(exchange);
        }
    }
}

impl Chunk {
    fn bytes<'r>(&self, reader: &'r Reader) -> &'r [u8] {
        self.glimpse.bytes(reader, self.from, self.to)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let mut place = self.exchange.desk.lock().unwrap_or_else(|poison| poison.into_inner());
        *place = self.desk.take();
    }
}

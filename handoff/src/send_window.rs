//! Send window: the bytes swept out of the blocks and not released yet, oldest first.
//!
//! ```text
//!   | quarantined | in flight: sent on the link | unsent |
//! ```
//!
//! Bytes in flight are acknowledged once they have arrived, or are counted as lost. Then their
//! blocks go back to the threads. When a link breaks, its bytes in flight are requeued: they are
//! unsent again. Quarantined bytes are records that seem to make a server close its connection. They
//! keep their place, and are skipped until they are discarded or the quarantine ends.

use crate::block::{BlockView, BlockWriter, ReadPermit, SealedBlock};
use std::collections::VecDeque;

#[cfg(test)]
mod tests;

#[derive(Default)]
pub(crate) struct SendWindow {
    chunks: VecDeque<Chunk>,
    quarantined: usize,
    in_flight: usize,
    unsent: usize,
    /// Start of the unsent bytes: the index of a chunk, and an offset in it.
    unsent_start: (usize, usize),
    /// Bytes released since the beginning.
    consumed: u64,
    /// Bytes swept since the beginning.
    swept: u64,
}

/// Consecutive records of one block.
struct Chunk {
    view: BlockView,
    from: usize,
    to: usize,
    /// The right to recycle the block, in the chunk of its last records.
    sealed: Option<SealedBlock>,
    /// True if the records were evicted. The chunk keeps its place, so that `consumed` counts in
    /// order.
    evicted: bool,
}

impl Chunk {
    fn len(&self) -> usize {
        self.to - self.from
    }

    fn is_live(&self) -> bool {
        !self.evicted && self.from < self.to
    }

    fn bytes<'r>(&self, permit: &'r ReadPermit, skip: usize) -> &'r [u8] {
        self.view.bytes(permit, self.from + skip, self.to)
    }
}

impl SendWindow {
    /// Adds swept bytes of a block, from the offset `from` to the offset `to`.
    pub(crate) fn push(
        &mut self,
        view: BlockView,
        from: usize,
        to: usize,
        sealed: Option<SealedBlock>,
    ) {
        self.unsent += to - from;
        self.swept += (to - from) as u64;
        self.chunks.push_back(Chunk { view, from, to, sealed, evicted: false });
    }

    pub(crate) fn unsent(&self) -> usize {
        self.unsent
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(crate) fn quarantined(&self) -> usize {
        self.quarantined
    }

    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(crate) fn swept(&self) -> u64 {
        self.swept
    }

    /// Returns the number of chunks.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Returns the number of full blocks that are not recycled yet.
    pub(crate) fn blocks(&self) -> usize {
        self.chunks.iter().filter(|chunk| chunk.sealed.is_some()).count()
    }

    /// Returns the unsent bytes, run by run.
    pub(crate) fn unsent_runs<'r>(
        &self,
        permit: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> + Clone {
        let (first, offset) = self.unsent_start;
        let chunks = self.chunks.range(first.min(self.chunks.len())..).enumerate();
        let live = chunks.filter(|(_, chunk)| chunk.is_live());
        live.map(move |(index, chunk)| chunk.bytes(permit, if index == 0 { offset } else { 0 }))
    }

    /// Returns the bytes in flight, run by run.
    pub(crate) fn in_flight_runs<'r>(
        &self,
        permit: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> {
        self.runs(self.quarantined, self.in_flight, permit)
    }

    /// Returns the quarantined bytes, run by run.
    pub(crate) fn quarantined_runs<'r>(
        &self,
        permit: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> {
        self.runs(0, self.quarantined, permit)
    }

    /// Returns `count` bytes after the first `skip`, run by run. None of them may be unsent.
    fn runs<'r>(
        &self,
        mut skip: usize,
        mut count: usize,
        permit: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> {
        let runs = self.chunks.iter().filter(|chunk| chunk.is_live()).map_while(move |chunk| {
            let skipped = skip.min(chunk.len());
            let len = count.min(chunk.len() - skipped);
            (skip, count) = (skip - skipped, count - len);
            (skipped + len > 0).then(|| &chunk.bytes(permit, 0)[skipped..skipped + len])
        });
        runs.filter(|run| !run.is_empty())
    }

    /// Marks the first `count` unsent bytes as sent: they are in flight from then on.
    pub(crate) fn mark_sent(&mut self, count: usize) {
        assert!(count <= self.unsent, "more bytes sent than were unsent");
        self.advance(count);
        self.in_flight += count;
    }

    /// Moves the start of the unsent bytes by `count` bytes.
    fn advance(&mut self, count: usize) {
        self.unsent -= count;
        let (mut index, mut offset) = self.unsent_start;
        let mut remaining = count;
        while remaining > 0 {
            let chunk = &self.chunks[index];
            let len = if chunk.evicted { 0 } else { remaining.min(chunk.len() - offset) };
            offset += len;
            remaining -= len;
            if chunk.evicted || offset == chunk.len() {
                (index, offset) = (index + 1, 0);
            }
        }
        self.unsent_start = (index, offset);
    }

    /// Makes all bytes in flight unsent again.
    pub(crate) fn requeue(&mut self) {
        self.unsent += self.quarantined + self.in_flight;
        self.in_flight = 0;
        self.unsent_start = (0, 0);
        self.advance(self.quarantined);
    }

    /// Quarantines the first `count` unsent bytes, while nothing is in flight.
    pub(crate) fn quarantine(&mut self, count: usize) {
        assert!(count <= self.unsent && self.in_flight == 0, "more bytes quarantined than unsent");
        self.advance(count);
        self.quarantined += count;
    }

    /// Makes quarantined bytes unsent again, and bytes in flight with them.
    pub(crate) fn end_quarantine(&mut self) {
        self.in_flight += std::mem::take(&mut self.quarantined);
        self.requeue();
    }

    /// Releases the bytes that [`quarantine`](Self::quarantine) set aside, and keeps all others.
    pub(crate) fn discard_quarantined(
        &mut self,
        permit: &mut ReadPermit,
        give_back: impl FnMut(BlockWriter),
    ) {
        let count = std::mem::take(&mut self.quarantined);
        self.in_flight += count;
        self.acknowledge(count, permit, give_back);
    }

    /// Releases the first `count` bytes in flight. Nothing may be quarantined, since it would be
    /// older.
    pub(crate) fn acknowledge(
        &mut self,
        count: usize,
        permit: &mut ReadPermit,
        give_back: impl FnMut(BlockWriter),
    ) {
        assert!(count <= self.in_flight, "more bytes acknowledged than are in flight");
        assert!(count == 0 || self.quarantined == 0, "acknowledged before older bytes");
        self.in_flight -= count;
        let mut remaining = count;
        let mut index = 0;
        while remaining > 0 {
            let chunk = &mut self.chunks[index];
            if chunk.evicted {
                index += 1;
                continue;
            }
            let len = remaining.min(chunk.len());
            chunk.from += len;
            self.consumed += len as u64;
            remaining -= len;
            if self.unsent_start.0 == index {
                self.unsent_start.1 -= len;
            }
            index += 1;
        }
        self.release(permit, give_back);
    }

    /// Evicts the oldest contiguous unsent records after the first `committed` unsent bytes.
    ///
    /// `count_lost` sees them first. Returns false if there are none.
    pub(crate) fn evict(
        &mut self,
        committed: usize,
        permit: &mut ReadPermit,
        count_lost: impl FnOnce(&[u8]),
        mut give_back: impl FnMut(BlockWriter),
    ) -> bool {
        let (first, sent) = self.unsent_start;
        let mut kept = sent + committed;
        let is_evictable = |index: &usize| {
            let chunk = &self.chunks[*index];
            let is_behind = kept == 0;
            kept = kept.saturating_sub(if chunk.is_live() { chunk.len() } else { 0 });
            is_behind && chunk.is_live()
        };
        let Some(index) = (first..self.chunks.len()).find(is_evictable) else { return false };
        let chunk = &mut self.chunks[index];
        count_lost(chunk.bytes(permit, 0));
        self.unsent -= chunk.len();
        chunk.evicted = true;
        let block = chunk.view;
        let is_last = |chunk: &Chunk| chunk.view == block && chunk.sealed.is_some();
        if let Some(last) = (index..self.chunks.len()).find(|index| is_last(&self.chunks[*index])) {
            self.recycle_if_spent(last, permit, &mut give_back);
        }
        self.merge_gap(index);
        self.release(permit, give_back);
        true
    }

    /// Gives back full blocks whose bytes were all released before the sweep that found them full.
    ///
    /// Their last chunks are empty, and are at the index `first` or later. Older chunks may keep
    /// them from the front of the window.
    pub(crate) fn recycle_spent(
        &mut self,
        first: usize,
        permit: &mut ReadPermit,
        mut give_back: impl FnMut(BlockWriter),
    ) {
        for index in (first..self.chunks.len()).rev() {
            if self.chunks[index].len() == 0 {
                self.recycle_if_spent(index, permit, &mut give_back);
            }
        }
    }

    /// Gives back the block that ends with the chunk at `last`, unless the window holds bytes of
    /// it. The chunk becomes a gap.
    fn recycle_if_spent(
        &mut self,
        last: usize,
        permit: &mut ReadPermit,
        give_back: &mut impl FnMut(BlockWriter),
    ) {
        let block = self.chunks[last].view;
        let is_in_use = |chunk: &Chunk| chunk.is_live() && chunk.view == block;
        if self.chunks.iter().rev().any(is_in_use) {
            return;
        }
        let chunk = &mut self.chunks[last];
        if let Some(sealed) = chunk.sealed.take() {
            give_back(sealed.recycle(permit));
        }
        chunk.evicted = true;
        if chunk.len() == 0 {
            self.merge_gap(last);
        }
    }

    /// Merges an evicted chunk into the evicted chunk before it. This limits the number of gaps while
    /// the oldest chunk awaits acknowledgement.
    fn merge_gap(&mut self, index: usize) {
        let Some(previous) = index.checked_sub(1) else { return };
        let is_gap = |chunk: &Chunk| chunk.evicted && chunk.sealed.is_none();
        if previous >= self.unsent_start.0
            && is_gap(&self.chunks[previous])
            && is_gap(&self.chunks[index])
        {
            self.chunks[previous].to += self.chunks[index].len();
            self.chunks.remove(index);
        }
    }

    /// Removes chunks without bytes from the front, and gives back their blocks.
    pub(crate) fn release(
        &mut self,
        permit: &mut ReadPermit,
        mut give_back: impl FnMut(BlockWriter),
    ) {
        while self.chunks.front().is_some_and(|chunk| !chunk.is_live()) {
            let spent = self.chunks.pop_front().expect("the window has a front chunk");
            // The bytes of an evicted chunk, which were not counted before. Others have none here.
            self.consumed += spent.len() as u64;
            let (index, offset) = self.unsent_start;
            self.unsent_start = index.checked_sub(1).map_or((0, 0), |index| (index, offset));
            if let Some(sealed) = spent.sealed {
                give_back(sealed.recycle(permit));
            }
        }
    }
}

//! Send window: list of the bytes that the consumer has taken out of the producers' blocks and not
//! yet released, oldest first.
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
    /// Position of the first unsent byte: the index of its chunk (range of records) in `chunks`,
    /// and the offset in this chunk.
    unsent_start: (usize, usize),
    /// Number of bytes that consumers have released since the exchange was created. Released bytes
    /// were acknowledged, discarded or evicted (dropped unsent).
    consumed: u64,
    /// Number of bytes that consumers have taken from the blocks since the exchange was created.
    swept: u64,
}

/// Entry of the send window: a contiguous range of records in one block.
struct Chunk {
    view: BlockView,
    from: usize,
    to: usize,
    /// Right to reuse the block, once its bytes are released. Only one of a full block's chunks
    /// (ranges of records) holds it: the chunk with the last records.
    sealed: Option<SealedBlock>,
    /// True if the records of this chunk were evicted (dropped unsent). The chunk stays in the list
    /// of chunks until all older ones are released, so that `consumed` counts in order.
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
    /// Adds the bytes of a block from the offset `from` to the offset `to` to the unsent bytes.
    /// `sealed` is the right to reuse the block later, if the block is full.
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

    /// Returns the number of chunks (ranges of records) in the send window, the list of bytes taken
    /// and not yet released.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Returns the number of full blocks that the consumer has taken and not yet given back for
    /// reuse.
    pub(crate) fn blocks(&self) -> usize {
        self.chunks.iter().filter(|chunk| chunk.sealed.is_some()).count()
    }

    /// Returns the unsent bytes as a sequence of contiguous slices.
    pub(crate) fn unsent_runs<'r>(
        &self,
        permit: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> + Clone {
        let (first, offset) = self.unsent_start;
        let chunks = self.chunks.range(first.min(self.chunks.len())..).enumerate();
        let live = chunks.filter(|(_, chunk)| chunk.is_live());
        live.map(move |(index, chunk)| chunk.bytes(permit, if index == 0 { offset } else { 0 }))
    }

    /// Returns the bytes in flight (sent, but not yet acknowledged) as a sequence of contiguous
    /// slices.
    pub(crate) fn in_flight_runs<'r>(
        &self,
        permit: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> {
        self.runs(self.quarantined, self.in_flight, permit)
    }

    /// Returns the quarantined bytes (records that are set aside from sending) as a sequence of
    /// contiguous slices.
    pub(crate) fn quarantined_runs<'r>(
        &self,
        permit: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> {
        self.runs(0, self.quarantined, permit)
    }

    /// Returns `count` bytes that the consumer has taken and not released, after the oldest `skip`
    /// of them, as a sequence of contiguous slices. The returned range must not include unsent
    /// bytes.
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

    /// Marks the first `count` unsent bytes as sent: they are in flight until they are
    /// acknowledged.
    pub(crate) fn mark_sent(&mut self, count: usize) {
        assert!(count <= self.unsent, "more bytes sent than were unsent");
        self.advance(count);
        self.in_flight += count;
    }

    /// Moves the position of the first unsent byte forward by `count` bytes. Evicted (dropped)
    /// records are passed over and not counted.
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

    /// Marks all bytes in flight (sent, but not acknowledged) as unsent again, so that they are
    /// sent on the next connection.
    pub(crate) fn requeue(&mut self) {
        self.unsent += self.quarantined + self.in_flight;
        self.in_flight = 0;
        self.unsent_start = (0, 0);
        self.advance(self.quarantined);
    }

    /// Sets aside (quarantines) the first `count` unsent bytes, so that sending skips them. No
    /// bytes may be in flight.
    pub(crate) fn quarantine(&mut self, count: usize) {
        assert!(count <= self.unsent && self.in_flight == 0, "more bytes quarantined than unsent");
        self.advance(count);
        self.quarantined += count;
    }

    /// Marks all quarantined bytes (set aside from sending) and all bytes in flight as unsent
    /// again.
    pub(crate) fn end_quarantine(&mut self) {
        self.in_flight += std::mem::take(&mut self.quarantined);
        self.requeue();
    }

    /// Releases the bytes that [`quarantine`](Self::quarantine) has set aside, without sending
    /// them. Bytes in flight and unsent bytes are kept.
    pub(crate) fn discard_quarantined(
        &mut self,
        permit: &mut ReadPermit,
        give_back: impl FnMut(BlockWriter),
    ) {
        let count = std::mem::take(&mut self.quarantined);
        self.in_flight += count;
        self.acknowledge(count, permit, give_back);
    }

    /// Releases the first `count` bytes in flight. No bytes may be quarantined (set aside), since
    /// quarantined bytes are older and must be released first.
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

    /// Drops (evicts) the oldest contiguous unsent records after the first `committed` unsent
    /// bytes, so that their block can be reused.
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
        let mut kept = sent.saturating_add(committed);
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

    /// Gives full blocks back for reuse if all their bytes were released or evicted (dropped)
    /// before the consumer found the blocks full.
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

    /// Gives the block of the chunk (range of records) at the index `last` back for reuse, and
    /// marks this chunk as evicted (dropped). Does nothing if the block still has unreleased bytes.
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

    /// Merges the evicted (dropped) chunk at `index` into the chunk before it, if the latter is
    /// evicted too. This limits the length of the list of chunks while its oldest chunk waits for
    /// an acknowledgement.
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

    /// Removes the oldest chunks (ranges of records) that have no unreleased bytes, and gives their
    /// full blocks back for reuse.
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

//! The outbox: the swept lines, together with the account of what becomes of them.
//!
//! Each method that releases lines also counts them, so that the account always balances.

use crate::emit::Consumer;
use crate::stats::Account;
use crate::tally::Tally;
use bytes::Buf;
use memchr::memchr_iter;
use std::sync::Arc;

/// Lines between the sweep and their release: unsent, in flight or quarantined.
pub(super) struct Outbox {
    consumer: Consumer,
    account: Arc<Account>,
}

/// Reasons for which a link discards lines.
#[derive(Clone, Copy)]
pub(super) enum Loss {
    /// UDP: no process listens at the server's port.
    Refused,
    /// A single line is longer than a datagram can be.
    TooLong,
}

impl Outbox {
    pub(super) fn new(consumer: Consumer, account: Arc<Account>) -> Self {
        Self { consumer, account }
    }

    /// Returns the consumer that holds the lines, for reading.
    pub(super) fn lines(&self) -> &Consumer {
        &self.consumer
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.consumer.has_remaining()
    }

    /// Returns the number of unsent bytes.
    pub(super) fn unsent(&self) -> usize {
        self.consumer.remaining()
    }

    /// Returns the number of bytes that the link took and that are neither released nor requeued.
    pub(super) fn in_flight(&self) -> usize {
        self.consumer.in_flight()
    }

    /// Returns true if lines are quarantined.
    pub(super) fn has_quarantined(&self) -> bool {
        self.consumer.quarantined() > 0
    }

    /// Returns the offset of the first unsent byte, among all bytes swept since the connector was
    /// built.
    pub(super) fn offset(&self) -> u64 {
        let Self { consumer, .. } = self;
        consumer.consumed() + (consumer.quarantined() + consumer.in_flight()) as u64
    }

    /// Sweeps the lines that the producer threads have published.
    pub(super) fn sweep(&mut self) {
        self.consumer.sweep();
    }

    /// Moves records out of the ordered queue without a sweep, so that the queue has room again.
    pub(super) fn drain_ordered(&mut self) {
        self.consumer.drain_ordered();
    }

    /// Marks the first `bytes` unsent bytes as in flight.
    pub(super) fn mark_sent(&mut self, bytes: usize) {
        self.consumer.advance(bytes);
    }

    /// Releases the oldest lines in flight, of this size, and counts them as sent.
    pub(super) fn acknowledge(&mut self, size: Tally) {
        self.account.sent.add(size);
        self.consumer.acknowledge(size.bytes as usize);
    }

    /// Releases the oldest lines in flight, of this size, and counts them as lost.
    pub(super) fn lose_in_flight(&mut self, reason: Loss, size: Tally) {
        self.loss(reason).add(size);
        self.consumer.acknowledge(size.bytes as usize);
    }

    /// Releases the oldest unsent lines, of this size, and counts them as lost. Nothing may be in
    /// flight.
    pub(super) fn lose_unsent(&mut self, reason: Loss, size: Tally) {
        self.loss(reason).add(size);
        self.consumer.discard(size.bytes as usize);
    }

    fn loss(&self, reason: Loss) -> &crate::tally::LineTally {
        match reason {
            Loss::Refused => &self.account.refused,
            Loss::TooLong => &self.account.too_long,
        }
    }

    /// Makes the lines in flight unsent again.
    pub(super) fn requeue(&mut self) {
        self.consumer.requeue();
    }

    /// Quarantines the first `bytes` unsent bytes, which are whole lines. Nothing may be in flight.
    pub(super) fn quarantine(&mut self, bytes: usize) {
        self.consumer.quarantine(bytes);
    }

    /// Makes the quarantined lines, and with them the lines in flight, unsent again.
    pub(super) fn end_quarantine(&mut self) {
        self.consumer.end_quarantine();
    }

    /// Releases the quarantined lines, if there are any, and counts them as rejected.
    pub(super) fn reject_quarantined(&mut self) {
        if !self.has_quarantined() {
            return;
        }
        let account = &self.account;
        self.consumer.discard_quarantined(|runs| {
            let bytes = || runs.iter().flat_map(|run| run.iter().copied());
            let newlines = bytes().filter(|byte| *byte == b'\n').count() as u64;
            let size = runs.iter().map(|run| run.len() as u64).sum();
            let first = bytes().take_while(|byte| *byte != b'\n');
            account.reject(Tally { lines: newlines, bytes: size }, first);
        });
    }

    /// Evicts the oldest unsent lines until at most `max_blocks` full blocks are swept. The first
    /// `committed` unsent bytes are kept.
    pub(super) fn evict_to_limit(&mut self, max_blocks: usize, committed: usize) {
        let evicted = &self.account.evicted;
        let count = |run: &[u8]| {
            let lines = memchr_iter(b'\n', run).count() as u64;
            evicted.add(Tally { lines, bytes: run.len() as u64 });
        };
        while self.consumer.blocks() > max_blocks && self.consumer.evict(committed, count) {}
    }

    #[cfg(test)]
    pub(super) fn consumer_mut(&mut self) -> &mut Consumer {
        &mut self.consumer
    }
}

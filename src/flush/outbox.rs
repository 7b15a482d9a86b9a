//! The outbox: the lines that the flusher has taken from the producer threads, and the counts of
//! those sent or lost.
//!
//! Each method that releases lines also counts them, so that the account always balances.

use crate::emit::Consumer;
use crate::flush::account::Account;
use crate::tally::Tally;
use bytes::Buf;
use memchr::memchr_iter;
use std::sync::Arc;

/// Lines that the flusher has taken from the producer threads and must still keep. They are unsent,
/// in flight, or quarantined (set aside because the server seems to close connections on them).
pub(super) struct Outbox {
    consumer: Consumer,
    account: Arc<Account>,
}

/// Reason for which the flusher counts a line as lost when it sends datagrams.
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

    /// Returns the consumer, which takes lines from the producer threads and holds them until they
    /// are sent or lost.
    pub(super) fn lines(&self) -> &Consumer {
        &self.consumer
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.consumer.has_remaining()
    }

    /// Returns the number of unsent bytes, which the flusher has taken from the producer threads
    /// and must still pass to the operating system. Quarantined (set aside) lines do not count.
    pub(super) fn unsent(&self) -> usize {
        self.consumer.remaining()
    }

    /// Returns the number of bytes in flight: the operating system has accepted them, but they do
    /// not count as sent or lost yet.
    pub(super) fn in_flight(&self) -> usize {
        self.consumer.in_flight()
    }

    /// Returns true if lines are quarantined: set aside because the server seems to close
    /// connections on them.
    pub(super) fn has_quarantined(&self) -> bool {
        self.consumer.quarantined() > 0
    }

    /// Returns the offset of the first unsent byte, counted over all bytes that the producer
    /// threads have handed to the flusher since the client was built.
    pub(super) fn offset(&self) -> u64 {
        let Self { consumer, .. } = self;
        consumer.consumed() + (consumer.quarantined() + consumer.in_flight()) as u64
    }

    /// Takes all lines that the producer threads have published, and appends them to the unsent
    /// lines.
    pub(super) fn sweep(&mut self) {
        self.consumer.sweep();
    }

    /// Takes only the lines in the ordered queue (gauges and service checks), so that the queue has
    /// room again.
    pub(super) fn drain_ordered(&mut self) {
        self.consumer.drain_ordered();
    }

    /// Marks the first `bytes` unsent bytes as in flight, after the operating system has accepted
    /// them.
    pub(super) fn mark_sent(&mut self, bytes: usize) {
        self.consumer.advance(bytes);
    }

    /// Counts the oldest lines in flight as sent and releases their memory. `size` is their number
    /// and their bytes.
    pub(super) fn acknowledge(&mut self, size: Tally) {
        self.account.sent.add(size);
        self.consumer.acknowledge(size.bytes as usize);
    }

    /// Counts the oldest lines in flight as lost and releases their memory. `size` is their number
    /// and their bytes.
    pub(super) fn lose_in_flight(&mut self, reason: Loss, size: Tally) {
        self.loss(reason).add(size);
        self.consumer.acknowledge(size.bytes as usize);
    }

    /// Counts the oldest unsent lines as lost and releases their memory. `size` is their number and
    /// their bytes. Nothing may be in flight.
    pub(super) fn lose_unsent(&mut self, reason: Loss, size: Tally) {
        self.loss(reason).add(size);
        self.consumer.discard(size.bytes as usize);
    }

    fn loss(&self, reason: Loss) -> &crate::line_tally::LineTally {
        match reason {
            Loss::Refused => &self.account.refused,
            Loss::TooLong => &self.account.too_long,
        }
    }

    /// Makes the lines in flight unsent again, so that they are sent once more.
    pub(super) fn requeue(&mut self) {
        self.consumer.requeue();
    }

    /// Quarantines (sets aside) the first `bytes` unsent bytes: whole lines on which the server
    /// seems to close connections. Nothing may be in flight.
    pub(super) fn quarantine(&mut self, bytes: usize) {
        self.consumer.quarantine(bytes);
    }

    /// Makes the quarantined lines (set aside because the server seems to close connections on
    /// them) unsent again, and also the lines in flight.
    pub(super) fn end_quarantine(&mut self) {
        self.consumer.end_quarantine();
    }

    /// Discards the quarantined lines (set aside because the server seems to close connections on
    /// them), and counts them as rejected by the server. Does nothing if there are none.
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

    /// Evicts (discards and counts) the oldest unsent lines until the flusher holds at most
    /// `max_blocks` full blocks of lines. Keeps the first `committed` unsent bytes, the rest of a
    /// length-prefixed frame that is already begun.
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

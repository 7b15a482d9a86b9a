//! The outbox: the lines that the flusher has taken from the producer threads, and the counts of
//! those sent or lost.
//!
//! Each method that releases lines also counts them, so that the account always balances.

use crate::emit::Consumer;
use crate::flush::account::Account;
use crate::flush::coalescing::Coalescing;
use crate::flush::shared::Shared;
use crate::tally::Tally;
use bytes::Buf;
use memchr::memchr_iter;
use std::sync::Arc;

/// Lines that the flusher has taken from the producer threads and must still keep. They are unsent,
/// in flight, or quarantined (set aside because the server seems to close connections on them).
pub(super) struct Outbox {
    /// Lines that are sent: those of the producer threads, or with coalescing the merged ones.
    consumer: Consumer,
    /// Lines of the producer threads, if they are merged before they are sent. It is dropped after the
    /// merged ones: whoever has the former can then claim the latter.
    coalescing: Option<Box<Coalescing>>,
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
        Self { consumer, coalescing: None, account }
    }

    /// Creates the outbox of a flusher, which merges lines if its settings say so. `lines` are those of
    /// the producer threads.
    pub(super) fn of(shared: &Shared, lines: Consumer) -> Self {
        let account = Arc::clone(&shared.account);
        let (Some(config), Some(merged)) = (&shared.settings.coalescing, &shared.merged) else {
            return Self::new(lines, account);
        };
        let consumer = Consumer::claim(merged).expect("claimed together with the threads' lines");
        let coalescing = Some(Box::new(Coalescing::new(lines, &consumer, config)));
        Self { consumer, coalescing, account }
    }

    /// Returns the lines to be sent, and those that are sent and neither acknowledged nor lost.
    pub(super) fn lines(&self) -> &Consumer {
        &self.consumer
    }

    /// Returns the consumer that takes lines from the producer threads.
    pub(super) fn input(&self) -> &Consumer {
        self.coalescing.as_ref().map_or(&self.consumer, |coalescing| coalescing.input())
    }

    fn input_mut(&mut self) -> &mut Consumer {
        match &mut self.coalescing {
            Some(coalescing) => coalescing.input_mut(),
            None => &mut self.consumer,
        }
    }

    /// Returns true if all lines taken from the producer threads are sent, except those quarantined.
    pub(super) fn is_all_sent(&self) -> bool {
        !self.has_unsent() && !self.input().has_remaining()
    }

    /// Returns true if the flusher may take more lines from the producer threads: all lines taken so
    /// far are sent.
    pub(super) fn is_ready_to_sweep(&self) -> bool {
        !self.has_unsent() && self.input().is_ready_to_sweep()
    }

    /// Returns the number of bytes that producer threads have emitted before the first line that is
    /// neither sent nor lost.
    pub(super) fn released(&self) -> u64 {
        match &self.coalescing {
            Some(coalescing) => coalescing.released(&self.consumer),
            None => self.consumer.consumed(),
        }
    }

    /// Returns an estimate of the number of bytes that wait to be sent.
    pub(super) fn backlog(&self) -> usize {
        let merged = self.coalescing.as_ref().map_or(0, |_| self.unsent());
        self.input().backlog() + merged
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

    /// Returns the offset of the first unsent byte, counted over all bytes to be sent since the client
    /// was built.
    pub(super) fn offset(&self) -> u64 {
        let Self { consumer, .. } = self;
        consumer.consumed() + (consumer.quarantined() + consumer.in_flight()) as u64
    }

    /// Takes all lines that the producer threads have published. Appends them to the unsent lines, or
    /// with coalescing leaves that to [`refill`](Self::refill).
    pub(super) fn sweep(&mut self) {
        self.input_mut().sweep();
    }

    /// Takes all lines that the producer threads have published, so that there is an unsent line after
    /// those that there are, if there is any.
    pub(super) fn sweep_for_next_line(&mut self) {
        self.sweep();
        self.merge();
    }

    /// Returns true if [`refill`](Self::refill) would merge lines.
    pub(super) fn can_refill(&self) -> bool {
        let can_merge = |coalescing: &Coalescing| coalescing.can_refill(&self.consumer);
        !self.has_unsent() && self.coalescing.as_deref().is_some_and(can_merge)
    }

    /// Merges more of the lines taken from the producer threads if none is unsent, with coalescing.
    /// Returns true if there are unsent lines now.
    pub(super) fn refill(&mut self) -> bool {
        self.coalescing.is_some() && !self.has_unsent() && self.merge()
    }

    fn merge(&mut self) -> bool {
        let Self { consumer, coalescing, account } = self;
        coalescing.as_mut().is_some_and(|coalescing| coalescing.refill(consumer, account))
    }

    /// Takes only the lines in the ordered queue (gauges and service checks), so that the queue has
    /// room again.
    pub(super) fn drain_ordered(&mut self) {
        self.input_mut().drain_ordered();
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
    /// length-prefixed frame that is already begun. Keeps merged lines, which take no space of the
    /// threads.
    pub(super) fn evict_to_limit(&mut self, max_blocks: usize, committed: usize) {
        let Self { consumer, coalescing, account } = self;
        let (input, committed) = match coalescing {
            Some(coalescing) => (coalescing.input_mut(), 0),
            None => (consumer, committed),
        };
        let evicted = &account.evicted;
        let count = |run: &[u8]| {
            let lines = memchr_iter(b'\n', run).count() as u64;
            evicted.add(Tally { lines, bytes: run.len() as u64 });
        };
        while input.blocks() > max_blocks && input.evict(committed, count) {}
    }

    #[cfg(test)]
    pub(super) fn consumer_mut(&mut self) -> &mut Consumer {
        &mut self.consumer
    }
}

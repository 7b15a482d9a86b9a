//! Coalescing: merges lines that differ in their value alone, between the producer threads and the
//! outbox.
//!
//! ```text
//!   producer threads --> exchange --> batch, merged --> second exchange --> outbox
//! ```
//!
//! The flusher copies the merged lines into an exchange that no other thread uses, and only then
//! releases those that it has read. So no line is held anywhere else, and what a flusher leaves behind,
//! the next one sends. Lines that wait stay in the first exchange, where the capacity bounds them.

mod hash;
mod line;
mod merger;
#[cfg(test)]
mod tests;

use super::account::Account;
use crate::config::CoalescingConfig;
use crate::emit::{Consumer, Exchange};
use bytes::Buf;
use merger::Merger;
use std::collections::VecDeque;

/// Maximum number of bytes of a batch, apart from its last line. It holds what gathers between two sweeps
/// at a high rate, with the default capacity.
const BATCH: usize = 384 << 10;

/// Size of the blocks of merged lines, unless lines may be longer.
const BLOCK_SIZE: usize = 16 << 10;

/// Number of bytes of blocks in use from which no batch is merged. Their lines wait to be acknowledged.
const MAX_IN_USE: usize = 1 << 20;

/// Input of an outbox with coalescing: the lines of the producer threads, and the rules by which they
/// are merged.
pub(super) struct Coalescing {
    input: Consumer,
    merger: Merger,
    limits: Limits,
    /// Batches whose lines are not all released, oldest first.
    batches: VecDeque<End>,
    /// Position in the input before which all lines are sent or lost.
    released: u64,
}

/// End of a batch: the number of bytes up to it of the lines that were read, and of the merged lines.
struct End {
    input: u64,
    output: u64,
}

/// Sizes of batches and blocks.
struct Limits {
    batch: usize,
    block_size: usize,
    /// Number of blocks in use up to which a batch is merged.
    max_in_use: usize,
    blocks: usize,
}

impl Limits {
    fn new(config: &CoalescingConfig) -> Self {
        let CoalescingConfig { capacity, max_line, .. } = *config;
        let block_size = BLOCK_SIZE.min(capacity).max(max_line);
        let batch = BATCH.min(capacity);
        let max_in_use = (MAX_IN_USE.min(capacity) / block_size).max(1);
        // Two neighbours among the blocks of a batch hold more than one block of bytes. A batch ends
        // with the first record beyond its limit.
        let per_batch = 2 * (batch + max_line) / block_size + 2;
        Self { batch, block_size, max_in_use, blocks: max_in_use + per_batch }
    }
}

/// Creates the exchange of the merged lines.
pub(super) fn exchange(config: &CoalescingConfig) -> Exchange {
    let Limits { block_size, blocks, .. } = Limits::new(config);
    Exchange::for_appending(block_size, blocks)
}

impl Coalescing {
    /// Creates the input of an outbox. `output` are the merged lines that an earlier flusher has left.
    pub(super) fn new(input: Consumer, output: &Consumer, config: &CoalescingConfig) -> Self {
        let end = End { input: input.consumed(), output: output.swept() };
        // Nobody knows which lines became those of the earlier flusher, except that they are all
        // released once these are.
        let is_released = output.consumed() == end.output;
        let released = if is_released { end.input } else { 0 };
        Self {
            input,
            merger: Merger::new(config.clone()),
            limits: Limits::new(config),
            batches: VecDeque::from([end]),
            released,
        }
    }

    /// Returns the lines of the producer threads that are not merged yet.
    pub(super) fn input(&self) -> &Consumer {
        &self.input
    }

    pub(super) fn input_mut(&mut self) -> &mut Consumer {
        &mut self.input
    }

    /// Returns the number of bytes that producer threads have emitted before the first line that is
    /// neither sent nor lost.
    pub(super) fn released(&self, output: &Consumer) -> u64 {
        let consumed = output.consumed();
        let is_released = |end: &&End| end.output <= consumed;
        self.batches.iter().take_while(is_released).last().map_or(self.released, |end| end.input)
    }

    /// Returns true if there are lines to be merged, and not too many blocks in use.
    pub(super) fn can_refill(&self, output: &Consumer) -> bool {
        self.input.has_remaining() && output.blocks() <= self.limits.max_in_use
    }

    /// Merges a batch of lines and appends them to the unsent ones. Returns false if there are none, or
    /// if too many blocks are in use.
    pub(super) fn refill(&mut self, output: &mut Consumer, account: &Account) -> bool {
        if !self.can_refill(output) {
            return false;
        }
        self.forget_released(output);
        let mut batch = self.merger.begin();
        let limit = self.limits.batch as u64;
        for run in self.input.runs() {
            if batch.bytes() >= limit {
                break;
            }
            batch.add(run, limit);
        }
        let merged = batch.finish();
        output.append(merged.records());
        account.merged.add(merged.difference());
        let taken = merged.taken() as usize;
        drop(merged);
        self.input.discard(taken);
        self.batches.push_back(End { input: self.input.consumed(), output: output.swept() });
        true
    }

    fn forget_released(&mut self, output: &Consumer) {
        self.released = self.released(output);
        let consumed = output.consumed();
        while self.batches.front().is_some_and(|end| end.output <= consumed) {
            self.batches.pop_front();
        }
    }
}

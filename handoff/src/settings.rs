//! Settings of an exchange, the queue between producer threads and a consumer.

/// Sizes and limits of an [`Exchange`](crate::Exchange). Each must be greater than 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Size in bytes of a block, the buffer that a producer thread fills with records.
    pub block_size: usize,
    /// Number of blocks (buffers of records) that all threads share.
    ///
    /// Each thread has one more block, so that many idle threads cannot starve a busy one. Busy
    /// threads have spare blocks, which are also additional: together at most three quarters of
    /// [`ring_at`](Self::ring_at). The ordered queue takes an additional quarter of the memory of
    /// these blocks.
    pub blocks: usize,
    /// Number of full blocks at which a producer thread wakes a parked consumer. Spare blocks that
    /// threads have count as full.
    pub ring_at: usize,
    /// Maximum length in bytes of a record (bytes that a producer thread emits as a unit), at most
    /// the size of a block. Longer records are dropped and counted as
    /// [oversize](crate::Counts::oversize).
    pub max_record: usize,
}

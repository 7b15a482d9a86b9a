//! Settings of an exchange.

/// Settings of an [`Exchange`](crate::Exchange). All of them must be more than 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Size of a block in bytes.
    pub block_size: usize,
    /// Number of blocks that all threads share.
    ///
    /// Each thread has one more block, so that many idle threads cannot starve a busy one. The
    /// ordered queue takes an additional quarter of the memory of these blocks.
    pub blocks: usize,
    /// Number of full blocks at which a producer thread wakes a parked consumer.
    pub ring_at: usize,
    /// Maximum length of a record in bytes: at most the size of a block. Longer ones are dropped and
    /// counted as [oversize](crate::Counts::oversize).
    pub max_record: usize,
}

//! Producers: state of each thread that emits records.

use crate::block::{CurrentBlock, WriterCell};
use crate::tally::SingleWriterTally;

/// State of a producer thread: its current block, and its counts of records. A new thread can take
/// over and continue this state after the thread has exited.
#[derive(Default)]
pub(crate) struct Producer<C> {
    /// Writer of the block that the thread is filling. Only the thread itself uses it.
    pub(crate) writer: WriterCell,
    /// Pointer to the block that the thread is filling, for the consumer to read.
    pub(crate) current: CurrentBlock,
    pub(crate) accepted: SingleWriterTally,
    pub(crate) full: SingleWriterTally,
    pub(crate) oversize: SingleWriterTally,
    /// Count of records that were first counted in `accepted`, and then rejected because the
    /// ordered queue was full. Readers of the counts subtract it from `accepted`.
    pub(crate) rejected_late: SingleWriterTally,
    /// Counts that the application itself keeps for this thread.
    pub(crate) application: C,
}

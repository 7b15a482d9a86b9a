//! Producers: the state of each emitting thread.

use crate::block::{CurrentBlock, WriterCell};
use crate::tally::SingleWriterTally;

/// State of one producer thread, and of the threads that reuse its slot after it.
#[derive(Default)]
pub(crate) struct Producer<C> {
    /// Writer of the current block. Only the thread itself uses it.
    pub(crate) writer: WriterCell,
    /// Current block, for the consumer to read.
    pub(crate) current: CurrentBlock,
    pub(crate) accepted: SingleWriterTally,
    pub(crate) full: SingleWriterTally,
    pub(crate) oversize: SingleWriterTally,
    /// Records counted in `accepted` before the ordered queue turned out to be full.
    pub(crate) rejected_late: SingleWriterTally,
    /// Counts of the application.
    pub(crate) application: C,
}

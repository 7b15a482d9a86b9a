//! Producers: the state of each emitting thread.

use super::block::{CurrentBlock, WriterCell};
use super::tally::SingleWriterTally;

/// State of one producer thread, and of the threads that reuse its slot after it.
#[derive(Default)]
pub(super) struct Producer {
    /// Writer of the current block. Only the thread itself uses it.
    pub(super) writer: WriterCell,
    /// Current block, for the flusher to read.
    pub(super) current: CurrentBlock,
    pub(super) accepted: SingleWriterTally,
    pub(super) full: SingleWriterTally,
    pub(super) oversize: SingleWriterTally,
    pub(super) invalid: SingleWriterTally,
    pub(super) unsupported: SingleWriterTally,
    /// Lines counted in `accepted` before the ordered queue turned out to be full.
    pub(super) rejected_late: SingleWriterTally,
    /// Accepted lines that were altered to be valid.
    pub(super) altered: SingleWriterTally,
}

//! Consumer state: what the consumer keeps from one sweep to the next, and from stop to start.

use crate::block::{BlockView, BlockWriter, ReadPermit, SealedBlock};
use crate::block_supply::BlockSupply;
use crate::ordered::OrderedQueue;
use crate::send_window::SendWindow;
use crate::sync::AccessTracker;

pub(crate) struct ConsumerState {
    pub(crate) permit: ReadPermit,
    pub(crate) window: SendWindow,
    /// Part-filled blocks that the current sweep has seen, and their published lengths then. The
    /// allocation is reused by each sweep.
    pub(crate) snapshots: Vec<(BlockView, usize)>,
    /// Number of records taken from the ordered queue since the beginning.
    pub(crate) drained_records: u64,
    /// Reports two threads that use the state at a time. The exchange's mutex orders its owners.
    pub(crate) tracker: AccessTracker,
}

impl ConsumerState {
    pub(crate) fn new(permit: ReadPermit) -> Self {
        Self {
            permit,
            window: SendWindow::default(),
            snapshots: Vec::new(),
            drained_records: 0,
            tracker: AccessTracker::new(1),
        }
    }

    /// Takes the records that are in the ordered queue, as far as there are blocks for them.
    pub(crate) fn take_records(&mut self, ordered: &OrderedQueue, supply: &BlockSupply) {
        ordered.move_all(supply, |blocks| {
            while let Some(full) = blocks.pop_full() {
                self.take_sealed(full);
            }
            if let Some(current) = blocks.current().map(BlockWriter::view) {
                self.take(current, current.published(), None);
            }
            self.drained_records = blocks.moved();
        });
    }

    /// Takes the unswept bytes of a full block, and the right to recycle it.
    pub(crate) fn take_sealed(&mut self, sealed: SealedBlock) {
        let view = sealed.view();
        self.take(view, view.published(), Some(sealed));
    }

    /// Takes the unswept bytes of a block up to the offset `to`.
    pub(crate) fn take(&mut self, view: BlockView, to: usize, sealed: Option<SealedBlock>) {
        let from = view.mark_swept(&mut self.permit, to);
        if from < to || sealed.is_some() {
            self.window.push(view, from, to, sealed);
        }
    }

    /// Gives back blocks that have no bytes left, among the chunks from `first` on and the oldest
    /// chunks.
    pub(crate) fn recycle_spent(&mut self, supply: &BlockSupply, first: usize) {
        self.window.recycle_spent(first, &mut self.permit, supply.returner());
        self.window.release(&mut self.permit, supply.returner());
    }
}

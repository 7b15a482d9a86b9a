//! Consumer state: data that a consumer keeps between two passes over the producers' blocks, and
//! leaves to the next consumer when it is dropped.

use crate::block::{BlockView, BlockWriter, ReadPermit, SealedBlock};
use crate::block_supply::BlockSupply;
use crate::ordered::OrderedQueue;
use crate::producer::Taken;
use crate::send_window::SendWindow;
use crate::spare_blocks::SpareBlocks;
use crate::sync::AccessTracker;

pub(crate) struct ConsumerState {
    pub(crate) permit: ReadPermit,
    pub(crate) window: SendWindow,
    pub(crate) spares: SpareBlocks,
    /// Number of records taken from the ordered queue (the queue that keeps order across threads)
    /// since the exchange was created.
    pub(crate) drained_records: u64,
    /// Detects, only in loom's build, unordered accesses of two threads to the state. Successive
    /// consumers get the state through the exchange's mutex, which must order their accesses.
    pub(crate) tracker: AccessTracker,
}

impl ConsumerState {
    pub(crate) fn new(permit: ReadPermit, spares: SpareBlocks) -> Self {
        Self {
            permit,
            spares,
            window: SendWindow::default(),
            drained_records: 0,
            tracker: AccessTracker::new(1),
        }
    }

    /// Adds the bytes that a producer thread has published, and that were not taken before, to the
    /// unsent bytes. `id` is the thread's ID.
    ///
    /// The loop ends although the thread may emit meanwhile: blocks are not given back before the
    /// end of the sweep, so the thread runs out of them.
    pub(crate) fn take_chain(&mut self, id: usize, taken: &Taken) {
        let Some(mut block) = taken.chain.oldest() else { return };
        let mut full_blocks = 0;
        // The link is read before the published length, which is final once a block is linked.
        while let Some((full, next)) = block.follow(&mut self.permit) {
            self.take_sealed(full);
            taken.chain.advance_to(next, &mut self.permit);
            taken.count_full();
            self.spares.on_advance(id, next);
            full_blocks += 1;
            block = next;
        }
        self.take(block, block.published(), None);
        self.spares.on_sweep(id, block, full_blocks, &mut self.permit);
    }

    /// Moves the records of the ordered queue into blocks, as far as empty blocks are available,
    /// and adds them to the unsent bytes.
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

    /// Adds the bytes of a full block that were not taken before to the unsent bytes. The value
    /// `sealed` is kept, so that the block can be reused later.
    pub(crate) fn take_sealed(&mut self, sealed: SealedBlock) {
        let view = sealed.view();
        self.take(view, view.published(), Some(sealed));
    }

    /// Adds the bytes of a block that were not taken before, up to the offset `to`, to the unsent
    /// bytes. `sealed` is the right to reuse the block later, if the block is full.
    pub(crate) fn take(&mut self, view: BlockView, to: usize, sealed: Option<SealedBlock>) {
        let from = view.mark_swept(&mut self.permit, to);
        if from < to || sealed.is_some() {
            self.window.push(view, from, to, sealed);
        }
    }

    /// Gives back for reuse full blocks of which all bytes were released or evicted (dropped).
    /// Checks the oldest chunks (ranges of records) that the consumer has taken, and the chunks
    /// from the index `first` on.
    pub(crate) fn recycle_spent(&mut self, supply: &BlockSupply, first: usize) {
        let Self { permit, window, spares, .. } = self;
        let mut give_back = |block| spares.give_back(block, supply);
        window.recycle_spent(first, permit, &mut give_back);
        window.release(permit, give_back);
    }
}

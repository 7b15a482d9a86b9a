//! Consumer: receiver of the records that producer threads write. It reads the records in place,
//! and releases their memory after they are sent.
//!
//! A sweep takes the records that threads have published. They form one run of bytes, whole records in
//! order, which is released from the front. A block goes back to the threads once its last byte is
//! released. So nothing is copied, and bytes that were not sent, or did not arrive, are still
//! there.

use crate::consumer_state::ConsumerState;
use crate::exchange::Exchange;
use crate::record::Record;
use crate::sync::{Arc, forbid_reentry};
use bytes::Buf;
use std::io::IoSlice;

/// Length of the send window at which the consumer stops taking records, in chunks (ranges of
/// records in a block). The send window lists the records that are taken and not yet released.
///
/// The index of chunks is the only memory beyond the blocks. It grows with a link that takes a few
/// bytes at a time and acknowledges none.
const MAX_CHUNKS: usize = 1 << 14;

/// Receiver of the records that producer threads write into an [`Exchange`]. At most one consumer
/// of an exchange exists at a time.
///
/// [`sweep`](Self::sweep) takes the published records. They form one run of bytes, in which the
/// records of each thread, and all ordered records, keep their order. The run has three parts:
///
/// ```text
///   consumed | in flight | unsent
/// ```
///
/// [`Buf`] reads the unsent bytes; [`advance`](Buf::advance) puts them in flight. They stay in memory
/// until they are [acknowledged](Self::acknowledge), or [requeued](Self::requeue) to be sent again. A
/// consumer without acknowledgements [discards](Self::discard) bytes in one step.
///
/// Dropping the consumer keeps all records for the next one.
pub struct Consumer<C: Default = ()> {
    exchange: Arc<Exchange<C>>,
    /// State that the next consumer inherits: the bytes that are taken and not released, and the
    /// permit to read them. It is `None` only while the consumer is being dropped.
    state: Option<ConsumerState>,
}

impl<C: Default> Consumer<C> {
    /// Creates the consumer of the exchange, or returns `None` while another consumer of this
    /// exchange exists.
    pub fn claim(exchange: &Arc<Exchange<C>>) -> Option<Self> {
        let state = exchange.state.lock().unwrap_or_else(|poison| poison.into_inner()).take()?;
        Some(Self { exchange: Arc::clone(exchange), state: Some(state) })
    }

    fn state(&self) -> &ConsumerState {
        let state = self.state.as_ref().expect("the state is taken only on drop");
        state.tracker.track_read(0, 1);
        state
    }

    pub(crate) fn parts(&mut self) -> (&Exchange<C>, &mut ConsumerState) {
        let state = self.state.as_mut().expect("the state is taken only on drop");
        state.tracker.track_write(0, 1);
        (&self.exchange, state)
    }

    /// Returns true if the consumer thread may park, because no producer thread has announced work
    /// since the last `clear_bell` or `sweep`. A later announcement then wakes it.
    pub fn prepare_park(&self) -> bool {
        self.exchange.bell.prepare_park()
    }

    /// Resets the bell, the flag by which producer threads announce work. The consumer calls this
    /// before it looks for the work, so that no later announcement is lost.
    pub fn clear_bell(&self) {
        self.exchange.bell.clear();
    }

    /// Tries to mark the consumer as dormant, which allows it to park without a timeout: the next
    /// record then wakes it. Returns true on success.
    ///
    /// Returns false if there are records to sweep, or if the platform has no free barrier for
    /// producers.
    pub fn try_enter_dormant(&self) -> bool {
        self.try_enter_dormant_unless(|| false)
    }

    /// Tries to mark the consumer as dormant, as [`try_enter_dormant`](Self::try_enter_dormant) does,
    /// but not if `has_work` returns true.
    ///
    /// Either `has_work` sees what a thread changed before it called
    /// [`Exchange::wake_if_dormant`], or that call wakes the consumer.
    pub fn try_enter_dormant_unless(&self, has_work: impl FnOnce() -> bool) -> bool {
        let exchange = &*self.exchange;
        if !exchange.dormancy.try_enter() {
            return false;
        }
        // A record that is published and not seen here belongs to a producer that sees the dormancy.
        let mut oldest = exchange.producers.iter().filter_map(|one| one.taken.chain.oldest());
        let is_idle = !oldest.any(|block| block.has_unswept()) && exchange.ordered.is_empty();
        let is_idle = is_idle && !has_work();
        if !is_idle {
            exchange.dormancy.leave();
        }
        is_idle
    }

    /// Takes all records that producer threads have published so far, and adds them to the unsent
    /// bytes. Records of one thread keep their order.
    ///
    /// The sweep follows each thread's chain of blocks, from the oldest to the one that the thread is
    /// filling. It moves ordered records as far as blocks are empty when it begins.
    pub fn sweep(&mut self) {
        let _no_reentry = forbid_reentry();
        let (exchange, state) = self.parts();
        exchange.bell.clear();
        exchange.full_blocks.begin_sweep();
        state.spares.begin_sweep();
        let chunks_before = state.window.chunks();
        for (id, producer) in exchange.producers.enumerate() {
            state.take_chain(id, &producer.taken);
        }
        state.take_records(&exchange.ordered, &exchange.supply);
        state.recycle_spent(&exchange.supply, chunks_before);
        state.spares.distribute(&exchange.supply);
        if exchange.full_blocks.end_sweep(state.spares.fillable()) {
            exchange.bell.ring();
        }
    }

    /// Takes only the records of the ordered queue (the queue that keeps order across threads), so
    /// that the queue has space again. A consumer that cannot send calls this instead of `sweep`.
    pub fn drain_ordered(&mut self) {
        let _no_reentry = forbid_reentry();
        let (exchange, state) = self.parts();
        if state.window.chunks() < MAX_CHUNKS {
            let chunks_before = state.window.chunks();
            state.take_records(&exchange.ordered, &exchange.supply);
            state.recycle_spent(&exchange.supply, chunks_before);
        }
    }

    /// Returns the number of records taken from the ordered queue (the queue that keeps order
    /// across threads) since the exchange was created, by this and all earlier consumers.
    pub fn drained_records(&self) -> u64 {
        self.state().drained_records
    }

    /// Returns the number of records accepted by the ordered queue since the exchange was created.
    /// All of them are taken once [`drained_records`](Self::drained_records) reaches this number.
    pub fn enqueued_records(&self) -> u64 {
        self.exchange.ordered.count()
    }

    /// Returns true if the consumer should take more records with `sweep`: all bytes taken so far
    /// are sent, and the list of unreleased bytes has room for more.
    pub fn is_ready_to_sweep(&self) -> bool {
        self.state().window.unsent() == 0 && self.state().window.chunks() < MAX_CHUNKS
    }

    /// Returns an estimate of the number of bytes that wait to be sent: unsent bytes, full blocks
    /// that the consumer has not taken, and records in the ordered queue.
    pub fn backlog(&self) -> usize {
        let blocks: usize = self.exchange.producers.iter().map(|one| one.waiting_blocks()).sum();
        let full = blocks * self.exchange.supply.block_size();
        let records = self.exchange.ordered.len() * Record::SLOT;
        self.state().window.unsent() + full + records
    }

    /// Returns the unsent bytes as a sequence of contiguous slices (runs). Each run holds whole
    /// records, but the first run may start within a record of which a part was sent.
    pub fn runs(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.state().window.unsent_runs(&self.state().permit)
    }

    /// Returns the number of bytes in flight: sent, but not yet acknowledged.
    pub fn in_flight(&self) -> usize {
        self.state().window.in_flight()
    }

    /// Returns the bytes in flight (sent, but not yet acknowledged) as a sequence of contiguous
    /// slices. The first slice starts at the beginning of a record.
    pub fn in_flight_runs(&self) -> impl Iterator<Item = &[u8]> {
        self.state().window.in_flight_runs(&self.state().permit)
    }

    /// Releases the first `count` bytes in flight, so that their memory can be reused. They must be
    /// whole records that have arrived, or that the caller has counted as lost.
    pub fn acknowledge(&mut self, count: usize) {
        let _no_reentry = forbid_reentry();
        let (exchange, ConsumerState { permit, window, spares, .. }) = self.parts();
        window.acknowledge(count, permit, |block| spares.give_back(block, &exchange.supply));
    }

    /// Releases the first `count` unsent bytes without waiting for an acknowledgement. No bytes may
    /// be in flight.
    ///
    /// # Panics
    /// If `count` exceeds the unsent bytes, or while bytes are quarantined.
    pub fn discard(&mut self, count: usize) {
        self.advance(count);
        self.acknowledge(count);
    }

    /// Marks all bytes in flight (sent, but not acknowledged) as unsent again, so that they are
    /// sent on the next connection.
    pub fn requeue(&mut self) {
        self.parts().1.window.requeue();
    }

    /// Sets aside (quarantines) the first `count` unsent bytes, so that sending skips them until
    /// the quarantine ends. They must be whole records, and no bytes may be in flight (sent, but
    /// not acknowledged).
    ///
    /// Quarantined bytes keep their place, and are skipped.
    pub fn quarantine(&mut self, count: usize) {
        self.parts().1.window.quarantine(count);
    }

    /// Returns the number of quarantined bytes: bytes of records that are set aside and not sent.
    pub fn quarantined(&self) -> usize {
        self.state().window.quarantined()
    }

    /// Returns the quarantined bytes (records that are set aside and not sent) as a sequence of
    /// contiguous slices.
    pub fn quarantined_runs(&self) -> impl Iterator<Item = &[u8]> {
        self.state().window.quarantined_runs(&self.state().permit)
    }

    /// Marks all quarantined bytes (set aside from sending) and all bytes in flight as unsent
    /// again.
    pub fn end_quarantine(&mut self) {
        self.parts().1.window.end_quarantine();
    }

    /// Releases the quarantined bytes (records that are set aside) without sending them. Before
    /// that it passes them to `count_lost`, as contiguous slices.
    pub fn discard_quarantined(&mut self, count_lost: impl FnOnce(&[&[u8]])) {
        let _no_reentry = forbid_reentry();
        let (exchange, ConsumerState { permit, window, spares, .. }) = self.parts();
        count_lost(&window.quarantined_runs(permit).collect::<Vec<_>>());
        window.discard_quarantined(permit, |block| spares.give_back(block, &exchange.supply));
    }

    /// Returns the number of full blocks (buffers of records) that the consumer has taken and not
    /// yet given back for reuse.
    pub fn blocks(&self) -> usize {
        self.state().window.blocks()
    }

    /// Returns the number of spare blocks that threads have, and the number of those that no thread
    /// has.
    #[cfg(any(test, freewheel_loom))]
    pub(crate) fn spare_blocks(&self) -> (usize, usize) {
        self.state().spares.given_and_stocked()
    }

    /// Drops the oldest contiguous unsent records after the first `committed` unsent bytes, so that
    /// newer records can use the memory of their block.
    ///
    /// The first `committed` unsent bytes stay, since the link has begun with them. `count_lost`
    /// sees the evicted bytes first. Returns false if there are none.
    pub fn evict(&mut self, committed: usize, count_lost: impl FnOnce(&[u8])) -> bool {
        let _no_reentry = forbid_reentry();
        let (exchange, ConsumerState { permit, window, spares, .. }) = self.parts();
        window
            .evict(committed, permit, count_lost, |block| spares.give_back(block, &exchange.supply))
    }

    /// Returns the number of bytes released since the exchange was created, by this and all earlier
    /// consumers. Released bytes were acknowledged, discarded or evicted (dropped unsent).
    pub fn consumed(&self) -> u64 {
        self.state().window.consumed()
    }

    /// Returns the number of bytes that consumers have taken since the exchange was created. They
    /// were released, or are quarantined (set aside), in flight (sent, not acknowledged) or unsent.
    pub fn swept(&self) -> u64 {
        self.state().window.swept()
    }
}

/// Reads the unsent bytes of a consumer. `advance` marks bytes as sent: they are in flight until
/// they are acknowledged.
impl<C: Default> Buf for Consumer<C> {
    fn remaining(&self) -> usize {
        self.state().window.unsent()
    }

    fn chunk(&self) -> &[u8] {
        self.runs().next().unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        slices.iter_mut().zip(self.runs()).map(|(slice, run)| *slice = IoSlice::new(run)).count()
    }

    fn advance(&mut self, count: usize) {
        self.parts().1.window.mark_sent(count);
    }
}

impl<C: Default> Drop for Consumer<C> {
    fn drop(&mut self) {
        self.exchange.dormancy.leave();
        // The next consumer has another link, for which nothing is in flight or quarantined.
        self.end_quarantine();
        let mut slot = self.exchange.state.lock().unwrap_or_else(|poison| poison.into_inner());
        *slot = self.state.take();
    }
}

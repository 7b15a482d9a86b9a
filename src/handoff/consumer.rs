//! The consumer: the flusher's end of the exchange.
//!
//! A sweep takes what the threads have published; what was taken lies in order as one
//! run of bytes, whole lines, until it is settled from the front. A block goes back to
//! the threads when its last byte was, and not before: nothing is copied, and what could not
//! be sent, or did not arrive, is still there.

use super::block::{BlockView, BlockWriter, ReadPermit, SealedBlock};
use super::exchange::Exchange;
use super::record::Record;
use super::send_window::SendWindow;
use crate::sync::{AccessTracker, Arc, ArrayQueue, forbid_reentry};
use bytes::Buf;
use std::io::IoSlice;

/// What the flusher keeps between runs: stop parks it, start takes it up again.
pub(crate) struct ConsumerState {
    reader: ReadPermit,
    taken: SendWindow,
    /// Reused by each sweep.
    notes: Vec<(BlockView, usize)>,
    /// How many records of the ordered queue were taken, since the beginning.
    drained: u64,
    /// Of the state itself: one flusher at a time has it, ordered by its mutex.
    watch: AccessTracker,
}

impl ConsumerState {
    pub(super) fn new(reader: ReadPermit) -> Self {
        Self {
            reader,
            taken: SendWindow::default(),
            notes: Vec::new(),
            drained: 0,
            watch: AccessTracker::new(1),
        }
    }

    /// Takes the records that are in the ordered queue by now, as far as there are blocks for them.
    fn take_records(&mut self, exchange: &Exchange) {
        exchange.ordered.move_all(exchange, |moved| {
            while let Some(full) = moved.next_full() {
                self.take_sealed(full);
            }
            if let Some(open) = moved.open().map(BlockWriter::view) {
                self.take(open, open.published(), None);
            }
            self.drained = moved.count();
        });
    }

    fn take_sealed(&mut self, sealed: SealedBlock) {
        let view = sealed.view();
        self.take(view, view.published(), Some(sealed));
    }

    fn take(&mut self, view: BlockView, to: usize, last: Option<SealedBlock>) {
        let from = view.take_up_to(&mut self.reader, to);
        if from < to || last.is_some() {
            self.taken.push(view, from, to, last);
        }
    }

    /// Gives back the blocks of which nothing is left, of these chunks and of the first ones.
    fn recycle_spent(&mut self, exchange: &Exchange, from: usize) {
        self.taken.recycle_spent(from, &mut self.reader, return_to_producers(&exchange.free));
        self.taken.release(&mut self.reader, return_to_producers(&exchange.free));
    }
}

/// Gives empty blocks back to the threads.
fn return_to_producers(free: &ArrayQueue<BlockWriter>) -> impl FnMut(BlockWriter) {
    |pen| {
        let pushed = free.push(pen);
        assert!(pushed.is_ok(), "the queue has a slot for every block");
    }
}

/// So many chunks may be on their way. Only an index that long costs memory beyond the
/// blocks: of a link that takes a little at a time and confirms nothing.
const MAX_CHUNKS: usize = 1 << 14;

pub(crate) struct Consumer {
    exchange: Arc<Exchange>,
    /// SendWindow only when the consumer is dropped.
    state: Option<ConsumerState>,
}

impl Consumer {
    pub(super) fn new(exchange: Arc<Exchange>, state: ConsumerState) -> Self {
        Self { exchange, state: Some(state) }
    }

    fn state(&self) -> &ConsumerState {
        let state = self.state.as_ref().expect("taken only on drop");
        state.watch.reads(0, 1);
        state
    }

    fn parts(&mut self) -> (&Exchange, &mut ConsumerState) {
        let state = self.state.as_mut().expect("taken only on drop");
        state.watch.writes(0, 1);
        (&self.exchange, state)
    }

    /// Whether the flusher may sleep until it is woken: not if a thread asked for it since
    /// the last sweep.
    pub(crate) fn prepare_park(&self) -> bool {
        self.exchange.bell.prepare_park()
    }

    /// Hears the bell: what it was rung for is to be looked for after that.
    pub(crate) fn clear_bell(&self) {
        self.exchange.bell.clear();
    }

    /// Whether the flusher may sleep without a clock: then the first line from now on wakes it. Not if
    /// there are lines to sweep, or where the callers' side cannot be had for nothing.
    pub(crate) fn try_enter_dormant(&self) -> bool {
        let exchange = &*self.exchange;
        if !exchange.dormancy.begin() {
            return false;
        }
        // What is published and not seen here is of a caller that sees the dormancy. Of a full block
        // the next line in its thread's window tells, unless that one was refused.
        let mut shown = exchange.producers.iter().filter_map(|producer| producer.window.look());
        let stays = !shown.any(|view| view.has_untaken())
            && exchange.sealed.is_empty()
            && exchange.ordered.is_empty();
        if !stays {
            exchange.dormancy.end();
        }
        stays
    }

    /// Takes all lines published by now. Lines of one thread keep their order: part-filled
    /// blocks are noted before the queue is drained, and sent after what was in it. A thread
    /// that turned to a new block in between has its noted one in the queue; its newer lines
    /// wait for the next sweep.
    pub(crate) fn sweep(&mut self) {
        let _kept_out = forbid_reentry();
        let (exchange, state) = self.parts();
        exchange.bell.clear();
        let before = state.taken.chunks();
        for producer in exchange.producers.iter() {
            if let Some(view) = producer.window.look() {
                state.notes.push((view, view.published()));
            }
        }
        while let Some(sealed) = exchange.sealed.pop() {
            state.take_sealed(sealed);
        }
        while let Some((view, to)) = state.notes.pop() {
            state.take(view, to, None);
        }
        state.take_records(exchange);
        // Only now: a note may be of a block that was full by then.
        state.recycle_spent(exchange, before);
    }

    /// Makes room in the ordered queue, and leaves all else where it is: for a flusher that cannot
    /// send now.
    pub(crate) fn drain_ordered(&mut self) {
        let _kept_out = forbid_reentry();
        let (exchange, state) = self.parts();
        if state.taken.chunks() < MAX_CHUNKS {
            let before = state.taken.chunks();
            state.take_records(exchange);
            state.recycle_spent(exchange, before);
        }
    }

    /// How many records were taken since the beginning, whoever did it.
    pub(crate) fn drained_records(&self) -> u64 {
        self.state().drained
    }

    /// How many will have been, once all that are in the ordered queue by now are.
    pub(crate) fn enqueued_records(&self) -> u64 {
        self.exchange.ordered.count()
    }

    /// Whether a sweep is worth it: all that was swept before is sent.
    pub(crate) fn is_ready_to_sweep(&self) -> bool {
        self.state().taken.unsent() == 0 && self.state().taken.chunks() < MAX_CHUNKS
    }

    /// How many bytes wait to be sent: what was swept, and the full blocks and records that were
    /// not.
    pub(crate) fn backlog(&self) -> usize {
        let sealed = self.exchange.sealed.len() * self.exchange.blocks.block_size();
        let records = self.exchange.ordered.len() * Record::SLOT;
        self.state().taken.unsent() + sealed + records
    }

    /// What is unsent, run by run. Each holds whole lines; but the first, where the link has
    /// taken a part of one.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.state().taken.unsent_runs(&self.state().reader)
    }

    /// Bytes that the link was given, and that are not settled.
    pub(crate) fn in_flight(&self) -> usize {
        self.state().taken.in_flight()
    }

    /// These bytes, run by run. They begin with a whole line.
    pub(crate) fn in_flight_runs(&self) -> impl Iterator<Item = &[u8]> {
        self.state().taken.in_flight_runs(&self.state().reader)
    }

    /// Lets go of the first `count` bytes in flight: whole lines, which arrived or are given
    /// up and accounted for.
    pub(crate) fn acknowledge(&mut self, count: usize) {
        let _kept_out = forbid_reentry();
        let (exchange, ConsumerState { reader, taken, .. }) = self.parts();
        taken.acknowledge(count, reader, return_to_producers(&exchange.free));
    }

    /// Lets go of the first `count` unsent bytes, while nothing is in flight.
    pub(crate) fn discard(&mut self, count: usize) {
        self.advance(count);
        self.acknowledge(count);
    }

    /// Makes what is in flight unsent again, for the next link.
    pub(crate) fn requeue(&mut self) {
        self.parts().1.taken.requeue();
    }

    /// Sets the first `count` unsent bytes quarantined, behind those that are: whole lines, while nothing is in
    /// flight. They keep their place, and are passed over.
    pub(crate) fn quarantine(&mut self, count: usize) {
        self.parts().1.taken.quarantine(count);
    }

    /// How many bytes lie quarantined.
    pub(crate) fn quarantined(&self) -> usize {
        self.state().taken.quarantined()
    }

    /// Makes what lies quarantined unsent again, and what is in flight with it.
    pub(crate) fn end_quarantine(&mut self) {
        self.parts().1.taken.end_quarantine();
    }

    /// Lets go of what lies quarantined, if anything does. `count` sees it first, run by run.
    pub(crate) fn discard_quarantined(&mut self, count: impl FnOnce(&[&[u8]])) {
        let _kept_out = forbid_reentry();
        let (exchange, ConsumerState { reader, taken, .. }) = self.parts();
        count(&taken.quarantined_runs(reader).collect::<Vec<_>>());
        taken.discard_quarantined(reader, return_to_producers(&exchange.free));
    }

    /// How many full blocks were swept and are not consumed.
    pub(crate) fn blocks(&self) -> usize {
        self.state().taken.blocks()
    }

    /// Gives up the oldest unsent lines, as many as lie together, for newer ones to have their
    /// block; but for the first `begun` bytes, which the link is committed to. `count` sees them
    /// before. False if there are none.
    pub(crate) fn evict(&mut self, begun: usize, count: impl FnOnce(&[u8])) -> bool {
        let _kept_out = forbid_reentry();
        let (exchange, ConsumerState { reader, taken, .. }) = self.parts();
        taken.evict(begun, reader, count, return_to_producers(&exchange.free))
    }

    /// Bytes settled or evicted since the beginning, whoever collected them.
    pub(crate) fn consumed(&self) -> u64 {
        self.state().taken.consumed()
    }

    /// Bytes taken since the beginning: consumed, in flight or unsent.
    pub(crate) fn swept(&self) -> u64 {
        self.state().taken.swept()
    }
}

/// What is unsent; to advance is to give it to the link.
impl Buf for Consumer {
    fn remaining(&self) -> usize {
        self.state().taken.unsent()
    }

    fn chunk(&self) -> &[u8] {
        self.runs().next().unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        slices.iter_mut().zip(self.runs()).map(|(slice, run)| *slice = IoSlice::new(run)).count()
    }

    fn advance(&mut self, count: usize) {
        self.parts().1.taken.mark_sent(count);
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.exchange.dormancy.end();
        // The next one has a link of its own.
        self.end_quarantine();
        let mut place = self.exchange.state.lock().unwrap_or_else(|poison| poison.into_inner());
        *place = self.state.take();
    }
}

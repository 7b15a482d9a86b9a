//! The collector: the flusher's end of the exchange.
//!
//! A sweep takes what the threads have published; what was taken lies in order as one
//! run of bytes, whole lines, until it is settled from the front. A block goes back to
//! the threads when its last byte was, and not before: nothing is copied, and what could not
//! be sent, or did not arrive, is still there.

use super::block::{Glimpse, Pen, Reader, Sealed};
use super::exchange::Exchange;
use super::record::Record;
use super::taken::Taken;
use crate::sync::{Arc, ArrayQueue, Watch, keep_out_handlers};
use bytes::Buf;
use std::io::IoSlice;

/// What the flusher keeps between runs: stop parks it, start takes it up again.
pub(crate) struct Desk {
    reader: Reader,
    taken: Taken,
    /// Reused by each sweep.
    notes: Vec<(Glimpse, usize)>,
    /// How many records of the ordered queue were taken, since the beginning.
    gathered: u64,
    /// Of the desk itself: one flusher at a time has it, ordered by its mutex.
    watch: Watch,
}

impl Desk {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            taken: Taken::default(),
            notes: Vec::new(),
            gathered: 0,
            watch: Watch::new(1),
        }
    }

    /// Takes the records that are in the ordered queue by now, as far as there are blocks for them.
    fn take_records(&mut self, exchange: &Exchange) {
        exchange.ordered.move_all(exchange, |moved| {
            while let Some(full) = moved.next_full() {
                self.take_sealed(full);
            }
            if let Some(open) = moved.open().map(Pen::glimpse) {
                self.take(open, open.published(), None);
            }
            self.gathered = moved.count();
        });
    }

    fn take_sealed(&mut self, sealed: Sealed) {
        let glimpse = sealed.glimpse();
        self.take(glimpse, glimpse.published(), Some(sealed));
    }

    fn take(&mut self, glimpse: Glimpse, to: usize, last: Option<Sealed>) {
        let from = glimpse.take_up_to(&mut self.reader, to);
        if from < to || last.is_some() {
            self.taken.push(glimpse, from, to, last);
        }
    }

    /// Gives back the blocks of which nothing is left, of these chunks and of the first ones.
    fn recycle_spent(&mut self, exchange: &Exchange, from: usize) {
        self.taken.recycle_spent(from, &mut self.reader, give_back(&exchange.free));
        self.taken.let_go(&mut self.reader, give_back(&exchange.free));
    }
}

/// Gives empty blocks back to the threads.
fn give_back(free: &ArrayQueue<Pen>) -> impl FnMut(Pen) {
    |pen| {
        let pushed = free.push(pen);
        assert!(pushed.is_ok(), "the queue has a slot for every block");
    }
}

/// So many chunks may be on their way. Only an index that long costs memory beyond the
/// blocks: of a link that takes a little at a time and confirms nothing.
const MAX_CHUNKS: usize = 1 << 14;

pub(crate) struct Collector {
    exchange: Arc<Exchange>,
    /// Taken only when the collector is dropped.
    desk: Option<Desk>,
}

impl Collector {
    pub(super) fn new(exchange: Arc<Exchange>, desk: Desk) -> Self {
        Self { exchange, desk: Some(desk) }
    }

    fn desk(&self) -> &Desk {
        let desk = self.desk.as_ref().expect("taken only on drop");
        desk.watch.reads(0, 1);
        desk
    }

    fn parts(&mut self) -> (&Exchange, &mut Desk) {
        let desk = self.desk.as_mut().expect("taken only on drop");
        desk.watch.writes(0, 1);
        (&self.exchange, desk)
    }

    /// Whether the flusher may sleep until it is woken: not if a thread asked for it since
    /// the last sweep.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.exchange.bell.fall_asleep()
    }

    /// Hears the bell: what it was rung for is to be looked for after that.
    pub(crate) fn answer(&self) {
        self.exchange.bell.answer();
    }

    /// Whether the flusher may sleep without a clock: then the first line from now on wakes it. Not if
    /// there are lines to sweep, or where the callers' side cannot be had for nothing.
    pub(crate) fn lie_down(&self) -> bool {
        let exchange = &*self.exchange;
        if !exchange.dormancy.begin() {
            return false;
        }
        // What is published and not seen here is of a caller that sees the dormancy. Of a full block
        // the next line in its thread's window tells, unless that one was refused.
        let mut shown = exchange.lanes.iter().filter_map(|lane| lane.window.look());
        let stays = !shown.any(|glimpse| glimpse.has_untaken())
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
        let _kept_out = keep_out_handlers();
        let (exchange, desk) = self.parts();
        exchange.bell.answer();
        let before = desk.taken.chunks();
        for lane in exchange.lanes.iter() {
            if let Some(glimpse) = lane.window.look() {
                desk.notes.push((glimpse, glimpse.published()));
            }
        }
        while let Some(sealed) = exchange.sealed.pop() {
            desk.take_sealed(sealed);
        }
        while let Some((glimpse, to)) = desk.notes.pop() {
            desk.take(glimpse, to, None);
        }
        desk.take_records(exchange);
        // Only now: a note may be of a block that was full by then.
        desk.recycle_spent(exchange, before);
    }

    /// Makes room in the ordered queue, and leaves all else where it is: for a flusher that cannot
    /// send now.
    pub(crate) fn gather(&mut self) {
        let _kept_out = keep_out_handlers();
        let (exchange, desk) = self.parts();
        if desk.taken.chunks() < MAX_CHUNKS {
            let before = desk.taken.chunks();
            desk.take_records(exchange);
            desk.recycle_spent(exchange, before);
        }
    }

    /// How many records were taken since the beginning, whoever did it.
    pub(crate) fn gathered(&self) -> u64 {
        self.desk().gathered
    }

    /// How many will have been, once all that are in the ordered queue by now are.
    pub(crate) fn enqueued(&self) -> u64 {
        self.exchange.ordered.count()
    }

    /// Whether a sweep is worth it: all that was swept before is sent.
    pub(crate) fn wants_sweep(&self) -> bool {
        self.desk().taken.unsent() == 0 && self.desk().taken.chunks() < MAX_CHUNKS
    }

    /// How many bytes wait to be sent: what was swept, and the full blocks and records that were
    /// not.
    pub(crate) fn waiting(&self) -> usize {
        let sealed = self.exchange.sealed.len() * self.exchange.blocks.block_size();
        let records = self.exchange.ordered.len() * Record::SLOT;
        self.desk().taken.unsent() + sealed + records
    }

    /// What is unsent, run by run. Each holds whole lines; but the first, where the link has
    /// taken a part of one.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.desk().taken.unsent_runs(&self.desk().reader)
    }

    /// Bytes that the link was given, and that are not settled.
    pub(crate) fn in_flight(&self) -> usize {
        self.desk().taken.in_flight()
    }

    /// These bytes, run by run. They begin with a whole line.
    pub(crate) fn runs_in_flight(&self) -> impl Iterator<Item = &[u8]> {
        self.desk().taken.runs_in_flight(&self.desk().reader)
    }

    /// Lets go of the first `count` bytes in flight: whole lines, which arrived or are given
    /// up and accounted for.
    pub(crate) fn settle(&mut self, count: usize) {
        let _kept_out = keep_out_handlers();
        let (exchange, Desk { reader, taken, .. }) = self.parts();
        taken.settle(count, reader, give_back(&exchange.free));
    }

    /// Lets go of the first `count` unsent bytes, while nothing is in flight.
    pub(crate) fn consume(&mut self, count: usize) {
        self.advance(count);
        self.settle(count);
    }

    /// Makes what is in flight unsent again, for the next link.
    pub(crate) fn recall(&mut self) {
        self.parts().1.taken.recall();
    }

    /// Sets the first `count` unsent bytes aside, behind those that are: whole lines, while nothing is in
    /// flight. They keep their place, and are passed over.
    pub(crate) fn set_aside(&mut self, count: usize) {
        self.parts().1.taken.set_aside(count);
    }

    /// How many bytes lie aside.
    pub(crate) fn aside(&self) -> usize {
        self.desk().taken.aside()
    }

    /// Makes what lies aside unsent again, and what is in flight with it.
    pub(crate) fn bring_back(&mut self) {
        self.parts().1.taken.bring_back();
    }

    /// Lets go of what lies aside, if anything does. `count` sees it first, run by run.
    pub(crate) fn give_up_aside(&mut self, count: impl FnOnce(&[&[u8]])) {
        let _kept_out = keep_out_handlers();
        let (exchange, Desk { reader, taken, .. }) = self.parts();
        count(&taken.runs_aside(reader).collect::<Vec<_>>());
        taken.give_up_aside(reader, give_back(&exchange.free));
    }

    /// How many full blocks were swept and are not consumed.
    pub(crate) fn blocks(&self) -> usize {
        self.desk().taken.blocks()
    }

    /// Gives up the oldest unsent lines, as many as lie together, for newer ones to have their
    /// block; but for the first `begun` bytes, which the link is committed to. `count` sees them
    /// before. False if there are none.
    pub(crate) fn displace(&mut self, begun: usize, count: impl FnOnce(&[u8])) -> bool {
        let _kept_out = keep_out_handlers();
        let (exchange, Desk { reader, taken, .. }) = self.parts();
        taken.displace(begun, reader, count, give_back(&exchange.free))
    }

    /// Bytes settled or displaced since the beginning, whoever collected them.
    pub(crate) fn consumed(&self) -> u64 {
        self.desk().taken.consumed()
    }

    /// Bytes taken since the beginning: consumed, in flight or unsent.
    pub(crate) fn taken(&self) -> u64 {
        self.desk().taken.taken()
    }
}

/// What is unsent; to advance is to give it to the link.
impl Buf for Collector {
    fn remaining(&self) -> usize {
        self.desk().taken.unsent()
    }

    fn chunk(&self) -> &[u8] {
        self.runs().next().unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        slices.iter_mut().zip(self.runs()).map(|(slice, run)| *slice = IoSlice::new(run)).count()
    }

    fn advance(&mut self, count: usize) {
        self.parts().1.taken.give(count);
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.exchange.dormancy.end();
        // The next one has a link of its own.
        self.bring_back();
        let mut place = self.exchange.desk.lock().unwrap_or_else(|poison| poison.into_inner());
        *place = self.desk.take();
    }
}

//! What was taken out of the blocks and is not consumed yet, oldest first:
//!
//! ```text
//!   | quarantined | in flight: given to the link | unsent |
//! ```
//!
//! The link settles what is in flight once it is known to have arrived, or is given up and
//! counted; then its blocks go back to the threads. What a broken link leaves in flight is
//! recalled, and unsent again. What lies quarantined keeps its place, and is passed over until it is given up or
//! brought back: lines that a server seems to go away on.

use super::block::{BlockView, BlockWriter, ReadPermit, SealedBlock};
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct SendWindow {
    chunks: VecDeque<Chunk>,
    quarantined: usize,
    in_flight: usize,
    unsent: usize,
    /// Where the unsent bytes begin: in this chunk, after so many of its bytes.
    unsent_from: (usize, usize),
    /// Bytes consumed, and bytes taken, since the beginning.
    consumed: u64,
    taken: u64,
}

/// Consecutive lines of one block.
struct Chunk {
    view: BlockView,
    from: usize,
    to: usize,
    /// The block's last lines carry the right to recycle it.
    last: Option<SealedBlock>,
    /// Given up before its turn: keeps its place, so that `consumed` counts in order.
    evicted: bool,
}

impl Chunk {
    fn len(&self) -> usize {
        self.to - self.from
    }

    fn is_live(&self) -> bool {
        !self.evicted && self.from < self.to
    }

    fn bytes<'r>(&self, reader: &'r ReadPermit, skip: usize) -> &'r [u8] {
        self.view.bytes(reader, self.from + skip, self.to)
    }
}

impl SendWindow {
    pub(super) fn push(
        &mut self,
        view: BlockView,
        from: usize,
        to: usize,
        last: Option<SealedBlock>,
    ) {
        self.unsent += to - from;
        self.taken += (to - from) as u64;
        self.chunks.push_back(Chunk { view, from, to, last, evicted: false });
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn quarantined(&self) -> usize {
        self.quarantined
    }

    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(super) fn swept(&self) -> u64 {
        self.taken
    }

    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// How many blocks can go back once what is here is consumed.
    pub(super) fn blocks(&self) -> usize {
        self.chunks.iter().filter(|chunk| chunk.last.is_some()).count()
    }

    /// The unsent bytes, run by run.
    pub(super) fn unsent_runs<'r>(
        &self,
        reader: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> + Clone {
        let (first, begun) = self.unsent_from;
        let chunks = self.chunks.range(first.min(self.chunks.len())..).enumerate();
        let live = chunks.filter(|(_, chunk)| chunk.is_live());
        live.map(move |(place, chunk)| chunk.bytes(reader, if place == 0 { begun } else { 0 }))
    }

    /// The bytes in flight, run by run.
    pub(super) fn in_flight_runs<'r>(
        &self,
        reader: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> {
        self.runs(self.quarantined, self.in_flight, reader)
    }

    /// The bytes quarantined, run by run.
    pub(super) fn quarantined_runs<'r>(
        &self,
        reader: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> {
        self.runs(0, self.quarantined, reader)
    }

    /// So many bytes behind the first `skip`, none of which is unsent.
    fn runs<'r>(
        &self,
        mut skip: usize,
        mut left: usize,
        reader: &'r ReadPermit,
    ) -> impl Iterator<Item = &'r [u8]> {
        let runs = self.chunks.iter().filter(|chunk| chunk.is_live()).map_while(move |chunk| {
            let before = skip.min(chunk.len());
            let here = left.min(chunk.len() - before);
            (skip, left) = (skip - before, left - here);
            (before + here > 0).then(|| &chunk.bytes(reader, 0)[before..before + here])
        });
        runs.filter(|run| !run.is_empty())
    }

    /// Puts the first `count` unsent bytes in flight.
    pub(super) fn mark_sent(&mut self, count: usize) {
        assert!(count <= self.unsent, "more given than there is");
        self.pass_over(count);
        self.in_flight += count;
    }

    /// Takes the first `count` unsent bytes from those that are unsent.
    fn pass_over(&mut self, count: usize) {
        self.unsent -= count;
        let (mut place, mut begun) = self.unsent_from;
        let mut left = count;
        while left > 0 {
            let chunk = &self.chunks[place];
            let here = if chunk.evicted { 0 } else { left.min(chunk.len() - begun) };
            begun += here;
            left -= here;
            if chunk.evicted || begun == chunk.len() {
                (place, begun) = (place + 1, 0);
            }
        }
        self.unsent_from = (place, begun);
    }

    /// Makes all that is in flight unsent again.
    pub(super) fn requeue(&mut self) {
        self.unsent += self.quarantined + self.in_flight;
        self.in_flight = 0;
        self.unsent_from = (0, 0);
        self.pass_over(self.quarantined);
    }

    /// Sets the first `count` unsent bytes quarantined, behind those that are: nothing is in flight.
    pub(super) fn quarantine(&mut self, count: usize) {
        assert!(count <= self.unsent && self.in_flight == 0, "more set quarantined than there is");
        self.pass_over(count);
        self.quarantined += count;
    }

    /// Makes what lies quarantined unsent again, and what is in flight with it.
    pub(super) fn end_quarantine(&mut self) {
        self.in_flight += std::mem::take(&mut self.quarantined);
        self.requeue();
    }

    /// Lets go of what lies quarantined, and of nothing else.
    pub(super) fn discard_quarantined(
        &mut self,
        reader: &mut ReadPermit,
        empty: impl FnMut(BlockWriter),
    ) {
        let count = std::mem::take(&mut self.quarantined);
        self.in_flight += count;
        self.acknowledge(count, reader, empty);
    }

    /// Lets go of the first `count` bytes in flight. Nothing lies quarantined: it would be older.
    pub(super) fn acknowledge(
        &mut self,
        count: usize,
        reader: &mut ReadPermit,
        empty: impl FnMut(BlockWriter),
    ) {
        assert!(count <= self.in_flight, "more settled than is in flight");
        assert!(count == 0 || self.quarantined == 0, "settled before what is older");
        self.in_flight -= count;
        let mut left = count;
        let mut done = 0;
        while left > 0 {
            let chunk = &mut self.chunks[done];
            if chunk.evicted {
                done += 1;
                continue;
            }
            let here = left.min(chunk.len());
            chunk.from += here;
            self.consumed += here as u64;
            left -= here;
            if self.unsent_from.0 == done {
                self.unsent_from.1 -= here;
            }
            done += 1;
        }
        self.release(reader, empty);
    }

    /// Gives up the oldest unsent lines behind the first `begun` bytes, as many as lie together.
    /// `count` sees them first. False if there are none.
    pub(super) fn evict(
        &mut self,
        begun: usize,
        reader: &mut ReadPermit,
        count: impl FnOnce(&[u8]),
        mut empty: impl FnMut(BlockWriter),
    ) -> bool {
        let (first, given) = self.unsent_from;
        let mut left = given + begun;
        let is_next = |place: &usize| {
            let chunk = &self.chunks[*place];
            let is_behind = left == 0;
            left = left.saturating_sub(if chunk.is_live() { chunk.len() } else { 0 });
            is_behind && chunk.is_live()
        };
        let Some(place) = (first..self.chunks.len()).find(is_next) else { return false };
        let chunk = &mut self.chunks[place];
        count(chunk.bytes(reader, 0));
        self.unsent -= chunk.len();
        chunk.evicted = true;
        let block = chunk.view;
        let is_end = |chunk: &Chunk| chunk.view == block && chunk.last.is_some();
        if let Some(end) = (place..self.chunks.len()).find(|place| is_end(&self.chunks[*place])) {
            self.recycle_if_spent(end, reader, &mut empty);
        }
        self.merge_gap(place);
        self.release(reader, empty);
        true
    }

    /// Gives back the blocks that a sweep found full, and of which nothing was left by then: their
    /// chunks are among those from this one on, and may have to wait for others.
    pub(super) fn recycle_spent(
        &mut self,
        from: usize,
        reader: &mut ReadPermit,
        mut empty: impl FnMut(BlockWriter),
    ) {
        for place in (from..self.chunks.len()).rev() {
            if self.chunks[place].len() == 0 {
                self.recycle_if_spent(place, reader, &mut empty);
            }
        }
    }

    /// Gives back the block that ends with this chunk, unless lines of it are left. What remains is a
    /// gap.
    fn recycle_if_spent(
        &mut self,
        end: usize,
        reader: &mut ReadPermit,
        empty: &mut impl FnMut(BlockWriter),
    ) {
        let block = self.chunks[end].view;
        let is_left = |chunk: &Chunk| chunk.is_live() && chunk.view == block;
        if self.chunks.iter().rev().any(is_left) {
            return;
        }
        let chunk = &mut self.chunks[end];
        if let Some(last) = chunk.last.take() {
            empty(last.recycle(reader));
        }
        chunk.evicted = true;
        if chunk.len() == 0 {
            self.merge_gap(end);
        }
    }

    /// Joins an evicted chunk to one before it, so that they stay few while the front waits.
    fn merge_gap(&mut self, place: usize) {
        let Some(before) = place.checked_sub(1) else { return };
        let is_gap = |chunk: &Chunk| chunk.evicted && chunk.last.is_none();
        if before >= self.unsent_from.0
            && is_gap(&self.chunks[before])
            && is_gap(&self.chunks[place])
        {
            self.chunks[before].to += self.chunks[place].len();
            self.chunks.remove(place);
        }
    }

    /// Lets go of chunks at the front that have nothing left.
    pub(super) fn release(&mut self, reader: &mut ReadPermit, mut empty: impl FnMut(BlockWriter)) {
        while self.chunks.front().is_some_and(|chunk| !chunk.is_live()) {
            let done = self.chunks.pop_front().expect("there is a front");
            // A evicted one's, which were not counted before.
            self.consumed += done.len() as u64;
            let (place, begun) = self.unsent_from;
            self.unsent_from = place.checked_sub(1).map_or((0, 0), |place| (place, begun));
            if let Some(sealed) = done.last {
                empty(sealed.recycle(reader));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Consumer, Exchange};
    use bytes::Buf;
    use std::sync::Arc;

    /// Lines of eight bytes in blocks of 32: one that was swept while its block was not full,
    /// and the others. The first `in_flight` bytes are under way.
    fn collected(in_flight: usize) -> (Arc<Exchange>, Consumer) {
        let exchange = Arc::new(Exchange::new(32, 1 << 13, 1, Box::new(|| {})));
        let mut consumer = Exchange::consumer(&exchange).expect("nobody has it");
        exchange.emit(|| LINES[0]);
        consumer.sweep();
        LINES[1..].iter().for_each(|line| exchange.emit(|| *line));
        consumer.sweep();
        consumer.advance(in_flight);
        (exchange, consumer)
    }

    const LINES: [&str; 6] =
        ["aa:1|c.\n", "bb:2|c.\n", "cc:3|c.\n", "dd:4|c.\n", "ee:5|c.\n", "f:66|c.\n"];

    fn displace_all(consumer: &mut Consumer) -> String {
        let mut text = Vec::new();
        while consumer.evict(0, |run| text.extend_from_slice(run)) {}
        String::from_utf8(text).expect("lines are text")
    }

    #[test]
    fn what_is_unsent_is_displaced_oldest_first() {
        let (exchange, mut consumer) = collected(0);
        assert_eq!(displace_all(&mut consumer), LINES.concat());
        assert_eq!((consumer.remaining(), consumer.consumed()), (0, 48));
        assert_eq!(exchange.free.len(), 1);
    }

    /// The block of the line in flight is full, and the last of its lines is evicted: it must
    /// not be written to before that line was settled.
    #[test]
    fn a_block_with_a_line_in_flight_is_not_given_back() {
        let (exchange, mut consumer) = collected(8);
        assert_eq!(displace_all(&mut consumer), LINES[1..].concat());
        assert_eq!((exchange.free.len(), consumer.consumed()), (0, 0));
        consumer.requeue();
        assert_eq!(consumer.chunk(), LINES[0].as_bytes());
        consumer.discard(8);
        assert_eq!((exchange.free.len(), consumer.consumed()), (1, 48));
    }

    /// Displaced lines behind those in flight count once these are settled: a flush waits for
    /// a place in the order.
    #[test]
    fn a_gap_counts_in_its_turn() {
        let (exchange, mut consumer) = collected(16);
        assert!(consumer.evict(0, |run| assert_eq!(run, LINES[4..].concat().as_bytes())));
        assert!(!consumer.evict(0, |_| {}), "the link has begun with the rest");
        consumer.acknowledge(16);
        assert_eq!((consumer.consumed(), consumer.remaining()), (16, 16));
        consumer.discard(16);
        assert_eq!((consumer.consumed(), exchange.free.len()), (48, 1));
    }

    /// What is in flight waits; lines behind it are evicted before their block is full, which is
    /// then found full with nothing left of it. It goes back at once: it may be all the room there is.
    #[test]
    fn a_block_that_was_displaced_before_it_was_full_goes_back() {
        let (exchange, mut consumer) = collected(8);
        exchange.emit(|| "gg:7|c.\n");
        exchange.emit(|| "hh:8|c.\n");
        consumer.sweep();
        displace_all(&mut consumer);
        assert_eq!(exchange.free.len(), 0);
        exchange.emit(|| "ii:9|c.\n");
        consumer.sweep();
        assert_eq!(exchange.free.len(), 1);
        consumer.acknowledge(8);
        assert_eq!((exchange.free.len(), consumer.consumed()), (2, 64));
        consumer.discard(8);
        assert_eq!((consumer.consumed(), consumer.remaining()), (72, 0));
    }

    /// The same, where it was found full first.
    #[test]
    fn a_block_that_was_found_full_before_it_is_displaced_goes_back() {
        let (exchange, mut consumer) = collected(8);
        exchange.emit(|| "gg:7|c.\n");
        exchange.emit(|| "hh:8|c.\n");
        consumer.sweep();
        exchange.emit(|| "ii:9|c.\n");
        consumer.sweep();
        assert_eq!(exchange.free.len(), 0);
        displace_all(&mut consumer);
        assert_eq!(exchange.free.len(), 1);
        consumer.acknowledge(8);
        assert_eq!((exchange.free.len(), consumer.consumed()), (2, 72));
    }

    /// All its lines were gone before it was full: nothing is left to acknowledge, and the sweep that
    /// finds it sealed gives it back.
    #[test]
    fn a_block_that_is_sealed_with_nothing_left_goes_back_at_the_sweep() {
        let (exchange, mut consumer) = collected(0);
        exchange.emit(|| "gg:7|c.\n");
        exchange.emit(|| "hh:8|c.\n");
        consumer.sweep();
        consumer.discard(consumer.remaining());
        assert_eq!(exchange.free.len(), 1);
        exchange.emit(|| "ii:9|c.\n");
        consumer.sweep();
        assert_eq!(exchange.free.len(), 1, "one was taken, and one came");
        assert_eq!(consumer.remaining(), 8);
    }

    /// It is passed over, also by what is recalled, keeps its place and its block, and is evicted by
    /// nothing; then it is brought back, in its order, or given up.
    #[test]
    fn what_lies_aside_keeps_its_place() {
        let (exchange, mut consumer) = collected(0);
        consumer.quarantine(8);
        consumer.quarantine(8);
        consumer.advance(16);
        let runs = |consumer: &Consumer| consumer.in_flight_runs().collect::<Vec<_>>().concat();
        assert_eq!(runs(&consumer), LINES[2..4].concat().as_bytes());
        consumer.requeue();
        assert_eq!((consumer.quarantined(), consumer.remaining()), (16, 32));
        assert_eq!(consumer.chunk(), LINES[2..4].concat().as_bytes());
        assert!(consumer.evict(0, |run| assert_eq!(run, LINES[4..].concat().as_bytes())));
        assert!(!consumer.evict(0, |_| {}), "what lies quarantined is in its block");
        consumer.end_quarantine();
        assert_eq!((consumer.quarantined(), consumer.remaining(), consumer.consumed()), (0, 32, 0));
        assert_eq!(consumer.chunk(), LINES[0].as_bytes());
        consumer.quarantine(8);
        consumer.advance(8);
        consumer.discard_quarantined(|runs| assert_eq!(runs.concat(), LINES[0].as_bytes()));
        assert_eq!((consumer.consumed(), consumer.in_flight()), (8, 8));
        consumer.acknowledge(8);
        consumer.discard(16);
        assert_eq!((consumer.consumed(), consumer.remaining(), exchange.free.len()), (48, 0, 1));
    }

    /// The next one that collects knows nothing of it: to it these lines are as all others.
    #[test]
    fn what_lies_aside_is_brought_back_by_a_stop() {
        let (exchange, mut consumer) = collected(0);
        consumer.quarantine(8);
        consumer.advance(8);
        drop(consumer);
        let mut consumer = Exchange::consumer(&exchange).expect("nobody has it");
        assert_eq!((consumer.quarantined(), consumer.remaining()), (0, 48));
        consumer.discard(48);
    }

    /// A link that takes line after line and confirms none does not make the index grow for
    /// ever.
    #[test]
    fn sweeps_end_where_nothing_is_settled() {
        let (exchange, mut consumer) = collected(48);
        let mut sweeps = 0;
        while consumer.is_ready_to_sweep() {
            exchange.emit(|| "a:1|c\n");
            consumer.sweep();
            consumer.advance(consumer.remaining());
            sweeps += 1;
            assert!(sweeps < 1 << 15);
        }
        consumer.acknowledge(consumer.in_flight());
        assert!(consumer.is_ready_to_sweep());
    }
}

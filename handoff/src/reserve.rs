//! Reserving: methods of `Exchange` with which a thread gets space for its records.

use crate::exchange::Exchange;
use crate::record::Record;
use crate::reservation::{OrderedBuffer, OrderedReservation, OrderedSpace, Reservation};
use crate::tally::Tally;

impl<C: Default> Exchange<C> {
    /// Reserves space for `records` records of at most `max_len` bytes in total, if the thread's
    /// current block has enough space. Returns `None` otherwise.
    ///
    /// This is the fast path of [`reserve`](Self::reserve): it has no read-modify-write, counts
    /// nothing if it fails, and compiles to a few instructions. The first record of a thread always
    /// fails here.
    #[inline(always)]
    pub fn try_reserve(&self, records: u64, max_len: usize) -> Option<Reservation<'_, C>> {
        let (guard, producer) = self.producers.enter()?;
        let writer = producer.writer.lend(guard)?;
        // One comparison rejects both 0 and too many bytes.
        if max_len.wrapping_sub(1) >= self.max_len || max_len > writer.available() {
            return None;
        }
        Some(Reservation::new(self, producer, records, max_len, writer))
    }

    /// Reserves space for `records` records of at most `max_len` bytes in total. Gives the thread
    /// an empty block if its current block has too little space.
    ///
    /// Returns `None` if the records must be dropped. They are counted then.
    ///
    /// # Panics
    /// If `max_len` is 0.
    #[inline]
    pub fn reserve(&self, records: u64, max_len: usize) -> Option<Reservation<'_, C>> {
        self.try_reserve(records, max_len)
            .or_else(|| self.try_reserve_in_next_block(records, max_len))
            .or_else(|| self.reserve_slow(records, max_len))
    }

    /// Gives the thread an empty block, since its current one has too little space, and reserves
    /// space there. Returns `None` if there is no empty block, or if the thread has no block yet.
    ///
    /// [`reserve`](Self::reserve) calls it after [`try_reserve`](Self::try_reserve). It counts nothing
    /// if it fails. It is short, because its instructions and data are in no cache when it runs.
    #[inline(never)]
    pub fn try_reserve_in_next_block(
        &self,
        records: u64,
        max_len: usize,
    ) -> Option<Reservation<'_, C>> {
        let (mut guard, producer) = self.producers.enter()?;
        let available = producer.writer.available(&guard)?;
        let is_too_long = max_len.wrapping_sub(1) >= self.max_len;
        if is_too_long || max_len <= available || !self.rotate(producer, &mut guard) {
            return None;
        }
        let writer = producer.writer.lend(guard)?;
        Some(Reservation::new(self, producer, records, max_len, writer))
    }

    /// Reserves space for the first record of a thread, and for records that need an empty block.
    /// This is the slow path of `reserve`.
    #[cold]
    #[inline(never)]
    fn reserve_slow(&self, records: u64, max_len: usize) -> Option<Reservation<'_, C>> {
        let mut guard = self.enter_or_count(records)?;
        let producer = self.producers.get_or_create(&guard);
        if self.is_oversize(producer, records, max_len) {
            return None;
        }
        let available = producer.writer.available(&guard).unwrap_or_else(|| {
            let first = self.supply.create();
            let available = first.available();
            producer.taken.chain.begin(first.view());
            producer.writer.begin(&mut guard, first);
            available
        });
        if max_len > available && !self.rotate(producer, &mut guard) {
            producer.full.count(Tally { records, bytes: max_len as u64 });
            self.wake_if_dormant();
            return None;
        }
        let writer = producer.writer.lend(guard)?;
        Some(Reservation::new(self, producer, records, max_len, writer))
    }

    /// Reserves space in `buffer` for records that keep their order across threads. Returns `None`
    /// if the records are empty or too long, the thread already holds a reservation, or the
    /// exchange does not know the thread yet.
    ///
    /// This is the fast path of [`reserve_ordered`](Self::reserve_ordered). It counts nothing if it
    /// fails.
    #[inline(always)]
    pub fn try_reserve_ordered<'a>(
        &'a self,
        records: u64,
        max_len: usize,
        buffer: &'a mut OrderedBuffer,
    ) -> Option<OrderedReservation<'a, C>> {
        if max_len > Record::MAX_SHORT || max_len.wrapping_sub(1) >= self.max_len {
            return None;
        }
        let (guard, producer) = self.producers.enter()?;
        let space = OrderedSpace::short(guard, buffer);
        Some(Reservation::new(self, producer, records, max_len, space))
    }

    /// Returns true if the queue of ordered records has room for records of `max_len` bytes, as far as
    /// no other thread takes it. Otherwise makes room first if the consumer is late.
    pub fn has_room_for_ordered(&self, max_len: usize) -> bool {
        self.ordered.has_room_for(max_len, &self.supply)
    }

    /// Reserves space for records that keep their order across threads. Records that are committed
    /// before another thread begins its reservation arrive before the records of that thread.
    ///
    /// Returns `None` if the records must be dropped. They are counted then. Records that find the
    /// queue full are dropped at the commit.
    ///
    /// # Panics
    /// If `max_len` is 0.
    #[cold]
    #[inline(never)]
    pub fn reserve_ordered<'a>(
        &'a self,
        records: u64,
        max_len: usize,
        buffer: &'a mut OrderedBuffer,
    ) -> Option<OrderedReservation<'a, C>> {
        let guard = self.enter_or_count(records)?;
        let producer = self.producers.get_or_create(&guard);
        if self.is_oversize(producer, records, max_len) {
            return None;
        }
        let space = if max_len <= Record::MAX_SHORT {
            OrderedSpace::short(guard, buffer)
        } else if self.ordered.has_room_for(max_len, &self.supply) {
            OrderedSpace::long(guard, max_len)
        } else {
            producer.full.count(Tally { records, bytes: max_len as u64 });
            self.wake_if_dormant();
            return None;
        };
        Some(Reservation::new(self, producer, records, max_len, space))
    }

    /// Emits `records` records that are already encoded in `bytes`. Returns false if they were
    /// dropped and counted.
    pub fn push(&self, records: u64, bytes: &[u8]) -> bool {
        let Some(mut reservation) = self.reserve(records, bytes.len()) else { return false };
        reservation.buffer()[..bytes.len()].copy_from_slice(bytes);
        reservation.commit(bytes.len())
    }

    /// Emits `records` records that are already encoded in `bytes`, and keeps their order across
    /// threads. Returns false if they were dropped and counted.
    pub fn push_ordered(&self, records: u64, bytes: &[u8]) -> bool {
        let mut buffer = OrderedBuffer::new();
        let reservation = self.reserve_ordered(records, bytes.len(), &mut buffer);
        let Some(mut reservation) = reservation else { return false };
        reservation.buffer()[..bytes.len()].copy_from_slice(bytes);
        reservation.commit(bytes.len())
    }
}

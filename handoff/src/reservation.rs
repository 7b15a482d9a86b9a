//! Reservations: space for records, from the reservation to the commit.

use crate::block::{LentWriter, MARGIN};
use crate::exchange::Exchange;
use crate::producer::Producer;
use crate::record::Record;
use crate::sync::ThreadGuard;
use crate::tally::Tally;
use sealed::Space;
use std::fmt;

/// Space for records, which the thread fills and commits.
///
/// The records are published by [`commit`](Self::commit), whole or not at all. Dropping the
/// reservation publishes and counts nothing, also during a panic.
///
/// A thread has at most one reservation at a time, of all exchanges. While it has one, further
/// records of this thread are dropped and counted as [reentrant](crate::Counts::reentrant). A
/// reservation that is [forgotten](std::mem::forget) therefore costs a block and all later records
/// of its thread.
///
/// A reservation cannot be sent to another thread:
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<freewheel_handoff::Reservation<'_>>();
/// ```
#[must_use = "dropping a reservation publishes nothing"]
pub struct Reservation<'a, C = (), S = BlockSpace<'a>> {
    exchange: &'a Exchange<C>,
    producer: &'a Producer<C>,
    records: u64,
    max_len: usize,
    space: S,
}

/// Reservation of records that keep their order across threads.
pub type OrderedReservation<'a, C = ()> = Reservation<'a, C, OrderedSpace<'a>>;

/// Space in the block of a thread.
pub struct BlockSpace<'a>(LentWriter<'a>);

/// Space for a record of the ordered queue.
pub struct OrderedSpace<'a> {
    buffer: Buffer<'a>,
    _guard: ThreadGuard,
}

enum Buffer<'a> {
    Short(&'a mut [u8; OrderedBuffer::LEN]),
    Long(Vec<u8>),
}

/// Space on the stack for one short record, until it is copied into the ordered queue.
pub struct OrderedBuffer([u8; Self::LEN]);

impl OrderedBuffer {
    const LEN: usize = Record::MAX_SHORT + MARGIN;

    /// Creates a buffer for [`Exchange::reserve_ordered`].
    #[inline(always)]
    #[must_use]
    pub fn new() -> Self {
        Self([0; Self::LEN])
    }
}

impl Default for OrderedBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> From<LentWriter<'a>> for BlockSpace<'a> {
    #[inline(always)]
    fn from(writer: LentWriter<'a>) -> Self {
        Self(writer)
    }
}

impl<'a> OrderedSpace<'a> {
    #[inline(always)]
    pub(crate) fn short(guard: ThreadGuard, buffer: &'a mut OrderedBuffer) -> Self {
        Self { buffer: Buffer::Short(&mut buffer.0), _guard: guard }
    }

    #[cold]
    pub(crate) fn long(guard: ThreadGuard, max_len: usize) -> Self {
        Self { buffer: Buffer::Long(vec![0; max_len + MARGIN]), _guard: guard }
    }
}

impl<'a, C: Default, S: Space> Reservation<'a, C, S> {
    #[inline(always)]
    pub(crate) fn new(
        exchange: &'a Exchange<C>,
        producer: &'a Producer<C>,
        records: u64,
        max_len: usize,
        space: impl Into<S>,
    ) -> Self {
        Self { exchange, producer, records, max_len, space: space.into() }
    }

    /// Returns the space: as many bytes as were reserved, and [`MARGIN`](crate::MARGIN) bytes more.
    ///
    /// The space may contain bytes of earlier records. The margin is for writes of whole chunks; its
    /// bytes are never published.
    #[inline(always)]
    pub fn buffer(&mut self) -> &mut [u8] {
        self.space.bytes(self.max_len)
    }

    /// Publishes the first `len` bytes of the space. Returns false if the records were dropped and
    /// counted, since the ordered queue is full; space in a block is never refused.
    ///
    /// # Panics
    /// If `len` is 0, or more than was reserved. Nothing is published then.
    #[inline(always)]
    pub fn commit(self, len: usize) -> bool {
        self.commit_and(len, |_| {})
    }

    /// Publishes as [`commit`](Self::commit) does, and lets the application count the records in its
    /// own counts of this thread, if they are accepted.
    ///
    /// # Panics
    /// The same as for [`commit`](Self::commit).
    #[inline(always)]
    pub fn commit_and(self, len: usize, count: impl FnOnce(&C)) -> bool {
        // Usually `len` is the length reserved, which the compiler knows.
        if len != self.max_len && (len == 0 || len > self.max_len) {
            invalid_length();
        }
        let Self { exchange, producer, records, space, .. } = self;
        let is_accepted = space.publish(exchange, producer, Tally { records, bytes: len as u64 });
        if is_accepted {
            count(&producer.application);
        }
        is_accepted
    }
}

/// A function without arguments, so that the fast path does not prepare any.
#[cold]
#[inline(never)]
fn invalid_length() -> ! {
    panic!("committed no bytes, or more bytes than were reserved")
}

#[allow(unnameable_types)]
mod sealed {
    use super::{Exchange, Producer, Tally};

    /// Space that a reservation can have.
    pub trait Space {
        /// Returns the space for `len` bytes, and the margin.
        fn bytes(&mut self, len: usize) -> &mut [u8];

        /// Counts and publishes records. Returns false if they are dropped instead.
        #[allow(private_interfaces)]
        fn publish<C: Default>(
            self,
            exchange: &Exchange<C>,
            producer: &Producer<C>,
            size: Tally,
        ) -> bool;
    }
}

impl Space for BlockSpace<'_> {
    #[inline(always)]
    fn bytes(&mut self, len: usize) -> &mut [u8] {
        self.0.unpublished(len)
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    fn publish<C: Default>(
        mut self,
        exchange: &Exchange<C>,
        producer: &Producer<C>,
        size: Tally,
    ) -> bool {
        // Counted before publication: a record that is consumed was counted.
        producer.accepted.count(size);
        self.0.publish(size.bytes as usize);
        exchange.wake_if_dormant();
        true
    }
}

impl Space for OrderedSpace<'_> {
    #[inline(always)]
    fn bytes(&mut self, len: usize) -> &mut [u8] {
        match &mut self.buffer {
            Buffer::Short(buffer) => &mut buffer[..len + MARGIN],
            Buffer::Long(buffer) => buffer,
        }
    }

    #[inline(always)]
    #[allow(private_interfaces)]
    fn publish<C: Default>(
        self,
        exchange: &Exchange<C>,
        producer: &Producer<C>,
        size: Tally,
    ) -> bool {
        let len = size.bytes as usize;
        match self.buffer {
            Buffer::Short(buffer) => {
                exchange.enqueue(producer, size, || Record::short(buffer, len))
            }
            Buffer::Long(mut record) => {
                record.truncate(len);
                exchange.enqueue(producer, size, || exchange.ordered.long_record(record))
            }
        }
    }
}

impl<C, S> fmt::Debug for Reservation<'_, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, max_len, .. } = self;
        f.debug_struct("Reservation").field("records", records).field("max_len", max_len).finish()
    }
}

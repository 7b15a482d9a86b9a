//! Reservations: space that a thread reserves for records, fills, and then commits.

use crate::block::{LentWriter, MARGIN};
use crate::exchange::Exchange;
use crate::producer::Producer;
use crate::record::Record;
use crate::sync::ThreadGuard;
use crate::tally::Tally;
use sealed::Space;
use std::fmt;

/// Space for one or more records. The thread that reserved it writes the records into it, and
/// commits them for the consumer.
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

/// Reservation for records that keep their order across threads.
pub type OrderedReservation<'a, C = ()> = Reservation<'a, C, OrderedSpace<'a>>;

/// Space for records in the current block (a buffer) of a producer thread.
pub struct BlockSpace<'a>(LentWriter<'a>);

/// Space for a record that the commit pushes to the ordered queue, which keeps the order of records
/// across threads.
pub struct OrderedSpace<'a> {
    buffer: Buffer<'a>,
    _guard: ThreadGuard,
}

enum Buffer<'a> {
    Short(&'a mut [u8; OrderedBuffer::LEN]),
    Long(Vec<u8>),
}

/// Buffer on the caller's stack for one short record, which the commit copies into the ordered
/// queue.
pub struct OrderedBuffer([u8; Self::LEN]);

impl OrderedBuffer {
    const LEN: usize = Record::MAX_SHORT + MARGIN;

    /// Creates a zeroed buffer to pass to [`Exchange::reserve_ordered`].
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

    /// Returns the reserved space for writing: as many bytes as were reserved, and
    /// [`MARGIN`](crate::MARGIN) spare bytes after them.
    ///
    /// The space may contain bytes of earlier records. The margin is for writes of whole chunks; its
    /// bytes are never published.
    #[inline(always)]
    pub fn buffer(&mut self) -> &mut [u8] {
        self.space.bytes(self.max_len)
    }

    /// Passes the first `len` bytes of the space to the consumer. Returns false if the ordered
    /// queue was full, and the records were dropped and counted; a commit to a block always
    /// succeeds.
    ///
    /// # Panics
    /// If `len` is 0, or more than was reserved. Nothing is published then.
    #[inline(always)]
    pub fn commit(self, len: usize) -> bool {
        self.commit_and(len, |_| {})
    }

    /// Commits as [`commit`](Self::commit) does. If the records are accepted, it then calls `count`
    /// with the application's own counts of the current thread.
    ///
    /// # Panics
    /// The same as for [`commit`](Self::commit).
    #[inline(always)]
    pub fn commit_and(self, len: usize, count: impl FnOnce(&C)) -> bool {
        // Usually `len` is the length reserved, which the compiler knows.
        if len != self.max_len && (len == 0 || len > self.max_len) {
            invalid_length();
        }
        // The space holds the guard of the thread until the records are counted.
        let Self { exchange, producer, records, mut space, .. } = self;
        let is_accepted = space.publish(exchange, producer, Tally { records, bytes: len as u64 });
        if is_accepted {
            count(&producer.application);
        }
        is_accepted
    }
}

/// Panics because no bytes, or more bytes than were reserved, are committed. The function has no
/// parameters, so that the fast path need not pass any.
#[cold]
#[inline(never)]
fn invalid_length() -> ! {
    panic!("committed no bytes, or more bytes than were reserved")
}

#[allow(unnameable_types)]
mod sealed {
    use super::{Exchange, Producer, Tally};

    /// Kind of memory that a reservation uses: the thread's block, or a buffer for the ordered
    /// queue.
    pub trait Space {
        /// Returns the first `len` bytes of the space for writing, and `MARGIN` spare bytes after
        /// them.
        fn bytes(&mut self, len: usize) -> &mut [u8];

        /// Counts the records of the reservation and passes them to the consumer. Returns false if
        /// these records are dropped instead.
        #[allow(private_interfaces)]
        fn publish<C: Default>(
            &mut self,
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
        &mut self,
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
        &mut self,
        exchange: &Exchange<C>,
        producer: &Producer<C>,
        size: Tally,
    ) -> bool {
        let len = size.bytes as usize;
        match &mut self.buffer {
            Buffer::Short(buffer) => {
                exchange.enqueue(producer, size, || Record::short(&buffer[..], len))
            }
            Buffer::Long(record) => {
                let mut record = std::mem::take(record);
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

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use crate::stress::exchange;
    use crate::{Consumer, Counts, Exchange, OrderedBuffer, Tally};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::thread;

    fn published(exchange: &Arc<Exchange>) -> Vec<u8> {
        let mut consumer = Consumer::claim(exchange).expect("no consumer exists");
        consumer.sweep();
        let bytes = consumer.runs().collect::<Vec<_>>().concat();
        consumer.discard(bytes.len());
        bytes
    }

    fn accepted(records: u64, bytes: u64) -> Counts {
        Counts { accepted: Tally { records, bytes }, ..Counts::default() }
    }

    #[test]
    fn only_the_committed_bytes_are_published() {
        let exchange = exchange(64, 2);
        let mut space = exchange.reserve(2, 10).expect("there is space");
        assert!(space.buffer().len() >= 10);
        space.buffer()[..10].copy_from_slice(b"abcdefghij");
        assert!(space.commit(4));
        assert!(exchange.push(1, b"klm"));
        assert_eq!(exchange.counts(), accepted(3, 7));
        assert_eq!(published(&exchange), b"abcdklm");
    }

    #[test]
    fn a_dropped_reservation_publishes_and_counts_nothing() {
        let exchange = exchange(64, 2);
        assert!(exchange.push(1, b"a"));
        let mut space = exchange.reserve(1, 10).expect("there is space");
        space.buffer().fill(b'x');
        drop(space);
        let mut buffer = OrderedBuffer::new();
        drop(exchange.reserve_ordered(1, 10, &mut buffer));
        let filling = || {
            let mut space = exchange.reserve(1, 10).expect("there is space");
            space.buffer().fill(b'y');
            panic!("on purpose");
        };
        assert!(catch_unwind(AssertUnwindSafe(filling)).is_err());
        assert!(exchange.push(1, b"b"));
        assert_eq!(exchange.counts(), accepted(2, 2));
        assert_eq!(published(&exchange), b"ab");
    }

    #[test]
    fn an_invalid_length_panics_and_publishes_nothing() {
        let exchange = exchange(64, 2);
        for len in [0, 11, 100, usize::MAX] {
            let commit = || exchange.reserve(1, 10).expect("there is space").commit(len);
            assert!(catch_unwind(AssertUnwindSafe(commit)).is_err(), "{len}");
            let mut buffer = OrderedBuffer::new();
            let commit = || {
                let space = exchange.reserve_ordered(1, 10, &mut buffer);
                space.expect("there is space").commit(len)
            };
            assert!(catch_unwind(AssertUnwindSafe(commit)).is_err(), "{len}");
        }
        assert!(catch_unwind(AssertUnwindSafe(|| exchange.reserve(1, 0).is_some())).is_err());
        assert_eq!(exchange.counts(), Counts::default());
        assert_eq!(published(&exchange), b"");
        assert!(exchange.push(1, b"a"));
    }

    /// Checks that a thread that holds a reservation cannot make another, on the same or on another
    /// exchange. The records of the second call must be dropped and counted as reentrant.
    #[test]
    fn a_second_reservation_is_a_counted_drop() {
        let (exchange, other) = (exchange(64, 2), exchange(64, 2));
        let mut first = exchange.reserve(1, 1).expect("there is space");
        first.buffer()[0] = b'a';
        assert!(exchange.reserve(1, 1).is_none());
        assert!(!exchange.push_ordered(2, b"b"));
        assert!(!other.push(3, b"c"));
        assert!(first.commit(1));
        assert_eq!(exchange.counts().reentrant, Tally { records: 3, bytes: 0 });
        assert_eq!(other.counts().reentrant, Tally { records: 3, bytes: 0 });
        assert!(other.push(1, b"d"));
        assert_eq!((published(&exchange), published(&other)), (b"a".to_vec(), b"d".to_vec()));
    }

    /// Checks that the later records of a thread that leaks a reservation with `mem::forget` are
    /// dropped and counted as reentrant. Records of other threads must still arrive.
    #[test]
    fn a_forgotten_reservation_costs_the_threads_later_records() {
        let exchange = exchange(64, 2);
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(exchange.push(1, b"a"));
                std::mem::forget(exchange.reserve(1, 10));
                assert!(!exchange.push(1, b"b"));
            });
        });
        assert!(exchange.push(1, b"c"));
        assert_eq!(exchange.counts().accepted, Tally { records: 2, bytes: 2 });
        assert_eq!(exchange.counts().reentrant, Tally { records: 1, bytes: 0 });
        let mut bytes = published(&exchange);
        bytes.sort_unstable();
        assert_eq!(bytes, b"ac");
    }

    /// Checks that short and long records that are committed to the ordered queue arrive in order,
    /// each cut to its committed length. Long records are stored on the heap.
    #[test]
    fn ordered_records_of_any_length_keep_their_order() {
        let exchange = exchange(1024, 8);
        let mut expected = Vec::new();
        for len in [1, 246, 247, 900] {
            let mut buffer = OrderedBuffer::new();
            let mut space = exchange.reserve_ordered(1, len, &mut buffer).expect("there is space");
            let byte = b'a' + (len % 26) as u8;
            space.buffer()[..len].fill(byte);
            assert!(space.commit(len.div_ceil(2)));
            expected.extend(vec![byte; len.div_ceil(2)]);
        }
        assert_eq!(published(&exchange), expected);
    }

    #[test]
    fn too_long_records_are_counted() {
        let exchange = exchange(64, 2);
        let mut buffer = OrderedBuffer::new();
        assert!(exchange.try_reserve(1, 65).is_none());
        assert!(exchange.reserve(1, 65).is_none());
        assert!(exchange.reserve_ordered(2, 65, &mut buffer).is_none());
        exchange.reject_oversize(3, 100);
        assert_eq!(exchange.counts().oversize, Tally { records: 6, bytes: 230 });
    }

    #[test]
    fn the_application_counts_accepted_and_rejected_records() {
        #[derive(Default)]
        struct Own {
            marked: crate::SingleWriterTally,
        }
        let settings = crate::Settings { block_size: 64, blocks: 2, ring_at: 1, max_record: 64 };
        let exchange: Exchange<Own> =
            Exchange::new(&settings, Box::new(|| ()), crate::Barrier::none());
        let mark = |own: &Own| own.marked.count(Tally { records: 1, bytes: 0 });
        exchange.reserve(1, 1).expect("there is space").commit_and(1, mark);
        exchange.reject(1, mark);
        let held = exchange.reserve(1, 1);
        exchange.reject(1, |_| unreachable!("the thread holds a reservation"));
        drop(held);
        let marked: u64 = exchange.application_counts().map(|own| own.marked.read().records).sum();
        assert_eq!((marked, exchange.counts().reentrant.records), (2, 1));
    }
}

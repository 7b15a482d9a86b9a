//! Sums: numbers that any thread adds to for the price of an addition, and that one thread reads.
//!
//! ```text
//!                      sum 0   sum 1   sum 2  ...
//!   thread 0's cells     5       0       2          a cell is written by its thread alone
//!   thread 1's cells     1       7       0
//!   shared               0       1       0          for threads that have no cells
//!   origin              -4       0      -2          what was subtracted, or was there before
//!                      -----   -----   -----
//!   value                2       8       0
//! ```
//!
//! Cells are never reset, so that their owner is their only writer. They belong to the ID of a thread
//! and to the ID of a sum. The next owner of either goes on from the number that it finds.

use crate::buckets::Buckets;
use crate::sync::{
    AtomicU64, CHUNK_LEN, ChunkRef, IdSet, PADDING, SUM_WORDS, ThreadGuard, set_first_chunk,
    with_first_chunk, with_sums,
};
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;

/// Number of chunks that hold a thread's cells of all sums.
const CHUNKS: usize = SUM_WORDS * 64 / CHUNK_LEN;

/// State of all sums of the process.
pub(crate) struct Sums {
    pub(crate) ids: IdSet<SUM_WORDS>,
    /// Row of each sum, by the ID of the sum.
    rows: Buckets<Row>,
    /// Cells of each thread, by the ID of the thread.
    threads: Buckets<ThreadCells>,
}

/// Parts of a sum that are not one thread's.
struct Row {
    /// Total of what threads without cells have added: exiting threads, signal handlers and
    /// allocators.
    shared: AtomicU64,
    /// Number that is subtracted from the total of the cells. It was there when the sum was created,
    /// or was subtracted later.
    origin: AtomicU64,
}

/// Cells of one thread, in chunks. A chunk is allocated when the thread first adds to a sum in it,
/// and never moves.
struct ThreadCells([OnceLock<ChunkRef>; CHUNKS]);

/// Cells of one thread, for sums with successive IDs. Unused cells at both ends keep the cells of two
/// threads apart in the processor's cache.
pub(crate) type Chunk = [AtomicU64; CHUNK_LEN + 2 * PADDING];

/// Allocates a chunk, without a copy of it on the stack.
pub(crate) fn new_chunk() -> Box<Chunk> {
    let cells: Box<[_]> = (0..CHUNK_LEN + 2 * PADDING).map(|_| AtomicU64::new(0)).collect();
    cells.try_into().unwrap_or_else(|_| unreachable!("it has this number of cells"))
}

/// Returns the cell of a sum in the chunk that has its cell.
pub(crate) fn cell(chunk: &Chunk, sum: usize) -> &AtomicU64 {
    &chunk[PADDING + sum % CHUNK_LEN]
}

/// Adds `amount` to a cell that belongs to the calling thread.
#[inline(always)]
fn add(cell: &AtomicU64, amount: u64) {
    // ORDERING: Relaxed, both. Only this thread writes to the cell, and the cell publishes nothing. On
    // x86-64 the two are one instruction, which no signal handler can interrupt.
    cell.store(cell.load(Relaxed).wrapping_add(amount), Relaxed);
}

impl Default for ThreadCells {
    fn default() -> Self {
        Self([const { OnceLock::new() }; CHUNKS])
    }
}

impl ThreadCells {
    /// Returns the number in this thread's cell of a sum.
    fn read(&self, sum: usize) -> u64 {
        // ORDERING: Relaxed. The cell publishes nothing.
        self.0[sum / CHUNK_LEN].get().map_or(0, |chunk| cell(chunk, sum).load(Relaxed))
    }
}

impl Default for Row {
    fn default() -> Self {
        Self { shared: AtomicU64::new(0), origin: AtomicU64::new(0) }
    }
}

impl Sums {
    /// Returns the total of all cells of a sum, and of what threads without cells have added.
    fn total(&self, sum: usize, row: &Row) -> u64 {
        let cells = self.threads.iter().map(|(_, cells)| cells.read(sum));
        // ORDERING: Relaxed. A number that publishes nothing.
        cells.fold(row.shared.load(Relaxed), u64::wrapping_add)
    }
}

impl Sums {
    pub(crate) const fn new(ids: IdSet<SUM_WORDS>) -> Self {
        Self { ids, rows: Buckets::new(), threads: Buckets::new() }
    }

    /// Returns a chunk of the thread's cells, and allocates it if needed. Later calls find the first
    /// chunk by themselves.
    pub(crate) fn chunk(&self, guard: &ThreadGuard, index: usize) -> &ChunkRef {
        let cells = self.threads.get_or_create(guard.id() as usize);
        let chunk = cells.0[index].get_or_init(ChunkRef::default);
        if index == 0 {
            set_first_chunk(chunk);
        }
        chunk
    }

    /// Allocates the cells of the first `chunks * CHUNK_LEN` sums, for the threads with the `threads`
    /// smallest IDs.
    pub(crate) fn allocate_cells(&self, threads: usize, chunks: usize) {
        for thread in 0..threads {
            for chunk in &self.threads.get_or_create(thread).0[..chunks] {
                chunk.get_or_init(ChunkRef::default);
            }
        }
    }
}

/// Number that any thread adds to, and that one thread reads. It is 0 at first, and wraps around at
/// 2^64.
///
/// An addition by [`CellIndex::try_add`] is a load, an addition and a store, in memory that no other
/// thread writes to. Reading a sum takes time for each thread that has ever added to any.
///
/// A thread that adds to a sum takes 8 KiB for its first 1,024 sums, and as much for the further
/// ones. Threads that follow each other share this memory. A process has up to 65,536 fast sums at a
/// time. All threads share one number of each further sum.
///
/// A read returns all additions that happened before it.
#[derive(Debug)]
pub struct Sum(Place);

/// Place in which the number of a sum is kept.
enum Place {
    /// The cells of the threads with this index, and the row with this index.
    Cells(u32),
    /// A row of its own, since all IDs were taken.
    Own(Box<Row>),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cells(id) => write!(f, "{id}"),
            Self::Own(_) => f.write_str("shared"),
        }
    }
}

/// Position of a sum's cell among the first 1,024 cells of each thread.
#[derive(Clone, Copy, Debug)]
pub struct CellIndex(u32);

impl CellIndex {
    /// Adds `amount` to the sum, with wrapping, if the calling thread has cells. Returns false, with
    /// nothing added, otherwise: the caller then calls [`Sum::add`].
    ///
    /// Must not be called once the sum is dropped: another sum may have its cells.
    #[inline(always)]
    #[must_use]
    pub fn try_add(self, amount: u64) -> bool {
        with_first_chunk(|chunk| {
            let Some(chunk) = chunk else { return false };
            // The remainder shows the compiler that the cell exists.
            add(&chunk[PADDING + self.0 as usize % CHUNK_LEN], amount);
            true
        })
    }
}

impl Default for Sum {
    fn default() -> Self {
        Self::new()
    }
}

impl Sum {
    /// Creates a sum that is 0.
    #[must_use]
    pub fn new() -> Self {
        with_sums(|sums| {
            let Some(id) = sums.ids.allocate() else { return Self(Place::Own(Box::default())) };
            let row = sums.rows.get_or_create(id as usize);
            // ORDERING: Relaxed. The ID's allocation orders the additions of its previous owner
            // before. Model: reused_sum_begins_at_zero.
            row.origin.store(sums.total(id as usize, row), Relaxed);
            Self(Place::Cells(id))
        })
    }

    /// Returns the position of this sum's cells, by which threads add to it without a look at the sum.
    /// Returns `None` if the cells are not among the first ones of each thread.
    #[must_use]
    pub fn cell(&self) -> Option<CellIndex> {
        match self.0 {
            Place::Cells(id) if (id as usize) < CHUNK_LEN => Some(CellIndex(id)),
            _ => None,
        }
    }

    /// Adds `amount`, with wrapping. Any thread may call this at any time, also a signal handler or
    /// an allocator.
    #[cold]
    #[inline(never)]
    pub fn add(&self, amount: u64) {
        self.with_row(|sums, id, row| {
            if let (Some(id), Ok(guard)) = (id, ThreadGuard::enter_or_register()) {
                add(cell(sums.chunk(&guard, id / CHUNK_LEN), id), amount);
            } else {
                // ORDERING: Relaxed. A number that publishes nothing.
                row.shared.fetch_add(amount, Relaxed);
            }
        });
    }

    /// Returns the value of the sum.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.with_row(|sums, id, row| {
            // ORDERING: Relaxed. Numbers that publish nothing.
            row.total(sums, id).wrapping_sub(row.origin.load(Relaxed))
        })
    }

    /// Subtracts `amount`, with wrapping. Threads may add meanwhile. Only one thread may subtract at
    /// a time.
    pub fn subtract(&self, amount: u64) {
        self.with_row(|_, _, row| {
            // ORDERING: Relaxed, both. A number that publishes nothing.
            row.origin.store(row.origin.load(Relaxed).wrapping_add(amount), Relaxed);
        });
    }

    /// Sets the sum to `value`. An addition that happens at the same time comes before or after. Of
    /// two calls at the same time, one comes last.
    pub fn set(&self, value: u64) {
        self.with_row(|sums, id, row| {
            // ORDERING: Relaxed. Numbers that publish nothing.
            row.origin.store(row.total(sums, id).wrapping_sub(value), Relaxed);
        });
    }

    /// Calls `task` with the state of all sums, the ID of this one if it has cells, and its row.
    fn with_row<R>(&self, task: impl FnOnce(&Sums, Option<usize>, &Row) -> R) -> R {
        with_sums(|sums| match &self.0 {
            Place::Own(row) => task(sums, None, row),
            Place::Cells(id) => {
                let row = sums.rows.get(*id as usize).expect("it exists since the sum was created");
                task(sums, Some(*id as usize), row)
            }
        })
    }
}

impl Row {
    fn total(&self, sums: &Sums, id: Option<usize>) -> u64 {
        // ORDERING: Relaxed. A number that publishes nothing.
        id.map_or_else(|| self.shared.load(Relaxed), |id| sums.total(id, self))
    }
}

impl Drop for Sum {
    fn drop(&mut self) {
        if let Place::Cells(id) = self.0 {
            with_sums(|sums| sums.ids.release(id));
        }
    }
}

/// Allocates the cells of the first 1,024 sums for the threads with the `threads` smallest IDs. These
/// threads allocate nothing when they first add to one of these sums.
pub fn prefault_sums(threads: usize) {
    with_sums(|sums| sums.allocate_cells(threads, 1));
}

/// Allocates the calling thread's cells of the first 1,024 sums, so that its additions to them
/// allocate nothing. Does nothing if the thread is exiting or holds a reservation.
pub fn prepare_sums_of_thread() {
    if let Ok(guard) = ThreadGuard::enter_or_register() {
        with_sums(|sums| {
            sums.chunk(&guard, 0);
        });
    }
}

/// Sets the value of every sum to 0 in a forked child, where no other thread exists. Its parent keeps
/// the values. The call neither allocates nor locks, so that a handler of `pthread_atfork` can make it.
///
/// The more than 65,536th sum of a process keeps its value.
pub fn reset_sums_in_forked_child() {
    with_sums(|sums| {
        for id in sums.ids.iter().map(|id| id as usize) {
            if let Some(row) = sums.rows.get(id) {
                // ORDERING: Relaxed. No other thread exists.
                row.origin.store(sums.total(id, row), Relaxed);
            }
        }
    });
}

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    /// Adds to a sum as the application does: by the fast path where it works.
    fn add(sum: &Sum, amount: u64) {
        if !sum.cell().is_some_and(|cell| cell.try_add(amount)) {
            sum.add(amount);
        }
    }

    #[test]
    fn threads_that_come_and_go_are_summed_exactly() {
        let (sum, other, together) = (Sum::new(), Sum::new(), Barrier::new(4));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    together.wait();
                    for _ in 0..100 {
                        thread::scope(|scope| {
                            scope.spawn(|| (0..1000).for_each(|_| add(&sum, 1)));
                        });
                        add(&other, u64::MAX);
                    }
                });
            }
        });
        assert_eq!((sum.value(), other.value()), (400_000, 400_u64.wrapping_neg()));
    }

    #[test]
    fn amounts_are_subtracted_while_threads_add() {
        let sum = Sum::new();
        let taken = thread::scope(|scope| {
            let adders = [(); 2].map(|()| scope.spawn(|| (0..100_000).for_each(|_| add(&sum, 3))));
            let mut taken = 0;
            while !adders.iter().all(|adder| adder.is_finished()) {
                let value = sum.value();
                sum.subtract(value);
                taken += value;
            }
            taken
        });
        assert_eq!(taken + sum.value(), 600_000);
    }

    #[test]
    fn sum_is_set_and_wraps() {
        let sum = Sum::new();
        add(&sum, 7);
        sum.set(40);
        add(&sum, 2);
        assert_eq!(sum.value(), 42);
        sum.set(u64::MAX);
        add(&sum, 2);
        assert_eq!(sum.value(), 1);
    }

    #[test]
    fn reused_ids_begin_at_zero() {
        for round in 1..100 {
            let sums: Vec<_> = (0..round).map(|_| Sum::new()).collect();
            assert!(sums.iter().all(|sum| sum.value() == 0));
            sums.iter().for_each(|sum| add(sum, round));
            assert!(sums.iter().all(|sum| sum.value() == round));
        }
    }

    /// The sums beyond a thread's first chunk of cells, and beyond all IDs, are as exact.
    #[test]
    fn many_sums_are_exact() {
        let sums: Vec<_> = (0..SUM_WORDS * 64 + 2).map(|_| Sum::new()).collect();
        assert!(matches!(sums[SUM_WORDS * 64].0, Place::Own(_)));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| sums.iter().for_each(|sum| add(sum, 21)));
            }
        });
        let sampled = sums.iter().step_by(97).chain(sums.last());
        assert!(sampled.into_iter().all(|sum| sum.value() == 42));
    }

    #[test]
    fn thread_without_cells_adds_to_the_shared_number() {
        struct AddsOnExit<'a>(&'a Sum);
        impl Drop for AddsOnExit<'_> {
            fn drop(&mut self) {
                add(self.0, 5);
            }
        }
        static SUM: OnceLock<Sum> = OnceLock::new();
        thread_local! {
            static EARLY: AddsOnExit<'static> = AddsOnExit(SUM.get_or_init(Sum::new));
        }
        for _ in 0..10 {
            thread::spawn(|| {
                // Its destructor runs after that of the thread's ID.
                EARLY.with(|early| add(early.0, 1));
            })
            .join()
            .expect("the thread does not panic");
        }
        let sum = SUM.get().expect("the threads have created it");
        let guard = ThreadGuard::enter_or_register().expect("the thread holds no guard");
        sum.add(100);
        drop(guard);
        assert_eq!(sum.value(), 160);
        // Another test may have taken all IDs, so that all threads share the number.
        let by_cells = if matches!(sum.0, Place::Own(_)) { 0 } else { 10 };
        // ORDERING: Relaxed. All threads have ended.
        sum.with_row(|_, _, row| assert_eq!(row.shared.load(Relaxed), 160 - by_cells));
    }
}

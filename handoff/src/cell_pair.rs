//! Cell pairs: two words of each thread, which no other thread reads or writes.

use crate::sums::cell;
use crate::sync::{AtomicU64, CHUNK_LEN, PADDING, ThreadGuard, with_first_chunk, with_sums};
use std::sync::atomic::Ordering::Relaxed;

/// Two words of each thread. They are cells of the array that also has the thread's cells of
/// [`Sum`](crate::Sum)s.
///
/// At first the words have any value: that of an earlier owner of the cells, or of an exited thread
/// whose place the thread has taken. So the words must tell by themselves whether they are valid.
#[derive(Debug)]
pub struct CellPair([u32; 2]);

/// Positions of a pair's cells among the first 1,024 cells of each thread.
#[derive(Clone, Copy, Debug)]
pub struct PairPosition([u32; 2]);

/// Word that belongs to the calling thread.
///
/// A signal handler that interrupts the thread between [`get`](Self::get) and [`set`](Self::set) may
/// change the word. Its change is then lost.
#[derive(Debug)]
pub struct OwnCell<'a>(&'a AtomicU64);

impl OwnCell<'_> {
    /// Returns the value of the word.
    #[inline(always)]
    #[must_use]
    pub fn get(&self) -> u64 {
        // ORDERING: Relaxed. Only this thread uses the word.
        self.0.load(Relaxed)
    }

    /// Sets the word.
    #[inline(always)]
    pub fn set(&self, value: u64) {
        // ORDERING: Relaxed. Only this thread uses the word.
        self.0.store(value, Relaxed);
    }
}

impl CellPair {
    /// Creates a pair, or returns `None` if all cells of threads are in use.
    #[must_use]
    pub fn new() -> Option<Self> {
        with_sums(|sums| {
            let first = sums.ids.allocate()?;
            let Some(second) = sums.ids.allocate() else {
                sums.ids.release(first);
                return None;
            };
            Some(Self([first, second]))
        })
    }

    /// Returns the positions of the pair's cells, by which a thread finds its first word without a
    /// look at the pair. Returns `None` if the cells are not among the first ones of each thread.
    #[must_use]
    pub fn position(&self) -> Option<PairPosition> {
        let Self(ids) = *self;
        ids.iter().all(|&id| (id as usize) < CHUNK_LEN).then_some(PairPosition(ids))
    }

    /// Calls `task` with the two words of the calling thread. Returns `None` if the thread has none:
    /// it is exiting, holds a reservation, or 65,536 other threads have cells.
    ///
    /// The first call of a thread allocates its cells.
    pub fn with<R>(&self, task: impl FnOnce([OwnCell<'_>; 2]) -> R) -> Option<R> {
        let guard = ThreadGuard::enter_or_register().ok()?;
        with_sums(|sums| {
            let ids = self.0.map(|id| id as usize);
            let chunks = ids.map(|id| sums.chunk(&guard, id / CHUNK_LEN));
            // Before the task, which may emit records.
            drop(guard);
            let [(first, a), (second, b)] = [(&**chunks[0], ids[0]), (&**chunks[1], ids[1])];
            Some(task([OwnCell(cell(first, a)), OwnCell(cell(second, b))]))
        })
    }
}

impl PairPosition {
    /// Calls `task` with the calling thread's first word, or returns `None` if the thread has no cells
    /// yet, or is exiting.
    ///
    /// Must not be called once the pair is dropped: a sum may have its cells.
    #[inline(always)]
    pub fn with_first<R>(self, task: impl FnOnce(OwnCell<'_>) -> R) -> Option<R> {
        with_first_chunk(|chunk| {
            // The remainder shows the compiler that the cell exists.
            let cell = |id: u32| PADDING + id as usize % CHUNK_LEN;
            chunk.map(|chunk| task(OwnCell(&chunk[cell(self.0[0])])))
        })
    }

    /// Calls `task` as [`with_first`](Self::with_first) does, with both words.
    #[inline(always)]
    pub fn with_both<R>(self, task: impl FnOnce([OwnCell<'_>; 2]) -> R) -> Option<R> {
        with_first_chunk(|chunk| {
            let cell = |id: u32| PADDING + id as usize % CHUNK_LEN;
            chunk.map(|chunk| task(self.0.map(|id| OwnCell(&chunk[cell(id)]))))
        })
    }
}

impl Drop for CellPair {
    fn drop(&mut self) {
        with_sums(|sums| self.0.into_iter().for_each(|id| sums.ids.release(id)));
    }
}

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn each_thread_has_its_own_words() {
        let Some(pair) = CellPair::new() else { return };
        let set = |value: u64| {
            pair.with(|words| {
                words[0].set(value);
                words[1].set(value + 1);
            })
        };
        let get = || pair.with(|words| words.map(|word| word.get()));
        set(10).expect("the thread has cells");
        thread::scope(|scope| {
            scope.spawn(|| {
                set(20).expect("the thread has cells");
                assert_eq!(get(), Some([20, 21]));
            });
        });
        assert_eq!(get(), Some([10, 11]));
        if let Some(position) = pair.position() {
            assert_eq!(position.with_first(|word| word.get()), Some(10));
            assert_eq!(position.with_both(|words| words.map(|word| word.get())), Some([10, 11]));
        }
    }

    #[test]
    fn thread_with_a_reservation_has_no_words() {
        let Some(pair) = CellPair::new() else { return };
        let guard = ThreadGuard::enter_or_register().expect("the thread holds no guard");
        assert_eq!(pair.with(|_| ()), None);
        drop(guard);
        assert_eq!(pair.with(|_| ()), Some(()));
    }

    /// A sum that takes over the cells of a pair begins at 0.
    #[test]
    fn sum_begins_at_zero_in_the_cells_of_a_pair() {
        for _ in 0..100 {
            let Some(pair) = CellPair::new() else { return };
            pair.with(|words| words[0].set(7)).expect("the thread has cells");
            drop(pair);
            assert_eq!([(); 3].map(|()| crate::Sum::new()).map(|sum| sum.value()), [0; 3]);
        }
    }
}

//! Lock-free allocator of small numbers: the IDs of threads and of sums.

use super::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Set of allocated IDs, with one bit for each ID from 0 on. A set bit marks an allocated ID.
pub(crate) struct IdSet<const WORDS: usize> {
    pub(super) allocated: [AtomicU64; WORDS],
}

impl<const WORDS: usize> IdSet<WORDS> {
    /// Allocates the smallest free ID, or returns `None` if all IDs are allocated.
    pub(crate) fn allocate(&self) -> Option<u32> {
        (0..).step_by(64).zip(&self.allocated).find_map(|(first, word)| {
            // ORDERING: Relaxed. The exchange below checks the value read here.
            let mut allocated = word.load(Relaxed);
            while allocated != u64::MAX {
                let bit = allocated.trailing_ones();
                // ORDERING: Acquire, pairs with the Release in `release`: the new owner sees all
                // that the previous owner of the ID left in its slots and cells.
                // Model: slot_reuse_happens_after_thread_exit.
                match word.compare_exchange(allocated, allocated | 1 << bit, Acquire, Relaxed) {
                    Ok(_) => return Some(first + bit),
                    Err(current) => allocated = current,
                }
            }
            None
        })
    }

    /// Releases an allocated ID, so that it can be allocated again.
    pub(crate) fn release(&self, id: u32) {
        // ORDERING: Release, pairs with the Acquire in `allocate`.
        // Model: slot_reuse_happens_after_thread_exit.
        self.allocated[id as usize / 64].fetch_and(!(1 << (id % 64)), Release);
    }
}

impl<const WORDS: usize> IdSet<WORDS> {
    /// Returns all allocated IDs, from the smallest on.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..).step_by(64).zip(&self.allocated).flat_map(|(first, word)| {
            // ORDERING: Relaxed. The caller must know by other means that nobody allocates.
            let allocated = word.load(Relaxed);
            (0..64).filter(move |bit| allocated & (1 << bit) != 0).map(move |bit| first + bit)
        })
    }
}

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use super::*;

    #[test]
    fn smallest_free_id_is_allocated_once() {
        let ids = IdSet::<2>::new();
        assert!((0..128).all(|id| ids.allocate() == Some(id)));
        assert_eq!(ids.allocate(), None);
        [99, 2, 63, 64].into_iter().for_each(|id| ids.release(id));
        let allocated: Vec<_> = std::iter::from_fn(|| ids.allocate()).collect();
        assert_eq!(allocated, [2, 63, 64, 99]);
        [0, 64].into_iter().for_each(|id| ids.release(id));
        assert_eq!(ids.iter().take(3).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(ids.iter().count(), 126);
    }
}

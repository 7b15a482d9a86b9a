//! Lock-free allocator of thread IDs. Each thread gets the smallest free ID.

use super::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Set of the allocated thread IDs, with one bit for each ID from 0 on. A set bit marks an
/// allocated ID.
pub(crate) struct ThreadIds<const WORDS: usize> {
    pub(super) allocated: [AtomicU64; WORDS],
}

impl<const WORDS: usize> ThreadIds<WORDS> {
    /// Allocates the smallest free thread ID, or returns `None` if all IDs are allocated.
    pub(super) fn allocate(&self) -> Option<u32> {
        (0..).step_by(64).zip(&self.allocated).find_map(|(first, word)| {
            // ORDERING: Relaxed. The exchange below checks the value read here.
            let mut allocated = word.load(Relaxed);
            while allocated != u64::MAX {
                let bit = allocated.trailing_ones();
                // ORDERING: Acquire, pairs with the Release in `release`: the thread sees all
                // that the ID's previous owner left in its slots.
                // Model: slot_reuse_happens_after_thread_exit.
                match word.compare_exchange(allocated, allocated | 1 << bit, Acquire, Relaxed) {
                    Ok(_) => return Some(first + bit),
                    Err(current) => allocated = current,
                }
            }
            None
        })
    }

    /// Releases an allocated thread ID, so that another thread can get it.
    pub(super) fn release(&self, id: u32) {
        // ORDERING: Release, pairs with the Acquire in `allocate`.
        // Model: slot_reuse_happens_after_thread_exit.
        self.allocated[id as usize / 64].fetch_and(!(1 << (id % 64)), Release);
    }
}

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use super::*;

    #[test]
    fn smallest_free_id_is_allocated_once() {
        let ids = ThreadIds::<2>::new();
        assert!((0..128).all(|id| ids.allocate() == Some(id)));
        assert_eq!(ids.allocate(), None);
        [99, 2, 63, 64].into_iter().for_each(|id| ids.release(id));
        let allocated: Vec<_> = std::iter::from_fn(|| ids.allocate()).collect();
        assert_eq!(allocated, [2, 63, 64, 99]);
    }
}

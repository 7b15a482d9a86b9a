//! ThreadIds for threads: each takes the smallest that is free, without a lock.

use super::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A set of numbers from 0 on, a bit for each: set while a thread has it.
pub(crate) struct ThreadIds<const WORDS: usize> {
    pub(super) taken: [AtomicU64; WORDS],
}

impl<const WORDS: usize> ThreadIds<WORDS> {
    /// Takes the smallest free number. None if all are taken.
    pub(super) fn take(&self) -> Option<u32> {
        (0..).step_by(64).zip(&self.taken).find_map(|(first, word)| {
            // ORDERING: Relaxed. What is read here is only tried.
            let mut taken = word.load(Relaxed);
            while taken != u64::MAX {
                let bit = taken.trailing_ones();
                // ORDERING: Acquire, pairs with the Release in `give_back`: the thread sees all
                // that the number's last owner left in its places.
                // Model: an_heir_comes_after_the_dead.
                match word.compare_exchange(taken, taken | 1 << bit, Acquire, Relaxed) {
                    Ok(_) => return Some(first + bit),
                    Err(now) => taken = now,
                }
            }
            None
        })
    }

    /// Gives a number back that was taken.
    pub(super) fn give_back(&self, number: u32) {
        // ORDERING: Release, pairs with the Acquire in `take`.
        // Model: an_heir_comes_after_the_dead.
        self.taken[number as usize / 64].fetch_and(!(1 << (number % 64)), Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_free_number_is_taken_and_none_twice() {
        let numbers = ThreadIds::<2>::new();
        assert!((0..128).all(|number| numbers.take() == Some(number)));
        assert_eq!(numbers.take(), None);
        [99, 2, 63, 64].into_iter().for_each(|number| numbers.give_back(number));
        let taken: Vec<_> = std::iter::from_fn(|| numbers.take()).collect();
        assert_eq!(taken, [2, 63, 64, 99]);
    }
}

//! Numbers for threads: each takes the smallest that is free, without a lock.

use super::AtomicU64;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A set of numbers from 1 on, a bit for each: set while a thread has it.
pub(crate) struct Numbers<const WORDS: usize> {
    pub(super) taken: [AtomicU64; WORDS],
}

impl<const WORDS: usize> Numbers<WORDS> {
    /// Takes the smallest free number. None if all are taken.
    pub(super) fn take(&self) -> Option<NonZeroU32> {
        (1..).step_by(64).zip(&self.taken).find_map(|(first, word)| {
            // ORDERING: Relaxed. What is read here is only tried.
            let mut taken = word.load(Relaxed);
            while taken != u64::MAX {
                let bit = taken.trailing_ones();
                // ORDERING: Acquire, pairs with the Release in `give_back`: the thread sees all
                // that the number's last owner left in its places.
                // Model: an_heir_comes_after_the_dead.
                match word.compare_exchange(taken, taken | 1 << bit, Acquire, Relaxed) {
                    Ok(_) => return NonZeroU32::new(first + bit),
                    Err(now) => taken = now,
                }
            }
            None
        })
    }

    /// Gives a number back that was taken.
    pub(super) fn give_back(&self, number: NonZeroU32) {
        let index = number.get() - 1;
        // ORDERING: Release, pairs with the Acquire in `take`.
        // Model: an_heir_comes_after_the_dead.
        self.taken[index as usize / 64].fetch_and(!(1 << (index % 64)), Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_free_number_is_taken_and_none_twice() {
        let numbers = Numbers::<2>::new();
        let take = || numbers.take().map(NonZeroU32::get);
        assert!((1..=128).all(|number| take() == Some(number)));
        assert_eq!(take(), None);
        for number in [100, 3, 64, 65] {
            numbers.give_back(NonZeroU32::new(number).expect("not 0"));
        }
        assert_eq!(
            [take(), take(), take(), take(), take()],
            [Some(3), Some(64), Some(65), Some(100), None]
        );
    }
}

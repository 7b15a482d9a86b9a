//! Places: one for each thread, found by the thread's number, and left to the number's next owner.

use crate::sync::Turn;
use std::num::NonZeroU32;
use std::sync::OnceLock;

/// Buckets of 1, 2, 4, ... places, each made when a thread first needs it: places never move.
pub(super) struct Places<T> {
    buckets: [OnceLock<Box<[T]>>; u32::BITS as usize],
}

impl<T: Default> Places<T> {
    pub(super) fn new() -> Self {
        Self { buckets: [const { OnceLock::new() }; u32::BITS as usize] }
    }

    /// The place of the thread whose turn it is, if it was made.
    #[inline(always)]
    pub(super) fn get(&self, turn: &Turn) -> Option<&T> {
        let (bucket, index) = position(turn.number());
        self.buckets[bucket].get()?.get(index)
    }

    /// The place of the thread whose turn it is.
    pub(super) fn get_or_make(&self, turn: &Turn) -> &T {
        let (bucket, index) = position(turn.number());
        let places = self.buckets[bucket].get().unwrap_or_else(|| {
            let places = (0..1 << bucket).map(|_| T::default()).collect();
            // Made before it is set, so that nobody waits for longer than that takes.
            let _ = self.buckets[bucket].set(places);
            self.buckets[bucket].get().expect("set above, by this thread or another")
        });
        &places[index]
    }

    /// All that were made: those of threads that emitted, and others.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.buckets.iter().filter_map(OnceLock::get).flat_map(|bucket| bucket.iter())
    }
}

/// A bucket, and where in it.
#[inline(always)]
fn position(number: NonZeroU32) -> (usize, usize) {
    let bucket = number.ilog2();
    (bucket as usize, (number.get() ^ 1 << bucket) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_number_has_a_place_of_its_own() {
        let mut positions = HashSet::new();
        for number in (1..5000).chain([1 << 16]).filter_map(NonZeroU32::new) {
            let (bucket, index) = position(number);
            assert!(index < 1 << bucket);
            assert!(positions.insert((bucket, index)), "{number}");
        }
    }
}

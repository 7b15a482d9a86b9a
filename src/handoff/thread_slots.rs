//! ThreadSlots: one for each thread, found by the thread's number, and left to the number's next owner.

use crate::sync::{INLINE_SLOTS, ThreadGuard};
use std::sync::OnceLock;

/// So many threads have a place that takes no search.
const FIRST: usize = INLINE_SLOTS;

pub(super) struct ThreadSlots<T> {
    /// Of the first threads.
    first: Box<[T; FIRST]>,
    /// Of the others: buckets of 1, 2, 4, ... places, each made when a thread first needs it. ThreadSlots
    /// never move.
    buckets: [OnceLock<Box<[T]>>; u32::BITS as usize],
}

impl<T: Default> ThreadSlots<T> {
    pub(super) fn new() -> Self {
        let first: Box<[T]> = (0..FIRST).map(|_| T::default()).collect();
        let first = first.try_into().unwrap_or_else(|_| unreachable!("as many as were made"));
        Self { first, buckets: [const { OnceLock::new() }; u32::BITS as usize] }
    }

    /// Begins a turn of a thread that has a place here, and finds that.
    #[inline(always)]
    pub(super) fn begin(&self) -> Option<(ThreadGuard, &T)> {
        ThreadGuard::begin(|number| {
            let number = number as usize;
            self.first.get(number).or_else(|| self.search(number))
        })
    }

    #[cold]
    #[inline(never)]
    fn search(&self, number: usize) -> Option<&T> {
        let (bucket, index) = position(number);
        self.buckets[bucket].get()?.get(index)
    }

    /// The place of the thread whose turn it is.
    pub(super) fn get_or_make(&self, turn: &ThreadGuard) -> &T {
        let number = turn.number() as usize;
        if let Some(place) = self.first.get(number) {
            return place;
        }
        let (bucket, index) = position(number);
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
        let others = self.buckets.iter().filter_map(OnceLock::get).flat_map(|bucket| bucket.iter());
        self.first.iter().chain(others)
    }
}

/// The bucket of a number from [`FIRST`] on, and where in it.
fn position(number: usize) -> (usize, usize) {
    let place = number - FIRST + 1;
    let bucket = place.ilog2();
    (bucket as usize, place ^ 1 << bucket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_number_has_a_place_of_its_own() {
        let mut positions = HashSet::new();
        for number in (FIRST..5000).chain([(1 << 16) - 1, u32::MAX as usize]) {
            let (bucket, index) = position(number);
            assert!(index < 1 << bucket);
            assert!(positions.insert((bucket, index)), "{number}");
        }
    }
}

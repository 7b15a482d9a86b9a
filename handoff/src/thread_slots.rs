//! Thread slots: one value for each thread ID. A thread that gets the ID of an exited thread
//! inherits the value.

use crate::sync::{INLINE_SLOTS, ThreadGuard};
use std::sync::OnceLock;

pub(crate) struct ThreadSlots<T> {
    /// Slots (values) of the smallest thread IDs, in one array that is indexed by ID.
    inline: Box<[T; INLINE_SLOTS]>,
    /// Slots (values) of larger thread IDs, in buckets (arrays) of 1, 2, 4, ... slots. A bucket is
    /// allocated when a thread first needs it, and never moves.
    buckets: [OnceLock<Box<[T]>>; u32::BITS as usize],
}

impl<T: Default> ThreadSlots<T> {
    pub(crate) fn new() -> Self {
        let inline: Box<[T]> = (0..INLINE_SLOTS).map(|_| T::default()).collect();
        let inline = inline.try_into().unwrap_or_else(|_| unreachable!("it has INLINE_SLOTS"));
        Self { inline, buckets: [const { OnceLock::new() }; u32::BITS as usize] }
    }

    /// Takes the guard of the current thread, which keeps the thread from starting a second record.
    /// Returns the guard and the thread's slot (value). Returns `None` if the thread cannot get the
    /// guard, or has no slot in this collection yet.
    #[inline(always)]
    pub(crate) fn enter(&self) -> Option<(ThreadGuard, &T)> {
        ThreadGuard::enter(|id| {
            let id = id as usize;
            self.inline.get(id).or_else(|| self.search(id))
        })
    }

    #[cold]
    #[inline(never)]
    fn search(&self, id: usize) -> Option<&T> {
        let (bucket, index) = position(id);
        self.buckets[bucket].get()?.get(index)
    }

    /// Returns the slot (value) of the thread that holds the guard. Allocates the bucket (array)
    /// that contains the slot if needed.
    pub(crate) fn get_or_create(&self, guard: &ThreadGuard) -> &T {
        let id = guard.id() as usize;
        if let Some(slot) = self.inline.get(id) {
            return slot;
        }
        let (bucket, index) = position(id);
        let slots = self.buckets[bucket].get().unwrap_or_else(|| {
            let slots = (0..1 << bucket).map(|_| T::default()).collect();
            // The slots exist already, so other threads wait for this store only.
            let _ = self.buckets[bucket].set(slots);
            self.buckets[bucket].get().expect("this thread or another has set it")
        });
        &slots[index]
    }

    /// Returns the slots (values) of the thread IDs below `count`. Allocates the buckets (arrays) that
    /// contain them.
    pub(crate) fn first_mut(&mut self, count: usize) -> impl Iterator<Item = &mut T> {
        for id in INLINE_SLOTS..count {
            let (bucket, _) = position(id);
            self.buckets[bucket].get_or_init(|| (0..1 << bucket).map(|_| T::default()).collect());
        }
        let others = self.buckets.iter_mut().filter_map(OnceLock::get_mut);
        self.inline.iter_mut().chain(others.flat_map(|bucket| bucket.iter_mut())).take(count)
    }

    /// Returns all allocated slots (per-thread values), including slots that no thread has used.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.enumerate().map(|(_, slot)| slot)
    }

    /// Returns all allocated slots (per-thread values) with their thread IDs.
    pub(crate) fn enumerate(&self) -> impl Iterator<Item = (usize, &T)> {
        let others = self.buckets.iter().enumerate().filter_map(|(rank, bucket)| {
            let first = INLINE_SLOTS - 1 + (1 << rank);
            Some((first..).zip(bucket.get()?))
        });
        self.inline.iter().enumerate().chain(others.flatten())
    }
}

/// Returns the position of the slot (value) of a thread ID from [`INLINE_SLOTS`] on: the number of
/// its bucket (array), and the index in the bucket.
fn position(id: usize) -> (usize, usize) {
    let rank = id - INLINE_SLOTS + 1;
    let bucket = rank.ilog2();
    (bucket as usize, rank ^ 1 << bucket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_id_has_its_own_slot() {
        let mut positions = HashSet::new();
        for id in (INLINE_SLOTS..5000).chain([(1 << 16) - 1, u32::MAX as usize]) {
            let (bucket, index) = position(id);
            assert!(index < 1 << bucket);
            assert!(positions.insert((bucket, index)), "{id}");
        }
    }

    #[test]
    fn the_first_slots_are_those_of_the_smallest_ids() {
        for count in [0, 1, INLINE_SLOTS, INLINE_SLOTS + 1, INLINE_SLOTS + 70] {
            let mut slots = ThreadSlots::<usize>::new();
            slots.first_mut(count).enumerate().for_each(|(id, slot)| *slot = id + 1);
            let value = |id| slots.inline.get(id).or_else(|| slots.search(id)).copied();
            assert!((0..count).all(|id| value(id) == Some(id + 1)), "{count}");
            assert_eq!(value(count).unwrap_or_default(), 0);
        }
    }

    #[test]
    fn enumerated_ids_lead_to_their_slots() {
        let slots = ThreadSlots::<u8>::new();
        for rank in [3, 5] {
            slots.buckets[rank].get_or_init(|| vec![0; 1 << rank].into());
        }
        let is_there = |(id, slot): (usize, &u8)| match slots.inline.get(id) {
            Some(inline) => std::ptr::eq(slot, inline),
            None => std::ptr::eq(slot, slots.search(id).expect("a bucket has it")),
        };
        assert!(slots.enumerate().all(is_there));
        assert_eq!(slots.enumerate().count(), INLINE_SLOTS + 8 + 32);
    }
}

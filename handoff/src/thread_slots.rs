//! Thread slots: one value for each thread ID. A thread that gets the ID of an exited thread
//! inherits the value.

use crate::buckets::Buckets;
use crate::sync::{INLINE_SLOTS, ThreadGuard};

pub(crate) struct ThreadSlots<T> {
    /// Slots (values) of the smallest thread IDs, in one array that is indexed by ID.
    inline: Box<[T; INLINE_SLOTS]>,
    /// Slots (values) of larger thread IDs. They are allocated when a thread first needs them, and
    /// never move.
    further: Buckets<T>,
}

impl<T: Default> ThreadSlots<T> {
    pub(crate) fn new() -> Self {
        let inline: Box<[T]> = (0..INLINE_SLOTS).map(|_| T::default()).collect();
        let inline = inline.try_into().unwrap_or_else(|_| unreachable!("it has INLINE_SLOTS"));
        Self { inline, further: Buckets::new() }
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
        self.further.get(id - INLINE_SLOTS)
    }

    /// Returns the slot (value) of the thread that holds the guard. Allocates the bucket (array)
    /// that contains the slot if needed.
    pub(crate) fn get_or_create(&self, guard: &ThreadGuard) -> &T {
        let id = guard.id() as usize;
        self.inline.get(id).unwrap_or_else(|| self.further.get_or_create(id - INLINE_SLOTS))
    }

    /// Returns the slots (values) of the thread IDs below `count`. Allocates the buckets (arrays) that
    /// contain them.
    pub(crate) fn first_mut(&mut self, count: usize) -> impl Iterator<Item = &mut T> {
        let further = self.further.first_mut(count.saturating_sub(INLINE_SLOTS));
        self.inline.iter_mut().chain(further).take(count)
    }

    /// Returns all allocated slots (per-thread values), including slots that no thread has used.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.enumerate().map(|(_, slot)| slot)
    }

    /// Returns all allocated slots (per-thread values) with their thread IDs.
    pub(crate) fn enumerate(&self) -> impl Iterator<Item = (usize, &T)> {
        let further = self.further.iter().map(|(index, slot)| (INLINE_SLOTS + index, slot));
        self.inline.iter().enumerate().chain(further)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for index in [7, 40] {
            slots.further.get_or_create(index);
        }
        let is_there = |(id, slot): (usize, &u8)| match slots.inline.get(id) {
            Some(inline) => std::ptr::eq(slot, inline),
            None => std::ptr::eq(slot, slots.search(id).expect("a bucket has it")),
        };
        assert!(slots.enumerate().all(is_there));
        assert_eq!(slots.enumerate().count(), INLINE_SLOTS + 8 + 32);
    }
}

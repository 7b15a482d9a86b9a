//! Buckets: a growing array whose elements never move.

use std::sync::OnceLock;

/// Array of values with the indices from 0 on, in buckets of 1, 2, 4, ... values. A bucket is
/// allocated when one of its values is first needed, and never moves.
pub(crate) struct Buckets<T>([OnceLock<Box<[T]>>; u32::BITS as usize]);

impl<T> Buckets<T> {
    pub(crate) const fn new() -> Self {
        Self([const { OnceLock::new() }; u32::BITS as usize])
    }

    /// Returns the value at `index`, or `None` if its bucket is not allocated.
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        let (bucket, offset) = position(index);
        self.0[bucket].get()?.get(offset)
    }

    /// Returns the values of all allocated buckets, with their indices.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.0.iter().enumerate().flat_map(|(bucket, values)| {
            let first = (1 << bucket) - 1;
            (first..).zip(values.get().into_iter().flatten())
        })
    }
}

impl<T: Default> Buckets<T> {
    /// Returns the value at `index`. Allocates its bucket if needed.
    pub(crate) fn get_or_create(&self, index: usize) -> &T {
        let (bucket, offset) = position(index);
        let values = self.0[bucket].get().unwrap_or_else(|| {
            let values = (0..1 << bucket).map(|_| T::default()).collect();
            // The values exist already, so other threads wait for this store only.
            let _ = self.0[bucket].set(values);
            self.0[bucket].get().expect("this thread or another has set it")
        });
        &values[offset]
    }

    /// Returns the values of all allocated buckets. First allocates the buckets of the indices below
    /// `count`.
    pub(crate) fn first_mut(&mut self, count: usize) -> impl Iterator<Item = &mut T> {
        for index in 0..count {
            self.get_or_create(index);
        }
        self.0.iter_mut().filter_map(OnceLock::get_mut).flat_map(|values| values.iter_mut())
    }
}

/// Returns the number of the bucket of `index`, and the offset in this bucket.
fn position(index: usize) -> (usize, usize) {
    let rank = index + 1;
    let bucket = rank.ilog2();
    (bucket as usize, rank ^ 1 << bucket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_index_has_its_own_value() {
        let mut positions = HashSet::new();
        for index in (0..5000).chain([(1 << 16) - 1, u32::MAX as usize - 1]) {
            let (bucket, offset) = position(index);
            assert!(offset < 1 << bucket);
            assert!(positions.insert((bucket, offset)), "{index}");
        }
    }

    #[test]
    fn values_are_found_by_their_index() {
        let mut buckets = Buckets::<usize>::new();
        assert_eq!((buckets.get(0), buckets.iter().count()), (None, 0));
        buckets.first_mut(9).enumerate().for_each(|(index, value)| *value = index);
        assert!(buckets.iter().all(|(index, value)| index == *value));
        assert!((0..9).all(|index| buckets.get(index) == Some(&index)));
        assert_eq!((buckets.get(15), *buckets.get_or_create(15), buckets.get(31)), (None, 0, None));
    }
}

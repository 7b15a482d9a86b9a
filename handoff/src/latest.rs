//! Latest values: words in which the last value that any thread has set waits for the consumer.

use crate::sync::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Latest of the numbers that threads set, until the consumer takes it.
///
/// Setting a number is one store. The latest number is the last one in the order of the stores, which
/// all threads agree on. It is taken once.
///
/// A number is never lost: it is taken, or replaced by a later one.
pub struct Latest(AtomicU64);

/// Bits of a NaN that no computation returns. They mark that no number waits.
const NONE: u64 = f64::NAN.to_bits() | 0xf4ee;

impl Default for Latest {
    fn default() -> Self {
        Self::new()
    }
}

impl Latest {
    /// Creates a latest value that is not set yet.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU64::new(NONE))
    }

    /// Sets the number, which should be finite.
    #[inline(always)]
    pub fn set(&self, number: f64) {
        // ORDERING: Relaxed. The number publishes nothing.
        self.0.store(number.to_bits(), Relaxed);
    }

    /// Takes the number that was set last. Returns `None` if none was set since the last call.
    #[must_use]
    pub fn take(&self) -> Option<f64> {
        // ORDERING: Relaxed. A read-modify-write takes each number once.
        let bits = self.0.swap(NONE, Relaxed);
        (bits != NONE).then(|| f64::from_bits(bits))
    }

    /// Returns true if a number was set that was not taken.
    #[must_use]
    pub fn is_set(&self) -> bool {
        // ORDERING: Relaxed. The number publishes nothing.
        self.0.load(Relaxed) != NONE
    }

    /// Puts back a number that was taken and could not be used, unless a later one was set.
    pub fn put_back(&self, number: f64) {
        // ORDERING: Relaxed, both. The exchange keeps a later number.
        let _ = self.0.compare_exchange(NONE, number.to_bits(), Relaxed, Relaxed);
    }
}

impl std::fmt::Debug for Latest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Latest").field("is_set", &self.is_set()).finish()
    }
}

#[cfg(all(test, not(freewheel_loom)))]
mod tests {
    use super::*;

    #[test]
    fn number_is_taken_once_and_only_if_set() {
        let latest = Latest::new();
        assert_eq!(latest.take(), None);
        [1.0, -0.5, f64::MAX].into_iter().for_each(|number| latest.set(number));
        assert!(latest.is_set());
        assert_eq!((latest.take(), latest.take(), latest.is_set()), (Some(f64::MAX), None, false));
    }

    #[test]
    fn number_is_put_back_unless_a_later_one_was_set() {
        let latest = Latest::new();
        latest.put_back(1.0);
        assert_eq!(latest.take(), Some(1.0));
        latest.set(2.0);
        latest.put_back(1.0);
        assert_eq!(latest.take(), Some(2.0));
    }
}

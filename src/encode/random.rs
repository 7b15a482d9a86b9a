//! Random numbers that decide which lines of a sampled metric are emitted.
//!
//! The first number of a thread needs no allocation and no handle of the thread, unlike the first one
//! of `fastrand`'s own generators. So signal handlers, allocators and late destructors may emit
//! sampled lines.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

thread_local! {
    /// State of the current thread's generator, or 0 before the first number. It has no destructor,
    /// so it is usable until the thread is gone.
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// Returns the next random number of the current thread. A signal handler that interrupts the call
/// may get the same number.
#[inline(always)]
pub(crate) fn number() -> u64 {
    STATE.with(|state| {
        let current = match state.get() {
            0 => seed(state),
            current => current,
        };
        let mut generator = fastrand::Rng::with_seed(current);
        let number = generator.u64(..);
        state.set(generator.get_seed());
        number
    })
}

/// Returns the first state of a thread's generator. Each thread has another address of `state`.
#[cold]
#[inline(never)]
fn seed(state: &Cell<u64>) -> u64 {
    let mut hasher = DefaultHasher::new();
    Instant::now().hash(&mut hasher);
    std::ptr::from_ref(state).addr().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_of_all_threads_differ() {
        let numbers = || Vec::from_iter((0..1_000).map(|_| number()));
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(numbers)).collect();
        let all = threads.into_iter().flat_map(|thread| thread.join().unwrap());
        assert_eq!(HashSet::<u64>::from_iter(all).len(), 8_000);
    }
}

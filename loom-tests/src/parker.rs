//! Parker: lets the flusher thread of a model sleep until another thread wakes it.

use loom::sync::{Condvar, Mutex};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Synchronisation primitive with which one thread sleeps until another thread wakes it. Like
/// tokio's `Notify`, it remembers a wake-up that comes before the sleep.
///
/// Loom's own `Notify` wakes spuriously, which would hide a lost wake-up.
#[derive(Default)]
pub struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
    /// Number of wake-ups so far. It is not one of loom's atomics, so that it orders nothing in the
    /// model.
    wakes: AtomicUsize,
}

impl Parker {
    /// Wakes the parked thread, or makes its next park return at once.
    pub fn wake(&self) {
        self.wakes.fetch_add(1, Relaxed);
        *self.woken.lock().expect("no thread panics") = true;
        self.changed.notify_one();
    }

    /// Returns the number of calls of [`Self::wake`] so far.
    pub fn wakes(&self) -> usize {
        self.wakes.load(Relaxed)
    }

    /// Consumes a pending wake-up without sleeping. Returns true if there was one.
    pub fn take_wake(&self) -> bool {
        std::mem::take(&mut *self.woken.lock().expect("no thread panics"))
    }

    /// Sleeps until the thread is woken, and consumes the wake-up.
    pub fn park(&self) {
        let mut woken = self.woken.lock().expect("no thread panics");
        while !*woken {
            woken = self.changed.wait(woken).expect("no thread panics");
        }
        *woken = false;
    }
}

//! Parker: puts a model's flusher to sleep.

use loom::sync::{Condvar, Mutex};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Place to park a thread. As with tokio's `Notify`, a wake-up that comes first is kept.
///
/// Loom's own `Notify` wakes spuriously, so that a lost wake-up would go unnoticed.
#[derive(Default)]
pub struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
    /// Number of wake-ups. Not loom's atomic, so that it orders nothing.
    wakes: AtomicUsize,
}

impl Parker {
    /// Unparks the thread, or makes its next park return at once.
    pub fn wake(&self) {
        self.wakes.fetch_add(1, Relaxed);
        *self.woken.lock().expect("no panic") = true;
        self.changed.notify_one();
    }

    /// Returns the number of wake-ups.
    pub fn wakes(&self) -> usize {
        self.wakes.load(Relaxed)
    }

    /// Takes a pending wake-up. Returns true if there was one.
    pub fn take_wake(&self) -> bool {
        std::mem::take(&mut *self.woken.lock().expect("no panic"))
    }

    /// Waits for a wake-up, and takes it.
    pub fn park(&self) {
        let mut woken = self.woken.lock().expect("no panic");
        while !*woken {
            woken = self.changed.wait(woken).expect("no panic");
        }
        *woken = false;
    }
}

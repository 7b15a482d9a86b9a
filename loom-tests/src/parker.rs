//! Where a model's flusher sleeps.

use loom::sync::{Condvar, Mutex};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// As with tokio's `Notify`, a wake-up that comes first is kept. (Loom's own `Notify` wakes
/// spuriously, and no lost wake-up would be noticed.)
#[derive(Default)]
pub struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
    /// Outside of loom: to count, not to order.
    wakes: AtomicUsize,
}

impl Parker {
    /// Ends the sleep, or the next one.
    pub fn wake(&self) {
        self.wakes.fetch_add(1, Relaxed);
        *self.woken.lock().expect("no panic") = true;
        self.changed.notify_one();
    }

    /// How often somebody did.
    pub fn wakes(&self) -> usize {
        self.wakes.load(Relaxed)
    }

    /// Whether a wake-up has come that nobody slept for yet.
    pub fn take_wake(&self) -> bool {
        std::mem::take(&mut *self.woken.lock().expect("no panic"))
    }

    /// Until the next wake-up.
    pub fn sleep(&self) {
        let mut woken = self.woken.lock().expect("no panic");
        while !*woken {
            woken = self.changed.wait(woken).expect("no panic");
        }
        *woken = false;
    }
}

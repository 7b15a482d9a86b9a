//! Tests that observe their process, or fork it. One runs at a time, since each must be alone in the
//! process: a forked child has only the forking thread, and locks that other threads hold stay locked.

// An `unwrap` in a test is an assertion.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod fork;
mod idle;
mod rings;
mod subscriber;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock that lets one test of this program run at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

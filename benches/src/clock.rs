//! The clocks: one that all processes share, and what threads and processes have spent.

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Nanoseconds of a clock that all processes of the machine see alike.
#[must_use]
pub fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

/// Nanoseconds that this thread has spent on a processor.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Nanoseconds that the threads of this process have spent on processors, in the kernel too.
#[must_use]
pub fn process_cpu_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn nanoseconds(clock: ClockId) -> u64 {
    Duration::from(clock_gettime(clock).expect("a clock")).as_nanos() as u64
}

/// The most memory that this process had at a time, in KiB.
#[must_use]
pub fn peak_rss_kib() -> u64 {
    getrusage(UsageWho::RUSAGE_SELF).expect("of itself").max_rss() as u64
}

//! Functions that read the monotonic clock, the processor time of threads and processes, and the
//! peak memory of this process.

use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Returns the time of the monotonic clock in nanoseconds. This clock is the same for all processes
/// of the machine.
#[must_use]
pub fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

/// Returns the processor time of the calling thread in nanoseconds.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Returns the processor time of all threads of this process in nanoseconds, kernel time included.
#[must_use]
pub fn process_cpu_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn nanoseconds(clock: ClockId) -> u64 {
    Duration::from(clock_gettime(clock).expect("Linux has this clock")).as_nanos() as u64
}

/// Returns the peak resident memory of this process in KiB.
#[must_use]
pub fn peak_rss_kib() -> u64 {
    getrusage(UsageWho::RUSAGE_SELF).expect("a process can query its own usage").max_rss() as u64
}

//! Preparation of connectors and of threads, so that the calls of a thread take no page fault.

use super::Connector;
use crate::emit::{Exchange, LineCounts};
use crate::encode::random_number;
use crate::prefault::{bind_symbols, map_code, touch_stack};
use crate::tally::Tally;
use freewheel_handoff::{prefault_sums, prepare_sums_of_thread};
use std::hint::black_box;
use std::time::Instant;

/// Allocates and touches the memory of the exchange (the buffers of lines), also that of `threads`
/// threads and of the flusher's.
pub(super) fn prefault(exchange: &mut Exchange, threads: usize) {
    exchange.prefault(threads + 1, touch);
    prefault_sums(threads + 1);
    map_code();
}

impl Connector {
    /// Prepares the calling thread, so that its calls that emit no longer pay for being the first:
    /// registers the thread, gives it its block of memory, and touches the block, the thread's local
    /// variables and 32 KiB of its stack (96 KiB in builds with debug assertions), which must have this
    /// space. Returns true if the thread is prepared.
    ///
    /// With [`Builder::low_latency`](crate::Builder::low_latency), the thread's calls that emit then
    /// make no system call, allocate nothing and take no page fault, at any state of the flusher and the
    /// server. There are these exceptions:
    ///
    /// * A line whose longest possible form exceeds the maximum length is measured in allocated memory.
    ///   A gauge or a service check of more than 246 bytes is allocated.
    /// * Threads that use a queue at the same moment may yield the processor (`sched_yield`): threads
    ///   that emit gauges or service checks, or that fill a block, if one fails to be first several
    ///   times in a row.
    /// * Creating handles allocates: metrics that are [built](crate::Metric::build), scopes, and the
    ///   drop of the last handle.
    /// * A page may be taken away again: see [`Builder::prefault`](crate::Builder::prefault).
    ///
    /// Without `low_latency`, some of the thread's calls wake the flusher
    /// ([`Builder::never_wake`](crate::Builder::never_wake)), and allocate a block until all blocks of
    /// the capacity are allocated (`Builder::prefault`).
    ///
    /// Further calls on the same thread are harmless, and a thread has to be prepared for each connector
    /// that was built on its own. The call itself allocates and makes system calls.
    ///
    /// Returns false, and changes nothing, if the thread is exiting, if the call interrupts one that
    /// emits, or if 65,536 other threads use connectors. Such a thread's lines are dropped and counted.
    /// A disabled connector returns true.
    #[must_use = "a thread that is not prepared emits at a higher cost, or not at all"]
    pub fn prepare_thread(&self) -> bool {
        let Some(inner) = self.inner() else { return true };
        touch_stack();
        bind_symbols();
        // The clock has its own page. The thread's generator of random numbers seeds itself.
        black_box((Instant::now(), random_number()));
        prepare_sums_of_thread();
        inner.exchange.prepare_thread(touch)
    }
}

/// Writes to the thread's counts without changing them, so that their pages are in memory.
fn touch(counts: &LineCounts) {
    for count in [&counts.invalid, &counts.unsupported, &counts.altered] {
        count.count(Tally::default());
    }
}

//! Memory barrier on all threads of the process. The flusher runs it before it sleeps without a
//! timer, so that it cannot miss a line.

use freewheel_handoff::Barrier;

/// Returns the process-wide memory barrier of this platform: `membarrier(2)`, private and
/// expedited, on Linux, and none on other platforms.
pub(crate) fn process_barrier() -> Barrier {
    #[cfg(all(target_os = "linux", not(miri)))]
    return Barrier::new(super::system::process_barrier);
    #[cfg(not(all(target_os = "linux", not(miri))))]
    return Barrier::none();
}

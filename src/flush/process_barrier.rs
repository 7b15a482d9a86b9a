//! Memory barrier on all threads of the process. The flusher runs it before it sleeps without a
//! timer, so that it cannot miss a line.

use freewheel_handoff::Barrier;

/// Returns the process-wide memory barrier of this platform: `membarrier(2)`, private and
/// expedited, on Linux, and none on other platforms.
pub(crate) fn process_barrier() -> Barrier {
    #[cfg(all(target_os = "linux", not(miri)))]
    return Barrier::new(run);
    #[cfg(not(all(target_os = "linux", not(miri))))]
    return Barrier::none();
}

/// Runs a full memory fence on every thread of the process. Returns false if the kernel refuses.
#[cfg(all(target_os = "linux", not(miri)))]
fn run() -> bool {
    use rustix::io::Errno;
    use rustix::thread::{MembarrierCommand, membarrier};
    match membarrier(MembarrierCommand::PrivateExpedited) {
        // Not registered yet: this happens once in the life of a process.
        Err(Errno::PERM) => {
            membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
                && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
        }
        result => result.is_ok(),
    }
}

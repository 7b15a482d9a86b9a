//! The only file that knows that loom exists.
//!
//! Two keys open the loom build, the cfg and a private feature, so that a user's
//! own `--cfg loom` never swaps freewheel's types.

#[cfg(all(loom, feature = "__loom"))]
mod modelled;
#[cfg(all(loom, feature = "__loom"))]
pub(crate) use modelled::*;

#[cfg(not(all(loom, feature = "__loom")))]
mod real {
    pub(crate) use crossbeam_queue::ArrayQueue;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize};
    use std::sync::atomic::{Ordering::SeqCst, compiler_fence};
    pub(crate) use std::sync::{Arc, Mutex};
    pub(crate) use thread_local::ThreadLocal;

    /// Wakes the flusher. Safe to unwind past, so that a connector is.
    pub(crate) type Wake = Box<dyn Fn() + Send + Sync + UnwindSafe + RefUnwindSafe>;

    thread_local! {
        static SENTINEL: Sentinel = const { Sentinel };
        /// Whether this thread was refused once: then it stays so, or each further line would
        /// make it a place that no thread inherits.
        static ENDED: Cell<bool> = const { Cell::new(false) };
    }

    /// Has a destructor, so that the thread's storage refuses it once that has run.
    struct Sentinel;

    impl Drop for Sentinel {
        fn drop(&mut self) {}
    }

    /// Calls what makes this thread's place in a `ThreadLocal`, unless the thread is so far
    /// into its end that this would panic, in a destructor, and so end the process.
    ///
    /// Destructors run last registered, first run, and the sentinel is asked right before the
    /// `ThreadLocal` registers its own: nothing runs between the two ends. What is left is a
    /// thread where another user of `thread_local` came and went before its first line here:
    /// that panic is caught, once a thread. (Where panics abort, it does.)
    pub(crate) fn unless_thread_is_ending<T>(join: impl FnOnce() -> T) -> Option<T> {
        SENTINEL.try_with(|_| ()).ok()?;
        if ENDED.get() {
            return None;
        }
        let joined = catch_unwind(AssertUnwindSafe(join)).ok();
        ENDED.set(joined.is_none());
        joined
    }

    /// A full fence on both sides of a pair of threads, of which the *light* one costs nothing: the
    /// *heavy* one has the operating system make every thread of the process pass a full fence
    /// (`membarrier`, private and expedited: see membarrier(2)).
    pub(crate) struct Barrier;

    impl Barrier {
        pub(crate) fn new() -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn light(&self) {
            // ORDERING: SeqCst, for the compiler alone; the processor's fence is in `heavy`.
            // No model: loom's build has another barrier. The stress test
            // `every_line_wakes_the_dormant` tries this one.
            compiler_fence(SeqCst);
        }

        /// False where there is none, and nothing was ordered.
        pub(crate) fn heavy(&self) -> bool {
            #[cfg(all(target_os = "linux", feature = "tokio", not(miri)))]
            {
                use rustix::io::Errno;
                use rustix::thread::{MembarrierCommand, membarrier};
                match membarrier(MembarrierCommand::PrivateExpedited) {
                    // Once in a process's life.
                    Err(Errno::PERM) => {
                        membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
                            && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
                    }
                    result => result.is_ok(),
                }
            }
            #[cfg(not(all(target_os = "linux", feature = "tokio", not(miri))))]
            false
        }
    }

    /// Stands where loom's build watches the bytes of a block, or the flusher's desk, for races.
    pub(crate) struct Watch;

    impl Watch {
        #[inline(always)]
        pub(crate) fn new(_len: usize) -> Self {
            Self
        }
        #[inline(always)]
        pub(crate) fn reads(&self, _from: usize, _to: usize) {}
        #[inline(always)]
        pub(crate) fn writes(&self, _from: usize, _to: usize) {}
    }
}
#[cfg(not(all(loom, feature = "__loom")))]
pub(crate) use real::*;

//! What is used in earnest.

use super::numbers::Numbers;
use super::turn::{self, MOST, NONE, Turn};
pub(crate) use crossbeam_queue::ArrayQueue;
use std::panic::{RefUnwindSafe, UnwindSafe};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst, compiler_fence};
pub(crate) use std::sync::{Arc, Mutex};

/// Wakes the flusher. Safe to unwind past, so that a connector is.
pub(crate) type Wake = Box<dyn Fn() + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// Keeps handlers that interrupt this thread from emitting until it is dropped: for the flusher, which
/// uses the same queues. Such lines are counted as of a call within a call.
pub(crate) fn keep_out_handlers() -> Option<Turn> {
    Turn::begin_or_join().ok()
}

/// Below a capacity of a few blocks, the ordered queue takes this much beside it: 4 KiB.
pub(crate) const FEWEST_RECORDS: usize = 16;

/// Slots that the ordered queue has beyond its records: one for the record that is being taken out, and
/// one for each thread that found the last free slot at the same time.
pub(crate) fn spare_slots(records: usize) -> usize {
    records / 16 + 1
}

/// More threads than these emit at a time only in few processes.
pub(crate) const FIRST_PLACES: usize = 64;

const WORDS: usize = MOST as usize / 64;

static NUMBERS: Numbers<WORDS> = Numbers::new();

impl<const WORDS: usize> Numbers<WORDS> {
    pub(super) const fn new() -> Self {
        Self { taken: [const { AtomicU64::new(0) }; WORDS] }
    }
}

pub(super) fn with_numbers<R>(task: impl FnOnce(&Numbers<WORDS>) -> R) -> R {
    task(&NUMBERS)
}

thread_local! {
    /// Without a destructor: it is there until the thread is gone.
    static SEAT: AtomicU32 = const { AtomicU32::new(NONE) };
    static LEAVING: Leaving = const { Leaving };
}

#[inline(always)]
pub(super) fn with_seat<R>(task: impl FnOnce(&AtomicU32) -> R) -> R {
    SEAT.with(task)
}

/// Has the thread's number given back at its end. False for a thread that is past that.
pub(super) fn end_with_thread() -> bool {
    LEAVING.try_with(|_| ()).is_ok()
}

struct Leaving;

impl Drop for Leaving {
    fn drop(&mut self) {
        SEAT.with(|seat| turn::leave(seat, |number| NUMBERS.give_back(number)));
    }
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

/// Stands where loom's build watches the bytes of a block, or what one thread has to itself, for
/// races.
#[derive(Default)]
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

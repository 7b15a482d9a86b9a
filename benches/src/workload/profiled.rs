//! Workload that makes calls in one function, while valgrind counts the instructions that this
//! function executes.

use crate::ipc;
use crate::subject::{Call, Caller, Repeat, Setup, Subject};
use serde::{Deserialize, Serialize};

/// Workload of calls under valgrind, which counts the executed instructions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Profiled {
    pub call: Call,
    pub repeat: usize,
}

impl Profiled {
    pub(super) fn run<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        let mut caller = subject.caller();
        // These calls allocate the blocks that the counted calls fill, and run the code of first
        // calls.
        for _ in 0..3 {
            self.call.drive(&mut caller, Repeat(self.repeat));
        }
        subject.quiesce();
        suite_profiled_calls(self.call, &mut caller, self.repeat);
        ipc::send(&());
    }
}

/// Makes `repeat` calls, during which valgrind counts instructions. Valgrind finds this function by
/// its name.
#[inline(never)]
fn suite_profiled_calls<C: Caller>(call: Call, caller: &mut C, repeat: usize) {
    call.drive(caller, Repeat(repeat));
}

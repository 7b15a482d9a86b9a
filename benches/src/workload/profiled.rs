//! Calls whose instructions valgrind counts: those of this thread, within one function.

use crate::ipc;
use crate::subject::{Call, Caller, Repeat, Setup, Subject};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Profiled {
    pub call: Call,
    pub repeat: usize,
}

impl Profiled {
    pub(super) fn run<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        let mut caller = subject.caller();
        // So that the blocks that will be filled exist, and hot calls have seen their first time.
        for _ in 0..3 {
            self.call.drive(&mut caller, Repeat(self.repeat));
        }
        subject.quiesce();
        suite_profiled_calls(self.call, &mut caller, self.repeat);
        ipc::send(&());
    }
}

/// Known to valgrind by its name.
#[inline(never)]
fn suite_profiled_calls<C: Caller>(call: Call, caller: &mut C, repeat: usize) {
    call.drive(caller, Repeat(repeat));
}

//! Calls whose instructions valgrind counts: those of this thread, within one function.

use crate::process::answer;
use crate::subject::{Call, Caller, Setup, Subject};
use crate::work::bursts::Repeat;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counted {
    pub call: Call,
    pub repeat: usize,
}

impl Counted {
    pub(super) fn carry_out<S: Subject>(&self, setup: &Setup) {
        let subject = S::start(setup);
        let mut caller = subject.caller();
        // So that the blocks that will be filled exist, and hot calls have seen their first time.
        for _ in 0..3 {
            self.call.drive(&mut caller, Repeat(self.repeat));
        }
        subject.settle();
        suite_counted_calls(self.call, &mut caller, self.repeat);
        answer(&());
    }
}

/// Known to valgrind by its name.
#[inline(never)]
fn suite_counted_calls<C: Caller>(call: Call, caller: &mut C, repeat: usize) {
    call.drive(caller, Repeat(repeat));
}

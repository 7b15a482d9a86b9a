//! Faults of the bell.

use super::File;

pub const FAULTS: File = (
    "src/handoff/bell.rs",
    &[
        (
            "the flusher sleeps without looking whether somebody rang",
            "wake_and_sleep",
            &[(
                "        match self.state.compare_exchange(QUIET, PARKED, Relaxed, Relaxed) {\n",
                "        match Ok::<u8, u8>(self.state.swap(PARKED, Relaxed)) {\n",
            )],
        ),
        (
            "a bell that has woken stays as if asleep",
            "two_rings",
            &[(
                "if self.state.swap(RUNG, Release) == PARKED {",
                "if self.state.compare_exchange(QUIET, RUNG, Release, Relaxed) == Err(PARKED) {",
            )],
        ),
        (
            "the answer to the bell is a load and a store",
            "an_answer_wipes_no_ring_unseen",
            &[(
                "        self.state.swap(QUIET, Acquire);\n",
                "        if self.state.load(Acquire) != QUIET {\n\
             self.state.store(QUIET, Relaxed);\n\
             }\n",
            )],
        ),
        (
            "a ring is left out where somebody has rung",
            "an_answer_wipes_no_ring_unseen",
            &[(
                "        if self.state.swap(RUNG, Release) == PARKED {\n",
                "        if self.state.load(Relaxed) == RUNG {\n\
             return;\n\
             }\n\
             if self.state.swap(RUNG, Release) == PARKED {\n",
            )],
        ),
        (
            "to ring is a load and a store",
            "two_blocks_are_worth_a_ring",
            &[(
                "        if self.state.swap(RUNG, Release) == PARKED {\n",
                "        let before = self.state.load(Relaxed);\n\
             self.state.store(RUNG, Release);\n\
             if before == PARKED {\n",
            )],
        ),
        (
            "to fall asleep is a load and a store",
            "wake_and_sleep",
            &[(
                "        match self.state.compare_exchange(QUIET, PARKED, Relaxed, Relaxed) {\n",
                "        let before = self.state.load(Relaxed);\n\
             if before == QUIET {\n\
             self.state.store(PARKED, Relaxed);\n\
             }\n\
             match if before == QUIET { Ok(before) } else { Err(before) } {\n",
            )],
        ),
        (
            "who woke by itself stays as if asleep",
            "who_woke_by_itself_is_not_woken",
            &[(
                "        self.state.swap(QUIET, Acquire);\n",
                "        let _ = self.state.compare_exchange(RUNG, QUIET, Acquire, Relaxed);\n",
            )],
        ),
        ("the bell wakes nobody", "wake_and_sleep", &[("            (self.wake)();\n", "")]),
        (
            "the bell wakes at every ring",
            "wake_and_sleep",
            &[(
                "if self.state.swap(RUNG, Release) == PARKED {",
                "if self.state.swap(RUNG, Release) < 3 {",
            )],
        ),
        (
            "who is asleep may not fall asleep again",
            "who_woke_by_itself_is_not_woken",
            &[("Ok(_) | Err(PARKED) => true,", "Ok(_) => true,")],
        ),
    ],
);

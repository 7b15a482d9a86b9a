//! Faults (deliberate mistakes) to plant in `bell.rs`, the consumer's wake-up flag, each with the
//! loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/bell.rs",
    &[
        (
            "the flusher parks without checking for a ring",
            "sealed_block_wakes_a_parked_flusher",
            &[(
                "        match self.state.compare_exchange(QUIET, PARKED, Relaxed, Relaxed) {\n",
                "        match Ok::<u8, u8>(self.state.swap(PARKED, Relaxed)) {\n",
            )],
        ),
        (
            "the bell stays parked after it has woken the flusher",
            "concurrent_rings_wake_once",
            &[(
                "if self.state.swap(RUNG, Release) == PARKED {",
                "if self.state.compare_exchange(QUIET, RUNG, Release, Relaxed) == Err(PARKED) {",
            )],
        ),
        (
            "clearing is a load and a store",
            "clear_loses_no_ring",
            &[(
                "        self.state.swap(QUIET, Acquire);\n",
                "        if self.state.load(Acquire) != QUIET {\n\
             self.state.store(QUIET, Relaxed);\n\
             }\n",
            )],
        ),
        (
            "a ring is skipped if the bell is rung already",
            "clear_loses_no_ring",
            &[(
                "        if self.state.swap(RUNG, Release) == PARKED {\n",
                "        if self.state.load(Relaxed) == RUNG {\n\
             return;\n\
             }\n\
             if self.state.swap(RUNG, Release) == PARKED {\n",
            )],
        ),
        (
            "ringing is a load and a store",
            "ring_starts_at_the_threshold",
            &[(
                "        if self.state.swap(RUNG, Release) == PARKED {\n",
                "        let before = self.state.load(Relaxed);\n\
             self.state.store(RUNG, Release);\n\
             if before == PARKED {\n",
            )],
        ),
        (
            "parking is a load and a store",
            "sealed_block_wakes_a_parked_flusher",
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
            "clearing leaves the bell parked after a tick",
            "awake_flusher_is_not_woken",
            &[(
                "        self.state.swap(QUIET, Acquire);\n",
                "        let _ = self.state.compare_exchange(RUNG, QUIET, Acquire, Relaxed);\n",
            )],
        ),
        (
            "a ring never wakes the flusher",
            "sealed_block_wakes_a_parked_flusher",
            &[("            (self.wake)();\n", "")],
        ),
        (
            "every ring wakes the flusher",
            "sealed_block_wakes_a_parked_flusher",
            &[(
                "if self.state.swap(RUNG, Release) == PARKED {",
                "if self.state.swap(RUNG, Release) < 3 {",
            )],
        ),
        (
            "a parked flusher may not park again",
            "awake_flusher_is_not_woken",
            &[("Ok(_) | Err(PARKED) => true,", "Ok(_) => true,")],
        ),
    ],
);

//! Faults (deliberate mistakes) to plant in `dormancy.rs`, the consumer's sleep without a timeout,
//! each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/dormancy.rs",
    &[
        (
            "a flusher becomes dormant without a barrier",
            "first_line_wakes_a_dormant_flusher",
            &[("        let entered = self.barrier.heavy();\n", "        let entered = true;\n")],
        ),
        (
            "a producer skips the barrier before it checks for dormancy",
            "first_line_wakes_a_dormant_flusher",
            &[("        self.barrier.light();\n", "")],
        ),
        (
            "leaving dormancy is a load and a store",
            "two_lines_wake_a_dormant_flusher_once",
            &[(
                "        self.is_dormant.swap(false, Relaxed)\n",
                "        let was_dormant = self.is_dormant.load(Relaxed);\n\
             self.is_dormant.store(false, Relaxed);\n\
             was_dormant\n",
            )],
        ),
        (
            "a flusher stays dormant after it was refused for lack of a barrier",
            "dormancy_ends_on_refusal_and_stop",
            &[("        if !entered {\n            self.leave();\n        }\n", "")],
        ),
        (
            "the flusher is marked as dormant after the barrier",
            "first_line_wakes_a_dormant_flusher",
            &[(
                "        self.is_dormant.store(true, Relaxed);\n        let entered = self.barrier.heavy();\n",
                "        let entered = self.barrier.heavy();\n        self.is_dormant.store(true, Relaxed);\n",
            )],
        ),
    ],
);

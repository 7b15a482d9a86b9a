//! Faults of dormancy.

use super::File;

pub const FAULTS: File = (
    "src/handoff/dormancy.rs",
    &[
        (
            "a flusher becomes dormant without a barrier",
            "the_first_line_wakes_the_dormant",
            &[("        let begun = self.barrier.heavy();\n", "        let begun = true;\n")],
        ),
        (
            "a caller passes no barrier before it looks whether the flusher is dormant",
            "the_first_line_wakes_the_dormant",
            &[("        self.barrier.light();\n", "")],
        ),
        (
            "dormancy is ended by a load and a store",
            "two_lines_wake_the_dormant_once",
            &[(
                "        self.is_dormant.swap(false, Relaxed)\n",
                "        let was = self.is_dormant.load(Relaxed);\n\
             self.is_dormant.store(false, Relaxed);\n\
             was\n",
            )],
        ),
        (
            "who is refused for want of a barrier stays dormant",
            "only_who_lies_down_is_dormant",
            &[("        if !begun {\n            self.end();\n        }\n", "")],
        ),
        (
            "the flusher says that it is dormant after the barrier",
            "the_first_line_wakes_the_dormant",
            &[(
                "        self.is_dormant.store(true, Relaxed);\n        let begun = self.barrier.heavy();\n",
                "        let begun = self.barrier.heavy();\n        self.is_dormant.store(true, Relaxed);\n",
            )],
        ),
    ],
);

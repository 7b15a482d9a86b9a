//! Faults of what is under channel.

use super::File;

pub const FAULTS: File = (
    "src/handoff/send_window.rs",
    &[
        (
            "a block goes back when its first line has arrived",
            "what_is_in_flight_keeps_its_block",
            &[
                (
                    "            chunk.from += here;\n",
                    "            chunk.from += here;\n\
             if let Some(last) = chunk.last.take() {\n\
             empty(last.recycle(reader));\n\
             }\n",
                ),
                (
                    "reader: &mut ReadPermit,\n        empty: impl FnMut(BlockWriter),\n    ) {\n        assert!(count <= self.in_flight",
                    "reader: &mut ReadPermit,\n        mut empty: impl FnMut(BlockWriter),\n    ) {\n        assert!(count <= self.in_flight",
                ),
            ],
        ),
        (
            "an evicted block goes back though a line of it is in flight",
            "the_oldest_make_room",
            &[(
                "        if self.chunks.iter().rev().any(is_left) {\n",
                "        if self.chunks.iter().rev().any(|chunk| is_left(chunk) && chunk.from > chunk.to) {\n",
            )],
        ),
        (
            "an evicted block does not go back",
            "the_oldest_make_room",
            &[(
                "            empty(last.recycle(reader));\n        }\n        chunk.evicted",
                "            drop(last);\n        }\n        chunk.evicted",
            )],
        ),
        (
            "what the link has begun is evicted",
            "what_the_link_has_begun_is_not_displaced",
            &[(
                "        let mut left = given + begun;\n",
                "        let _ = begun;\n        let mut left = given;\n",
            )],
        ),
        (
            "what has arrived of a run still counts as given",
            "sweep_a_part_filled_block",
            &[("                self.unsent_from.1 -= here;\n", "                let _ = here;\n")],
        ),
    ],
);

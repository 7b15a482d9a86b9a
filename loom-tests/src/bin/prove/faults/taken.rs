//! Faults of what is under way.

use super::File;

pub const FAULTS: File = (
    "src/handoff/taken.rs",
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
                    "reader: &mut Reader, empty: impl FnMut(Pen)) {\n        assert!(count <= self.in_flight",
                    "reader: &mut Reader, mut empty: impl FnMut(Pen)) {\n        assert!(count <= self.in_flight",
                ),
            ],
        ),
        (
            "a displaced block goes back though a line of it is in flight",
            "the_oldest_make_room",
            &[(
                "        if self.chunks.iter().rev().any(is_left) {\n",
                "        if self.chunks.iter().rev().any(|chunk| is_left(chunk) && chunk.from > chunk.to) {\n",
            )],
        ),
        (
            "a displaced block does not go back",
            "the_oldest_make_room",
            &[(
                "            empty(last.recycle(reader));\n        }\n        chunk.displaced",
                "            drop(last);\n        }\n        chunk.displaced",
            )],
        ),
        (
            "what the link has begun is displaced",
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

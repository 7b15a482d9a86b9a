//! Faults (deliberate mistakes) to plant in `consumer_state.rs`, which takes the records out of the
//! producers' blocks, each with the loom model that must catch it.

use super::File;

pub const FAULTS: File = (
    "handoff/src/consumer_state.rs",
    &[
        (
            "the published length is read before the link",
            "rotation_keeps_the_order_of_lines",
            &[(
                "        while let Some((full, next)) = block.follow(&mut self.permit) {\n\
             \x20           self.take_sealed(full);\n",
                "        loop {\n\
             let to = block.published();\n\
             let Some((full, next)) = block.follow(&mut self.permit) else { break };\n\
             self.take(full.view(), to, Some(full));\n",
            )],
        ),
        (
            "a block is recycled before it is consumed",
            "recycled_block_is_reused_without_races",
            &[(
                "            self.take_sealed(full);\n            taken",
                "            self.take(block, block.published(), None);\n\
             drop(full.recycle(&mut self.permit));\n\
             taken",
            )],
        ),
        (
            "a sweep leaves part-filled blocks for later",
            "flush_covers_earlier_lines",
            &[("        self.take(block, block.published(), None);\n", "        let _ = block;\n")],
        ),
        (
            "the chain of a thread does not advance",
            "recycled_block_is_reused_without_races",
            &[("            taken.chain.advance_to(next, &mut self.permit);\n", "")],
        ),
    ],
);

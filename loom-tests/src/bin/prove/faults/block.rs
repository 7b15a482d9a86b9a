//! Faults of the blocks.

use super::File;

pub const FAULTS: File = (
    "src/handoff/block.rs",
    &[
        (
            "the length is published before the bytes are written",
            "publish_and_read",
            &[
                ("        block.watch.writes(self.published, self.published + written);\n", ""),
                (
                    "        block.published.store(self.published, Release);\n",
                    "        block.published.store(self.published, Release);\n\
                 block.watch.writes(self.published - written, self.published);\n",
                ),
            ],
        ),
        (
            "the last block is given out by a load and a store",
            "the_last_block_is_given_out_once",
            &[(
                "        self.budget.fetch_update(Relaxed, Relaxed, take_one).ok()?;\n",
                "        self.budget.store(take_one(self.budget.load(Relaxed))?, Relaxed);\n",
            )],
        ),
        (
            "a recycled block keeps its length",
            "a_block_is_reused_by_another_thread",
            &[("        self.0.published.store(0, Relaxed);\n", "")],
        ),
        (
            "a recycled block keeps what was taken of it",
            "seal_and_sweep_order",
            &[("        self.0.flushed.store(0, Relaxed);\n", "")],
        ),
        (
            "what was taken is forgotten",
            "sweep_a_part_filled_block",
            &[("            self.0.flushed.store(to, Relaxed);\n", "")],
        ),
        (
            "what was taken of a block becomes less",
            "stop_and_start",
            &[(
                "        if from < to {\n            self.0.flushed.store(to, Relaxed);\n        }\n",
                "        self.0.flushed.store(to, Relaxed);\n",
            )],
        ),
        (
            "blocks are not freed",
            "the_last_handle_is_dropped",
            &[(
                "            drop(unsafe { Box::from_raw(handle.0.as_ptr()) });\n",
                "            let _ = handle;\n",
            )],
        ),
        (
            "blocks are freed twice",
            "the_last_handle_is_dropped",
            &[(
                "        self.made.push(handle);\n",
                "        self.made.push(handle);\n        self.made.push(handle);\n",
            )],
        ),
    ],
);
